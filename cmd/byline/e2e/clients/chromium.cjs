// Opens the wiki as a person would, edits a page through the real form, and
// looks at it. Prints one JSON object.
const { chromium } = require('playwright-core');
const { BASE: base, TITLE: title, TEXT: text, COOKIES: cookies, SHOTS: shots, HTTPS_PROXY, BYLINE_BROWSER_HOME: HOME, BROWSER: executablePath } = process.env;

(async () => {
  const at = new URL(HTTPS_PROXY);
  const browser = await chromium.launch({
    executablePath,
    proxy: { server: at.origin, username: decodeURIComponent(at.username), password: decodeURIComponent(at.password) },
    env: { ...process.env, HOME },
    // What a browser asks of its maker in the background is not turned off.
    ignoreDefaultArgs: ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-client-side-phishing-detection',
      '--disable-default-apps', '--no-service-autorun'],
  });
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 } });
  await context.addCookies(JSON.parse(cookies).map(({ name, value }) => ({ name, value, url: base })));
  const page = await context.newPage();
  const said = { failed: [], wrong: [] };
  page.on('response', (r) => {
    if (r.status() >= 400) said.failed.push(`${r.status()} ${r.request().method()} ${r.url()} ${(r.request().postData() || "").slice(0, 300)}`);
  });
  page.on('requestfailed', (r) => {
    const why = r.failure().errorText;
    if (why !== 'net::ERR_ABORTED') said.failed.push(`${why} ${r.url()}`); // the browser itself drops what a page that it leaves was waiting for
  });
  page.on('pageerror', (e) => said.wrong.push(String(e)));

  await page.goto(`${base}/index.php?title=Main_Page`, { waitUntil: 'networkidle' });
  await page.screenshot({ path: `${shots}/chromium-main-page.png` });
  said.user = await page.evaluate(() => mw.config.get('wgUserName'));
  await page.goto(`${base}/index.php?title=${encodeURIComponent(title)}&action=edit`, { waitUntil: 'networkidle' });
  await page.fill('#wpTextbox1', text);
  await page.fill('#wpSummary', text);
  await page.screenshot({ path: `${shots}/chromium-edit-form.png` });
  await Promise.all([page.waitForURL((u) => !u.search.includes('action=')), page.click('#wpSave')]);
  await page.waitForLoadState('networkidle');
  await page.screenshot({ path: `${shots}/chromium-saved.png` });
  said.body = await page.textContent('#mw-content-text');
  said.shown = await page.textContent('#pt-userpage');
  said.protocols = await page.evaluate(() => [...new Set(performance.getEntries().filter((e) => e.nextHopProtocol).map((e) => e.nextHopProtocol))]);
  said.cookies = await context.cookies();
  await browser.close();
  console.log(JSON.stringify(said));
})().catch((e) => { console.error(e); process.exit(1); });
