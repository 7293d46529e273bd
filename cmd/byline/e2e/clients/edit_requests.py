# Edits a page of MediaWiki with requests. Prints the result and the protocol.
import os
import requests

base, title, text = os.environ["BASE"], os.environ["TITLE"], os.environ["TEXT"]
session = requests.Session()
session.headers["Cookie"] = os.environ["COOKIE"]

session.get(base + "/index.php", params={"title": "Main_Page"}).raise_for_status()
tokens = session.get(base + "/api.php", params={"action": "query", "meta": "tokens", "format": "json"}).json()
token = tokens["query"]["tokens"]["csrftoken"]
form = {"action": "edit", "title": title, "text": text, "summary": text, "token": token, "format": "json"}
response = session.post(base + "/api.php", data=form)
print(response.json()["edit"]["result"], "HTTP/1.1")
