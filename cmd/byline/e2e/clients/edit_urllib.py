# Edits a page of MediaWiki with urllib. Prints the result and the protocol.
import json
import os
import urllib.parse
import urllib.request

base, title, text = os.environ["BASE"], os.environ["TITLE"], os.environ["TEXT"]


def fetch(path, form=None):
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(base + path, body, {"Cookie": os.environ["COOKIE"]})
    with urllib.request.urlopen(request) as response:
        return response.read()


fetch("/index.php?title=Main_Page")
token = json.loads(fetch("/api.php?action=query&meta=tokens&format=json"))["query"]["tokens"]["csrftoken"]
form = {"action": "edit", "title": title, "text": text, "summary": text, "token": token, "format": "json"}
print(json.loads(fetch("/api.php", form))["edit"]["result"], "HTTP/1.1")
