#!/usr/bin/env python3
"""Verify a Byline audit log, or a proof from it, from proxy/audit/FORMAT.md alone.

    verify.py [--kept FILE]... [--witness VKEY]... [--quorum N] --key FILE-OR-VKEY... LOG-FOLDER-OR-BUNDLE

It shares no code with Byline and needs nothing but Python 3.9. Exit 0: nothing was
found. Exit 1: something was; it names the first bad record. Exit 2: wrong usage.
"""
import argparse, base64, hashlib, json, os, re, sys
from datetime import datetime

# --- Ed25519 (RFC 8032 section 5.1), verification only ---
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
I = pow(2, (P - 1) // 4, P)

def point(y, sign):
    if y >= P: return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * I % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    return (x, y, 1, x * y % P) if x & 1 == sign else (P - x, y, 1, (P - x) * y % P)

def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    return ((b - a) * (d - c) % P, (d + c) * (b + a) % P, (d - c) * (d + c) % P, (b - a) * (b + a) % P)

def mul(n, p):
    q = (0, 1, 1, 0)
    while n:
        q, p, n = add(q, p) if n & 1 else q, add(p, p), n >> 1
    return q

BASE = point(4 * pow(5, P - 2, P) % P, 0)

def signed_by(key, sig, message):
    n, s = int.from_bytes(key, "little"), int.from_bytes(sig[32:], "little")
    a = point(n % 2**255, n >> 255)
    if len(sig) != 64 or a is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(sig[:32] + key + message).digest(), "little") % L
    x, y, z, _ = add(mul(s, BASE), mul(k, (P - a[0], a[1], a[2], P - a[3])))
    i = pow(z, P - 2, P)
    return (y * i % P | (x * i % P & 1) << 255).to_bytes(32, "little") == sig[:32]

# --- Notes, keys, checkpoints ---
class Bad(Exception): pass
def need(ok, why):
    if not ok: raise Bad(why)

def passes(test, v):
    try:
        return test(v) is not False
    except (Bad, ValueError):
        return False

def sha(b): return hashlib.sha256(b).digest()
def unbase64(s):
    b = base64.b64decode(s, validate=True)
    need(base64.b64encode(b).decode() == s, "not base64 in its one form")
    return b

class Key:
    """A verifier key: name+hash+base64. kind 1 is a log's, 4 a witness's."""
    def __init__(self, vkey, kind):
        parts = vkey.strip().split("+", 2)
        need(len(parts) == 3, "not a verifier key")
        self.text, self.name, raw = vkey.strip(), parts[0], unbase64(parts[2])
        need(len(raw) == 33 and raw[0] == kind, "not a verifier key of this kind")
        self.raw, self.hash = raw[1:], sha(self.name.encode() + b"\n" + raw)[:4]
        need(self.hash.hex() == parts[1], "a verifier key's hash is wrong")
    def signature(self, note):
        """The signature by this key on a note, and the note's text."""
        text, mark, sigs = note.rpartition("\n\n")
        need(mark and sigs.endswith("\n"), "not a signed note")
        for line in sigs[:-1].split("\n"):
            m = re.fullmatch("— (\\S+) (\\S+)", line)
            need(m, "not a signature line")
            raw = unbase64(m[2])
            if m[1] == self.name and raw[:4] == self.hash:
                return raw[4:], text + "\n"
        raise Bad("%s has not signed it" % self.name)
    def opens(self, note):
        sig, text = self.signature(note)
        need(signed_by(self.raw, sig, text.encode()), "the signature of %s is wrong" % self.name)
        return checkpoint(note, self.name)
    def cosigned(self, note):
        sig, text = self.signature(note)
        text = "cosignature/v1\ntime %d\n%s" % (int.from_bytes(sig[:8], "big"), text)
        need(signed_by(self.raw, sig[8:], text.encode()), "the signature of %s is wrong" % self.name)

