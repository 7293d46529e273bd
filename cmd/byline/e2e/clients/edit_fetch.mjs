const { BASE: base, TITLE: title, TEXT: text, COOKIE: cookie } = process.env;

async function ask(path, form) {
  const answer = await fetch(base + path, { method: form ? 'POST' : 'GET', body: form && new URLSearchParams(form), headers: { cookie } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

await (await ask('/index.php?title=Main_Page')).text();
const token = (await (await ask('/api.php?action=query&meta=tokens&format=json')).json()).query.tokens.csrftoken;
const answer = await (await ask('/api.php', { action: 'edit', title, text, summary: text, token, format: 'json' })).json();
console.log(answer.edit.result, 'HTTP/1.1');
