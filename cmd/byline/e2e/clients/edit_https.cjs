// Edits a page of MediaWiki with node:https. Prints the result and the protocol.
const https = require('node:https');
const { BASE: base, TITLE: title, TEXT: text, COOKIE: cookie } = process.env;

const request = (path, form) => new Promise((resolve, reject) => {
  const body = form && new URLSearchParams(form).toString();
  const headers = { cookie, ...(body && { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length }) };
  const req = https.request(base + path, { method: body ? 'POST' : 'GET', headers }, (response) => {
    let page = '';
    response.on('data', (piece) => { page += piece; });
    response.on('end', () => {
      if (response.statusCode === 200) resolve(page);
      else reject(new Error(`${path}: ${response.statusCode} ${page}`));
    });
  });
  req.on('error', reject);
  req.end(body);
});

(async () => {
  await request('/index.php?title=Main_Page');
  const token = JSON.parse(await request('/api.php?action=query&meta=tokens&format=json')).query.tokens.csrftoken;
  const result = JSON.parse(await request('/api.php', { action: 'edit', title, text, summary: text, token, format: 'json' }));
  console.log(result.edit.result, 'HTTP/1.1');
})();
