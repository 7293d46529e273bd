import os
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

options = webdriver.ChromeOptions()
options.binary_location = "/usr/bin/chromium"
for option in ["--headless=new", "--no-sandbox"]:
    options.add_argument(option)
if os.environ.get("HTTPS_PROXY"):
    options.add_argument("--proxy-server=" + os.environ["HTTPS_PROXY"])
# The driver is a port of this machine, which NO_PROXY lets through.
service = Service("/usr/bin/chromedriver", env={**os.environ, "HOME": os.environ["BYLINE_BROWSER_HOME"]})
driver = webdriver.Chrome(options=options, service=service)
try:
    driver.get(os.environ["URL"])
    print(driver.find_element("tag name", "body").text)
finally:
    driver.quit()
