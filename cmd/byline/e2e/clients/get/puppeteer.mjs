import puppeteer from "puppeteer-core"
const args = ["--no-sandbox"]
if (process.env.HTTPS_PROXY) args.push("--proxy-server=" + process.env.HTTPS_PROXY)
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args, env: { ...process.env, HOME: process.env.BYLINE_BROWSER_HOME } })
try {
  const page = await browser.newPage()
  await page.goto(process.env.URL)
  console.log(await page.evaluate(() => document.body.innerText))
} finally {
  await browser.close()
}
