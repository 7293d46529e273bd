import os, requests
print(requests.get(os.environ["URL"], timeout=30).text)
