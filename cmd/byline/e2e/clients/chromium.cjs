// Opens an application in Chromium as a person would, changes something by its
// forms, and looks at the result. Prints one JSON object, see browserReport in
// clients_browser_test.go.
const { chromium } = require('playwright-core');
const { APP, BASE: base, TITLE: title, TEXT: text, COOKIES: cookies, SHOTS: shots, HTTPS_PROXY, BYLINE_BROWSER_HOME: HOME, BROWSER: executablePath } = process.env;

// scenarios has the steps for each application. Each returns the user that the
// first and the last page show as logged in, and the text of the last page.
const scenarios = {
  async mediawiki(page, shot) {
    await page.goto(`${base}/index.php?title=Main_Page`, { waitUntil: 'networkidle' });
    await shot('main-page');
    const user = await page.evaluate(() => mw.config.get('wgUserName'));
    await page.goto(`${base}/index.php?title=${encodeURIComponent(title)}&action=edit`, { waitUntil: 'networkidle' });
    await page.fill('#wpTextbox1', text);
    await page.fill('#wpSummary', text);
    await shot('edit-form');
    await Promise.all([page.waitForURL((u) => !u.search.includes('action=')), page.click('#wpSave')]);
    await page.waitForLoadState('networkidle');
    return { user, shown: await page.textContent('#pt-userpage'), body: await page.textContent('#mw-content-text') };
  },
  async requesttracker(page, shot) {
    await page.goto(`${base}/`, { waitUntil: 'networkidle' });
    await shot('home');
    const user = await page.textContent('#preferences .current-user');
    await page.click('text=Create new ticket');
    await page.fill('input[name=Subject] >> visible=true', title);
    await shot('new-ticket');
    await page.click('input[name=SubmitTicket] >> visible=true');
    await page.waitForURL((u) => u.pathname === '/Ticket/Display.html');
    await page.waitForLoadState('networkidle');
    return { user, shown: await page.textContent('#preferences .current-user'), body: await page.textContent('#header') };
  },
  async wordpress(page, shot) {
    await page.goto(`${base}/wp-admin/`, { waitUntil: 'networkidle' });
    await shot('dashboard');
    const user = await page.textContent('#wp-admin-bar-my-account .display-name');
    await page.goto(`${base}/wp-admin/post-new.php`, { waitUntil: 'networkidle' });
    await page.click('button[aria-label="Close dialog"]');
    await page.fill('h1.wp-block-post-title', title);
    await shot('editor');
    await page.click('button.editor-post-publish-panel__toggle');
    await page.click('button.editor-post-publish-button');
    await page.waitForSelector('text=is now live');
    await shot('published');
    await page.goto(`${base}/`, { waitUntil: 'networkidle' });
    return { user, shown: await page.textContent('#wp-admin-bar-my-account .display-name'), body: await page.textContent('body') };
  },
  // If Gitea's scripts were not built, submitting the form shows the JSON that
  // they would have processed.
  async gitea(page, shot) {
    await page.goto(`${base}/issues`, { waitUntil: 'load' });
    await shot('issues');
    const user = await page.textContent('#navbar strong');
    await page.goto(`${base}/acme/app/issues/new`, { waitUntil: 'load' });
    await page.fill('#issue_title', title);
    await page.fill('#new-issue textarea[name=content]', text);
    await shot('new-issue');
    const [created] = await Promise.all([
      page.waitForResponse((r) => r.request().method() === 'POST' && r.url().endsWith('/issues/new')),
      page.click('#new-issue button.primary:not([type=button])'),
    ]);
    await page.goto(base + (await created.json()).redirect, { waitUntil: 'load' });
    return { user, shown: await page.textContent('#navbar strong'), body: await page.textContent('body') };
  },
};

async function main() {
  const proxy = new URL(HTTPS_PROXY);
  const browser = await chromium.launch({
    executablePath,
    proxy: { server: proxy.origin, username: decodeURIComponent(proxy.username), password: decodeURIComponent(proxy.password) },
    env: { ...process.env, HOME },
    // Keep the requests that Chromium sends to its maker in the background, which
    // Playwright turns off by default: the test checks that they are refused.
    ignoreDefaultArgs: ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-client-side-phishing-detection',
      '--disable-default-apps', '--no-service-autorun'],
  });
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 } });
  await context.addCookies(JSON.parse(cookies).map(({ name, value }) => ({ name, value, url: base })));
  const page = await context.newPage();
  page.setDefaultTimeout(90000);
  const report = { failed: [], wrong: [] };
  page.on('response', (r) => {
    if (r.status() >= 400) report.failed.push(`${r.status()} ${r.request().method()} ${r.url()} ${(r.request().postData() || '').slice(0, 300)}`);
  });
  page.on('requestfailed', (r) => {
    const reason = r.failure().errorText;
    if (reason !== 'net::ERR_ABORTED') report.failed.push(`${reason} ${r.url()}`); // Chromium aborts the requests of a page that it leaves
  });
  page.on('pageerror', (e) => report.wrong.push(String(e)));
  const shot = (name) => page.screenshot({ path: `${shots}/chromium-${APP}-${name}.png` });
  try {
    Object.assign(report, await scenarios[APP](page, shot));
    await shot('done');
  } catch (e) {
    await shot('stuck');
    throw new Error(`${e} at ${page.url()} ${report.failed.join('\n')}`);
  }
  report.protocols = await page.evaluate(() => [...new Set(performance.getEntries().filter((e) => e.nextHopProtocol).map((e) => e.nextHopProtocol))]);
  report.cookies = await context.cookies();
  await browser.close();
  console.log(JSON.stringify(report));
}

main().catch((e) => { console.error(e); process.exit(1); });
