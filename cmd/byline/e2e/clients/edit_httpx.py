# Edits a page of MediaWiki with httpx, over the protocol in $PROTOCOL. Prints the
# result and the protocol.
import os
import httpx

base, title, text = os.environ["BASE"], os.environ["TITLE"], os.environ["TEXT"]
with httpx.Client(http2=os.environ["PROTOCOL"] == "HTTP/2", headers={"Cookie": os.environ["COOKIE"]}) as client:
    client.get(base + "/index.php", params={"title": "Main_Page"}).raise_for_status()
    tokens = client.get(base + "/api.php", params={"action": "query", "meta": "tokens", "format": "json"}).json()
    token = tokens["query"]["tokens"]["csrftoken"]
    form = {"action": "edit", "title": title, "text": text, "summary": text, "token": token, "format": "json"}
    response = client.post(base + "/api.php", data=form)
    print(response.json()["edit"]["result"], response.http_version)
