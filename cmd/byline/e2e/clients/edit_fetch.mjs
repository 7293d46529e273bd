// Edits a page of MediaWiki with fetch. Prints the result and the protocol.
const { BASE: base, TITLE: title, TEXT: text, COOKIE: cookie } = process.env;

async function request(path, form) {
  const response = await fetch(base + path, { method: form ? 'POST' : 'GET', body: form && new URLSearchParams(form), headers: { cookie } });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}

await (await request('/index.php?title=Main_Page')).text();
const tokens = await (await request('/api.php?action=query&meta=tokens&format=json')).json();
const token = tokens.query.tokens.csrftoken;
const result = await (await request('/api.php', { action: 'edit', title, text, summary: text, token, format: 'json' })).json();
console.log(result.edit.result, 'HTTP/1.1');
