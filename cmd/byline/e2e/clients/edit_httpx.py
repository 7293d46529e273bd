import os
import httpx

base, title, text = os.environ["BASE"], os.environ["TITLE"], os.environ["TEXT"]
with httpx.Client(http2=os.environ["PROTOCOL"] == "HTTP/2", headers={"Cookie": os.environ["COOKIE"]}) as c:
    c.get(base + "/index.php", params={"title": "Main_Page"}).raise_for_status()
    token = c.get(base + "/api.php", params={"action": "query", "meta": "tokens", "format": "json"}).json()["query"]["tokens"]["csrftoken"]
    answer = c.post(base + "/api.php", data={"action": "edit", "title": title, "text": text, "summary": text, "token": token, "format": "json"})
    print(answer.json()["edit"]["result"], answer.http_version)