def checkpoint(note, name=None):
    m = re.fullmatch("([^\n]+)\n(0|[1-9][0-9]*)\n([^\n]+)\nchain sha256:([0-9a-f]{64})\nrecord sha256:([0-9a-f]{64})", note.rpartition("\n\n")[0])
    need(m and len(unbase64(m[3])) == 32, "not a checkpoint")
    need(name in (None, m[1]), "the checkpoint's origin is %r" % m[1])
    return m[1], int(m[2]), unbase64(m[3]), m[4], m[5]

# --- Lines in their one form ---
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
SPECIAL = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029]')
ORDER = ("v seq task_seq prev time id kind instance agent sponsor task grant purpose scope adapter adapter_digest policy_digest action resource "
         "privileged method host path stripped account lease decision intent count status bytes_up bytes_down messages_up messages_down "
         "duration_us code detail cut key tasks checkpoint frontier").split()
NUMBERS = "v count status bytes_up bytes_down messages_up messages_down duration_us cut".split()

def form(v):
    if isinstance(v, str):
        return '"' + SPECIAL.sub(lambda m: ESCAPES.get(m[0]) or "\\u%04x" % ord(m[0]), v) + '"'
    if isinstance(v, (list, dict)):
        parts = map(form, v) if isinstance(v, list) else (form(k) + ":" + form(x) for k, x in v.items())
        return ("[%s]" if isinstance(v, list) else "{%s}") % ",".join(parts)
    return "true" if v is True else str(v) if type(v) is int else "?"

def is_text(v): return isinstance(v, str)
def is_int(v, low=-2**63, top=2**63): return type(v) is int and low <= v < top
def all_of(v, test): return isinstance(v, list) and len(v) > 0 and all(map(test, v))
def texts(v): return all_of(v, is_text)
def has(v, *orders): return isinstance(v, dict) and " ".join(v) in orders

GOOD = {k: lambda v: is_text(v) and v for k in ORDER if k not in NUMBERS}
GOOD.update({
    "id": is_text, "kind": is_text, "seq": lambda v: is_int(v, 0, 2**64), "task_seq": lambda v: is_int(v, 1, 2**64),
    "scope": texts, "frontier": texts, "privileged": lambda v: v is True,
    "stripped": lambda v: all_of(v, lambda s: has(s, "in name fingerprint", "in name fingerprint person") and texts(list(s.values())) and s.get("person") != ""),
    "decision": lambda v: has(v, "effect", "effect policies") and is_text(v["effect"]) and (texts(v["policies"]) if "policies" in v else v["effect"]),
    "tasks": lambda v: all_of(v, lambda t: has(t, "task seq") and is_text(t["task"]) and is_int(t["seq"], 0, 2**64))})

def record(line):
    need(len(line) <= 65535, "line is too long")
    r = json.loads(line.decode("utf-8"))
    need(isinstance(r, dict) and form(r).encode("utf-8", "replace") == line, "not in the one form")
    need([k for k in ORDER if k in r] == list(r), "unknown members, or out of order")
    need(all(k in r for k in "v seq prev time id kind".split()) and r["v"] == 1, "a member is missing, or another version")
    for k, v in r.items():
        need(GOOD.get(k, lambda v: is_int(v) and v)(v), "member %s is not as it must be" % k)
    good = re.fullmatch("[0-9a-f]{64}", r["prev"]) and re.fullmatch("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z", r["time"], re.A)
    need(good and datetime.fromisoformat(r["time"][:-1]), "prev or time is not as it must be")
    return r

# --- A log ---
def node(a, b): return sha(b"\x01" + a + b)

