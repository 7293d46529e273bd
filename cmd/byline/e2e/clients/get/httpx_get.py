import os, httpx
print(httpx.get(os.environ["URL"], timeout=30).text)
