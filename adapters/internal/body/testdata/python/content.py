"""Reads bodies as programs do that do not look at the Content-Type. See ../README.md."""
import ast
import cgi
import io
import json
import sys
import urllib.parse
import warnings
import xml.etree.ElementTree as ElementTree

import yaml

warnings.filterwarnings("ignore")


def pairs(value, name=""):
    if isinstance(value, dict):
        for key, member in value.items():
            yield from pairs(member, str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from pairs(item, name)
    elif value is not None and not isinstance(value, bool):
        yield name, str(value)


def elements(body):
    for element in ElementTree.fromstring(body).iter():
        yield element.tag.rpartition("}")[2], element.text or ""
        yield from element.attrib.items()


def parts(body, kind):
    environment = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    form = cgi.FieldStorage(fp=io.BytesIO(body), environ=environment, keep_blank_values=True)
    for field in form.list or []:
        if isinstance(field.value, list):
            yield from ((inner.name, inner.value) for inner in field.value)
        elif field.name:
            yield field.name, field.value if isinstance(field.value, str) else field.value.decode("latin-1")


READERS = {
    "json": lambda body, kind: pairs(json.loads(body)),
    "parse_qs": lambda body, kind: urllib.parse.parse_qsl(body.decode("utf-8", "replace")),
    "parse_qs;": lambda body, kind: urllib.parse.parse_qsl(body.decode("utf-8", "replace"), separator=";") if b"&" not in body and not set(body) & set(b" \n\"'{}<>") else [],
    "yaml": lambda body, kind: pairs(yaml.safe_load(body)),
    "literal_eval": lambda body, kind: pairs(ast.literal_eval(body.decode())),
    "xml": lambda body, kind: elements(body),
    "cgi": parts,
}

for line in sys.stdin:
    request = json.loads(line)
    answer = {}
    for name, read in READERS.items():
        try:
            answer[name] = [list(pair) for pair in read(bytes.fromhex(request["body"]), request["type"])]
        except Exception:  # a reader that refuses the body reads nothing in it
            continue
    print(json.dumps(answer), flush=True)