class Log:
    def __init__(self, keys, kept):
        self.keys, self.key = keys[:1], keys[0]
        self.kept = [[checkpoint(n), n, False] for n in kept]
        self.seq, self.head, self.time, self.full = 0, bytes(32), "", []  # full: (leaves, root), left to right
        self.tasks, self.opening, self.sealed, self.last = {}, None, None, {}
    def root(self):
        r = self.full[-1][1] if self.full else sha(b"")
        for _, left in self.full[-2::-1]:
            r = node(left, r)
        return r
    def take(self, line, first):
        r = record(line)
        need(r["seq"] == self.seq, "seq is %d, want %d" % (r["seq"], self.seq))
        need(("checkpoint" in r) == (r["kind"] in ("checkpoint", "cosigned")), "a record of another kind has a checkpoint")
        need(r["prev"] == self.head.hex(), "prev is not the hash of the line before")
        need(r["time"] >= self.time, "time is before that of the line before")
        starts = r["kind"] == "checkpoint" and r.get("code") in ("segment", "key")
        need(starts == (first and self.seq > 0), "a segment begins with a checkpoint that says so, and no other line does")
        self.count(r, starts)
        if r["kind"] == "checkpoint": self.check(r, line)
        if r["kind"] == "cosigned":
            need(checkpoint(r.get("checkpoint", ""))[1] < self.seq and self.ours(r["checkpoint"]), "not a checkpoint of this log")
        for k in self.kept:
            if k[0][1] == self.seq:
                k[2] = True
                need(r["kind"] == "checkpoint" and k[0][:4] == self.last["c"][:4] or not self.ours(k[1]), "the records before are not those of the kept checkpoint")
        leaf = sha(b"\x00" + line)
        self.head, self.time, n = leaf, r["time"], 1
        while self.full and self.full[-1][0] == n:
            leaf, n = node(self.full.pop()[1], leaf), 2 * n
        self.full.append((n, leaf))
        self.seq, self.last = self.seq + 1, dict(self.last, r=r)
    def count(self, r, starts):
        if r["kind"] == "counts":
            need(self.opening is not None and "task" not in r, "counts stand only at the start of a segment")
            for t in r.get("tasks", []):
                need(self.opening.get(t["task"]) == t["seq"], "counts do not agree")
                self.tasks[t["task"]] = t["seq"]
        else:
            self.opening = self.tasks if starts else None
            self.tasks = {} if starts else self.tasks
        n = self.tasks.get(r["task"], 0) + 1 if "task" in r else 0
        need(r.get("task_seq", 0) == n, "task_seq is %d, want %d" % (r.get("task_seq", 0), n))
        self.tasks.update({r["task"]: n} if n else {})
    def check(self, r, line):
        c = self.key.opens(r.get("checkpoint", ""))
        need(self.sealed is None or c[0] == self.sealed[0], "the origin has changed")
        need(c[1:4] == (self.seq, self.root(), self.head.hex()), "the lines before it are not those that were signed")
        rest = line.replace(b',"checkpoint":' + form(r["checkpoint"]).encode(), b"")
        need(sha(rest).hex() == c[4], "the record around the checkpoint is not the one that was signed")
        need([unbase64(f) for f in r.get("frontier", [])] == [h for _, h in self.full], "frontier is not that of the tree")
        need(("key" in r) == (r.get("code") == "key"), "a key is announced by a checkpoint with code key alone")
        if "key" in r:
            following = Key(r["key"], 1)
            need(following.name == c[0], "the announced key has another name")
            following.opens(r["checkpoint"])
            self.key, self.keys = following, self.keys + [following]
        self.sealed, self.last = c, {"c": c}
    def ours(self, note):
        return any(passes(k.opens, note) for k in self.keys)

def verify_log(folder, keys, kept, witnesses, quorum):
    published = [os.path.join(folder, "tiles", n) for n in ("checkpoint", "checkpoint.witnessed")]
    notes = [n for n in map(content, filter(os.path.exists, published)) if passes(checkpoint, n)]  # other files prove nothing
    log, torn = Log(keys, kept + notes), 0
    names = sorted(n for n in os.listdir(folder) if n.startswith("seg-"))
    need(names, "%s holds no log" % folder)
    for i, name in enumerate(names):
        try:
            need(name == "seg-%020d.jsonl" % log.seq, "%s: a segment is missing or was cut" % name)
            with open(os.path.join(folder, name), "rb") as f:
                for n, line in enumerate(f):
                    if b"\x00" in line or not line.endswith(b"\n"):
                        torn = len((line + f.read()).rstrip(b"\x00"))
                        need(i == len(names) - 1 and torn <= 32 << 20, "bytes that are not records")
                        break
                    log.take(line[:-1], n == 0)
        except (Bad, ValueError) as e:
            raise Bad("%s: first bad record is seq %d: %s" % (name, log.seq, e))
    for c, note, seen in log.kept:
        need(seen or not log.ours(note), "first bad record is seq %d: the log ends before a kept checkpoint of %d records" % (log.seq, c[1]))
    need(all(map(log.ours, kept)), "a kept checkpoint is not this log's")
    need(max([witnessed(n, witnesses) for n in notes if log.ours(n)], default=0) >= quorum, "too few witnesses have signed")
    closed = log.last["r"].get("code") == "close" and log.last["r"]["kind"] == "checkpoint" and not torn
    return "%d records, sealed up to %s, %s" % (log.seq, log.sealed and log.sealed[1], "closed" if closed else "not closed")

