const { chromium } = require("playwright-core")
;(async () => {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium", args: ["--no-sandbox"],
    env: { ...process.env, HOME: process.env.BYLINE_BROWSER_HOME },
    proxy: process.env.HTTPS_PROXY ? { server: process.env.HTTPS_PROXY } : undefined,
  })
  const page = await browser.newPage()
  try {
    await page.goto(process.env.URL)
    console.log(await page.innerText("body"))
  } finally {
    await browser.close()
  }
})().catch(e => { console.error(String(e)); process.exit(1) })
