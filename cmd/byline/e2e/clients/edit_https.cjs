const https = require('node:https');
const { BASE: base, TITLE: title, TEXT: text, COOKIE: cookie } = process.env;

const ask = (path, form) => new Promise((done, failed) => {
  const body = form && new URLSearchParams(form).toString();
  const headers = { cookie, ...(body && { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length }) };
  const request = https.request(base + path, { method: body ? 'POST' : 'GET', headers }, (answer) => {
    let all = '';
    answer.on('data', (part) => { all += part; });
    answer.on('end', () => (answer.statusCode === 200 ? done(all) : failed(new Error(`${path}: ${answer.statusCode} ${all}`))));
  });
  request.on('error', failed);
  request.end(body);
});

(async () => {
  await ask('/index.php?title=Main_Page');
  const token = JSON.parse(await ask('/api.php?action=query&meta=tokens&format=json')).query.tokens.csrftoken;
  const answer = JSON.parse(await ask('/api.php', { action: 'edit', title, text, summary: text, token, format: 'json' }));
  console.log(answer.edit.result, 'HTTP/1.1');
})();