# --- Proofs ---
def witnessed(note, witnesses): return sum(passes(w.cosigned, note) for w in witnesses)
def opened(note, keys):
    return ([k for k in keys if passes(k.opens, note)] or keys)[0].opens(note)

def climb(fn, sn, proof, rights, r):
    """Up the tree from node fn of a level whose last is sn (RFC 9162 sections 2.1.3.2 and 2.1.4.2).
    rights says for each root in r whether nodes to its right belong to it."""
    for p in proof:
        need(sn, "the proof is too long")
        left = fn & 1 or fn == sn
        r = [node(p, x) if left else node(x, p) if right else x for x, right in zip(r, rights)]
        while left and not fn & 1 and fn:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the proof is too short")
    return r

def consistent(m, n, old, new, proof):
    if m in (0, n):
        return not proof and old == (new if m else sha(b""))
    proof = [old] + proof if m & (m - 1) == 0 else proof
    need(proof, "the proof is too short")
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return climb(fn, sn, proof[1:], (False, True), [proof[0]] * 2) == [old, new]

def verify_bundle(text, keys, witnesses, quorum):
    head, _, rest = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] == "byline-consistency@v1":
        old, mark, new = rest.partition("\n\n" + rest.split("\n")[0] + "\n")
        old, new = old + "\n", mark[2:] + new
        a, b = opened(old, keys), opened(new, keys)
        need(a[1] <= b[1] and consistent(a[1], b[1], a[2], b[2], list(map(unbase64, lines[1:]))), "the newer checkpoint does not go on from the older one")
        what = "%d records go on from %d" % (b[1], a[1])
    else:
        need(lines[0] == "c2sp.org/tlog-proof@v1" and len(lines) > 2 and lines[1][:6] == "extra " and re.fullmatch("index (0|[1-9][0-9]*)", lines[2]), "not a proof")
        line, index, new = unbase64(lines[1][6:]), int(lines[2][6:]), rest
        b = opened(new, keys)
        need(record(line)["seq"] == index < b[1], "the index is not the record's")
        need(climb(index, b[1] - 1, list(map(unbase64, lines[3:])), [True], [sha(b"\x00" + line)]) == [b[2]], "the record is not in the log")
        what = "record %s is in the log" % record(line)["id"]
    need(witnessed(new, witnesses) >= quorum, "too few witnesses have signed")
    return what

def content(s): return open(s, encoding="utf-8", newline="").read() if os.path.exists(s) else s

def main():
    a = argparse.ArgumentParser(usage=__doc__)
    for flag in ("--key", "--kept", "--witness"):
        a.add_argument(flag, action="append", default=[], required=flag == "--key")
    a.add_argument("--quorum", type=int, default=0)
    a.add_argument("what")
    o = a.parse_args()
    try:
        keys = [Key(k, 1) for s in o.key for k in content(s).split()]
        witnesses = [Key(k, 4) for s in o.witness for k in content(s).split()]
        if os.path.isdir(o.what):
            print("ok:", verify_log(o.what, keys, list(map(content, o.kept)), witnesses, o.quorum))
        else:
            print("ok:", verify_bundle(content(o.what), keys, witnesses, o.quorum))
    except (Bad, ValueError) as e:
        sys.exit(print("BAD:", e) or 1)

main()
