import json
import os
import urllib.parse
import urllib.request

base, title, text = os.environ["BASE"], os.environ["TITLE"], os.environ["TEXT"]


def ask(path, form=None):
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(base + path, body, {"Cookie": os.environ["COOKIE"]})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


ask("/index.php?title=Main_Page")
token = json.loads(ask("/api.php?action=query&meta=tokens&format=json"))["query"]["tokens"]["csrftoken"]
answer = json.loads(ask("/api.php", {"action": "edit", "title": title, "text": text, "summary": text, "token": token, "format": "json"}))
print(answer["edit"]["result"], "HTTP/1.1")
