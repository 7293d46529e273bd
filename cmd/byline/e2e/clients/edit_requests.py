import os
import requests

base, title, text = os.environ["BASE"], os.environ["TITLE"], os.environ["TEXT"]
s = requests.Session()
s.headers["Cookie"] = os.environ["COOKIE"]
page = s.get(base + "/index.php", params={"title": "Main_Page"})
page.raise_for_status()
token = s.get(base + "/api.php", params={"action": "query", "meta": "tokens", "format": "json"}).json()["query"]["tokens"]["csrftoken"]
answer = s.post(base + "/api.php", data={"action": "edit", "title": title, "text": text, "summary": text, "token": token, "format": "json"})
print(answer.json()["edit"]["result"], "HTTP/1.1")
