"""What the form parsers of Python read. See ../README.md."""

import contextlib
import io
import json
import logging
import struct
import sys
import warnings
import xml.etree.ElementTree

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import cgi
import urllib.parse

import django.conf
import django.core.handlers.wsgi
import django.http.multipartparser
import multipart
import tornado.httputil
import werkzeug

django.conf.settings.configure(
    DATA_UPLOAD_MAX_NUMBER_FIELDS=None,
    DATA_UPLOAD_MAX_NUMBER_FILES=None,
    FILE_UPLOAD_HANDLERS=["django.core.files.uploadhandler.MemoryFileUploadHandler"],
)


def hexed(text):
    if text is None:
        text = ""
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogateescape")
    return bytes(text).hex()


def environ(content_type, query, body):
    env = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "QUERY_STRING": query.decode("latin-1"),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
    if content_type:
        env["CONTENT_TYPE"] = content_type.decode("latin-1")
    return env


def read_django(content_type, query, body):
    request = django.core.handlers.wsgi.WSGIRequest(environ(content_type, query, body))
    fields, files = request.POST, request.FILES  # POST decides which charset GET is read in
    return {
        "query": [[n, v] for n, values in request.GET.lists() for v in values],
        "fields": [[n, v] for n, values in fields.lists() for v in values],
        "files": [[n, f.name, f.content_type, f.read()] for n, values in files.lists() for f in values],
    }


def read_werkzeug(content_type, query, body):
    request = werkzeug.Request(environ(content_type, query, body))
    return {
        "query": list(request.args.items(multi=True)),
        "fields": list(request.form.items(multi=True)),
        "files": [[n, f.filename, f.mimetype, f.read()] for n, f in request.files.items(multi=True)],
    }


def read_cgi(content_type, query, body):
    env = environ(content_type, b"", body)
    storage = cgi.FieldStorage(fp=io.BytesIO(body), environ=env, keep_blank_values=True)
    fields, files = [], []
    for item in storage.list or []:
        if item.filename is not None:
            files.append([item.name, item.filename, item.type, item.value])
        elif item.list is not None:
            fields.extend([part.name, part.value] for part in item.list)
        else:
            fields.append([item.name, item.value])
    return {"query": urllib.parse.parse_qsl(query.decode("latin-1"), keep_blank_values=True), "fields": fields, "files": files}


def read_tornado(content_type, query, body):
    fields, files = {}, {}
    tornado.httputil.parse_body_arguments(content_type.decode("latin-1"), body, fields, files)
    arguments = tornado.escape.parse_qs_bytes(query.decode("latin-1"), keep_blank_values=True)
    if not content_type.startswith(b"multipart/"):
        fields = {n.encode("latin-1"): values for n, values in fields.items()}
    return {
        "query": [[n.encode("latin-1"), v] for n, values in arguments.items() for v in values],
        "fields": [[n, v] for n, values in fields.items() for v in values],
        "files": [[n, f.filename, f.content_type, f.body] for n, values in files.items() for f in values],
    }


def read_python_multipart(content_type, query, body):
    if not content_type.startswith(b"multipart/"):
        raise ValueError("not multipart")
    fields, files = [], []

    def on_file(f):
        f.file_object.seek(0)
        files.append([f.field_name, f.file_name, "", f.file_object.read()])

    multipart.parse_form(
        {"Content-Type": content_type, "Content-Length": str(len(body))},
        io.BytesIO(body),
        lambda f: fields.append([f.field_name, f.value or b""]),
        on_file,
    )
    return {"query": [], "fields": fields, "files": files}


def describe(element, outer=""):
    children = list(element)
    text = (element.text or "") + "".join(child.tail or "" for child in children)
    name = element.tag if element.tag.startswith("{") else "{}" + element.tag
    attributes = "".join(
        sorted(" %s=<%s>" % (n if n.startswith("{") else "{}" + n, v) for n, v in element.attrib.items())
    )
    return "%s <%s>%s [%s]" % (name, text, attributes, " ".join(describe(child) for child in children))


def read_tree(content_type, body):
    if b"json" in content_type:
        return {"json": {"tree": hexed(json.dumps(json.loads(body)))}}
    return {"elementtree": {"tree": hexed(describe(xml.etree.ElementTree.fromstring(body)))}}


def readable(result):
    return {kind: [[hexed(text) for text in entry] for entry in entries] for kind, entries in result.items()}


FORM_READERS = {
    "django": read_django,
    "werkzeug": read_werkzeug,
    "python cgi": read_cgi,
    "tornado": read_tornado,
    "python-multipart": read_python_multipart,
}


def answer(content_type, query, body):
    if b"json" in content_type or b"xml" in content_type:
        try:
            return read_tree(content_type, body)
        except Exception as e:
            return {"json" if b"json" in content_type else "elementtree": {"error": repr(e)}}
    answers = {}
    for name, read in FORM_READERS.items():
        try:
            answers[name] = readable(read(content_type, query, body))
        except Exception as e:
            answers[name] = {"error": repr(e)}
    return answers


def main():
    requests, answers = sys.stdin.buffer, sys.stdout
    sys.stdout = sys.stderr
    while True:
        texts = []
        for _ in range(3):
            length = requests.read(4)
            if not length:
                return
            texts.append(requests.read(struct.unpack(">I", length)[0]))
        with contextlib.redirect_stderr(io.StringIO()):
            line = json.dumps(answer(*texts))
        answers.write(line + "\n")
        answers.flush()


main()
