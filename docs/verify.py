#!/usr/bin/env python3
"""Verify a Byline audit log, or a proof from it, from proxy/audit/FORMAT.md alone.

    verify.py [--kept FILE]... [--witness VKEY]... [--quorum N] --key FILE-OR-VKEY... LOG-FOLDER...
    verify.py [--witness VKEY]... [--quorum N] --key FILE-OR-VKEY... BUNDLE

Several folders are one log: that of its writer, and those to which segments were moved.
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
ORDER = ("v seq task_seq prev time wall id kind instance agent sponsor task grant purpose scope identified adapter adapter_digest policy_digest "
         "action resource privileged method host path stripped account lease decision intent count status bytes_up bytes_down messages_up messages_down "
         "duration_us code detail cut key tasks segment checkpoint frontier").split()
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
    "tasks": lambda v: all_of(v, lambda t: has(t, "task seq") and is_text(t["task"]) and is_int(t["seq"], 0, 2**64)),
    "segment": lambda v: has(v, "first next bytes sha256 root") and v["next"] != 0 and is_text(v["sha256"]) and is_text(v["root"])
               and all(is_int(v[k], 0, 2**64) for k in ("first", "next", "bytes"))})

def record(line):
    need(len(line) <= 65535, "line is too long")
    r = json.loads(line.decode("utf-8"))
    need(isinstance(r, dict) and form(r).encode("utf-8", "replace") == line, "not in the one form")
    need([k for k in ORDER if k in r] == list(r), "unknown members, or out of order")
    need(all(k in r for k in "v seq prev time id kind".split()) and r["v"] == 1, "a member is missing, or another version")
    for k, v in r.items():
        need(GOOD.get(k, lambda v: is_int(v) and v)(v), "member %s is not as it must be" % k)
    good = all(re.fullmatch("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z", t, re.A) and datetime.fromisoformat(t[:-1]) for t in (r["time"], r.get("wall", r["time"])))
    need(good and re.fullmatch("[0-9a-f]{64}", r["prev"]) and r.get("wall", "") < r["time"], "prev, time or wall is not as it must be")
    return r

# --- A log ---
def node(a, b): return sha(b"\x01" + a + b)

def fold(full):
    """The root over full subtrees, from left to right."""
    r = full[-1] if full else sha(b"")
    for left in full[-2::-1]:
        r = node(left, r)
    return r

def full_root(row):
    """The root over a row of hashes, whose number is a power of two."""
    while len(row) > 1:
        row = [node(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]

class Kept:
    """A checkpoint that the log must still hold: given, or published next to the log."""
    def __init__(self, note, path=None):
        self.note, self.path, self.c = note, path, checkpoint(note) if passes(checkpoint, note) else None
        self.seen = self.differs = False

class Log:
    def __init__(self, keys, kept):
        self.given, self.later, self.key, self.kept = keys, [], keys[0], kept
        self.seq, self.head, self.time, self.full, self.leaves = 0, bytes(32), "", [], []  # full: (leaves, root), left to right
        self.tasks, self.opening, self.sealed, self.last = {}, None, None, {}
        self.start, self.resumed, self.before, self.roots, self.breaks = 0, False, [], {}, []
    def root(self): return fold([h for _, h in self.full])
    def resume(self, line, first):
        """Begin at a segment other than the first: its checkpoint vouches for what came before."""
        r = record(line)
        need(r["kind"] == "checkpoint", "a segment begins with a checkpoint")
        self.key = ([k for k in self.given if passes(k.opens, r.get("checkpoint", ""))] or self.given)[0]
        c = self.key.opens(r.get("checkpoint", ""))
        bits, roots = [1 << i for i in range(63, -1, -1) if c[1] >> i & 1], [unbase64(f) for f in r.get("frontier", [])]
        need(c[1] == first and len(bits) == len(roots) and all(len(h) == 32 for h in roots), "the first checkpoint does not fit its segment")
        self.full, self.seq, self.head, self.start, self.resumed = list(zip(bits, roots)), c[1], bytes.fromhex(c[3]), c[1], True
        self.before = list(self.full)
    def take(self, line, first):
        r = record(line)
        need(r["seq"] == self.seq, "seq is %d, want %d" % (r["seq"], self.seq))
        need(("checkpoint" in r) == (r["kind"] in ("checkpoint", "cosigned", "rollback")), "a record of another kind has a checkpoint")
        need(r["prev"] == self.head.hex(), "prev is not the hash of the line before")
        need(r["time"] >= self.time, "time is before that of the line before")
        starts = r["kind"] == "checkpoint" and r.get("code") in ("segment", "key")
        need(starts == (first and self.seq > 0), "a segment begins with a checkpoint that says so, and no other line does")
        self.count(r, starts)
        if r["kind"] == "checkpoint": self.check(r, line)
        if r["kind"] == "cosigned":
            need(checkpoint(r["checkpoint"])[1] < self.seq and self.ours(r["checkpoint"]), "not a checkpoint of this log")
        if r["kind"] == "rollback":
            self.breaks.append((self.seq, checkpoint(r["checkpoint"]), r))
            need(self.breaks[-1][1][0] == self.origin(), "the lost checkpoint has another origin")
            need([unbase64(f) for f in r.get("frontier", [])] == [h for _, h in self.full], "frontier is not that of the tree")
        if r["kind"] == "archived":
            s = r.get("segment", {"first": 0, "next": 0})
            need(s["first"] < s["next"], "no segment was archived")
            need(s["next"] < self.start or self.roots.get(s["next"]) == s["root"], "a segment was archived under another root, or none ends there")
        if starts: self.roots[self.seq] = base64.b64encode(self.root()).decode()
        for k in self.kept:
            if k.c and k.c[1] == self.seq:
                k.seen, k.differs = True, not (r["kind"] == "checkpoint" and k.c[:4] == self.last["c"][:4])
        leaf = sha(b"\x00" + line)
        self.leaves.append(leaf)
        self.head, self.time, n = leaf, r["time"], 1
        while self.full and self.full[-1][0] == n:
            leaf, n = node(self.full.pop()[1], leaf), 2 * n
        self.full.append((n, leaf))
        self.seq, self.last = self.seq + 1, dict(self.last, r=r)
    def count(self, r, starts):
        if r["kind"] == "counts":
            need(self.opening is not None and "task" not in r, "counts stand only at the start of a segment")
            for t in r.get("tasks", []):
                need(self.opening == "unknown" or self.opening.get(t["task"]) == t["seq"], "counts do not agree")
                self.tasks[t["task"]] = t["seq"]
        else:
            self.opening = ("unknown" if self.resumed else self.tasks) if starts else None
            self.resumed, self.tasks = False, {} if starts else self.tasks
        n = self.tasks.get(r["task"], 0) + 1 if "task" in r else 0
        need(r.get("task_seq", 0) == n, "task_seq is %d, want %d" % (r.get("task_seq", 0), n))
        self.tasks.update({r["task"]: n} if n else {})
    def check(self, r, line):
        c = self.key.opens(r.get("checkpoint", ""))
        need(r.get("code") in ("interval", "close", "segment", "key"), "the checkpoint's code is unknown")
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
            self.key, self.later = following, self.later + [following]
        self.sealed, self.last = c, {"c": c}
    def ours(self, note):
        return any(passes(k.opens, note) for k in self.given + self.later)
    def origin(self): return self.sealed[0] if self.sealed else self.given[0].name
    def accepted(self):
        """The rollbacks that count: those that a checkpoint covers."""
        return [b for b in self.breaks if self.sealed and b[0] < self.sealed[1]]
    def judge(self, k, end):
        """What a kept checkpoint shows: a bad record and why, or nothing."""
        if not (end or k.differs):
            return
        if k.c is None:
            return self.seq, "%s is not a checkpoint of this log" % k.path
        if any(k.c[:4] == b[1][:4] for b in self.accepted()):
            return
        if not self.ours(k.note):
            need(k.path or k.c[0] == self.origin(), "a kept checkpoint is not this log's")
            return min(k.c[1], self.seq), "none of the log's keys signed %s" % (k.path or "a kept checkpoint")
        if k.c[1] < self.start:
            return need(k.path, "the records that a kept checkpoint covers are not in these folders")
        if not k.seen:
            return self.seq, "the log ends before a kept checkpoint of %d records" % k.c[1]
        return (k.c[1], "the records before are not those of the kept checkpoint") if k.differs else None
    def judge_all(self, end, others=[]):
        found = [f for f in (self.judge(k, end) for k in self.kept) if f] + others
        if found:
            raise Bad("first bad record is seq %d: %s" % min(found))

def published(folder):
    """The notes next to a log. Files that hold nothing are what a crash left."""
    for name in sorted(os.listdir(os.path.join(folder, "tiles")) if os.path.isdir(os.path.join(folder, "tiles")) else []):
        if re.fullmatch("checkpoint(\\.witnessed)?(\\.(ahead|accepted)-.*)?", name):
            note = content(os.path.join(folder, "tiles", name))
            if note.strip("\0"):
                yield Kept(note, os.path.join(folder, "tiles", name))

def tile_path(folder, level, n):
    parts = ["%03d" % (n % 1000)]
    while n >= 1000:
        n //= 1000
        parts.insert(0, "x%03d" % (n % 1000))
    return os.path.join(folder, "tiles", "tile", str(level), *parts)

def read_tile(path, known, wrong):
    """The hashes of a tile, also from a wider one. It calls wrong with the number of the first one that is
    not what is known of it, with 0 if a file is missing or has another length than its name says."""
    width, files = len(known), {256: path} if os.path.exists(path) else {}
    files.update({int(w): os.path.join(path + ".p", w) for w in (os.listdir(path + ".p") if os.path.isdir(path + ".p") else []) if w.isdigit()})
    tiles = {w: open(files[w], "rb").read() for w in sorted(files)}
    wide = ([b for w, b in tiles.items() if w >= width and len(b) >= 32 * width] or [bytes(32 * width)])[0]
    if not any(w >= width and len(b) >= 32 * width for w, b in tiles.items()):
        wrong(0, "%s is missing" % path)
    for w, b in tiles.items():
        if len(b) != 32 * w and not width < w < 256:
            wrong(0, "%s has another length than it must have" % files[w])
        elif w <= width or b == wide:
            for i in range(min(w, width)):
                if b[32 * i:32 * i + 32] != (known[i] or wide[32 * i:32 * i + 32]):
                    wrong(i, "%s does not hold the hashes of the records" % files[w])
                    break
    return [known[i] or wide[32 * i:32 * i + 32] for i in range(width)]

def check_tiles(folder, c, log):
    """Each tile holds the hashes of the records or the roots of the tiles below. Of records that are not
    there, the tiles must have the roots that the first checkpoint signs. Returns what is wrong."""
    found, levels, known = [], [], [None] * log.start + log.leaves
    while c[1] >> 8 * len(levels) and log.start <= c[1] <= log.seq:
        level, count, hashes = len(levels), c[1] >> 8 * len(levels), []
        for t in range(0, count, 256):
            hashes += read_tile(tile_path(folder, level, t // 256), known[t:min(t + 256, count)],
                                lambda i, why: found.append((t + i << 8 * level, why)))
        levels.append(hashes)
        known = [full_root(hashes[t:t + 256]) for t in range(0, count - 255, 256)]
    first = 0
    for n, root in log.before if levels else []:
        level = (n.bit_length() - 1) // 8
        at = first >> 8 * level
        if full_root(levels[level][at:at + (n >> 8 * level)]) != root:
            found.append((first, "the tiles in %s do not have the root that was signed" % folder))
            break
        first += n
    return found

def verify_log(folders, keys, kept, witnesses, quorum):
    notes = [k for folder in folders for k in published(folder)]
    need(all(passes(checkpoint, n) for n in kept), "a kept checkpoint is not a checkpoint")
    log, torn, files = Log(keys, [Kept(n) for n in kept] + notes), 0, {}
    for folder in folders:
        for name in os.listdir(folder):
            if name.startswith("seg-") and not name.endswith(".jsonl.part"):
                need(re.fullmatch("seg-[0-9]{20}\\.jsonl", name), "%s is not the name of a segment" % name)
                files.setdefault(name, []).append(os.path.join(folder, name))
    need(files, "%s holds no log" % ", ".join(folders))
    for i, name in enumerate(sorted(files)):
        try:
            if i == 0 and int(name[4:24]) > 0:
                log.seq = int(name[4:24])
                log.resume(open(files[name][0], "rb").readline()[:-1], log.seq)
            need(name == "seg-%020d.jsonl" % log.seq, "%s: a segment is missing or was cut" % name)
            with open(files[name][0], "rb") as f:
                for n, line in enumerate(f):
                    if b"\x00" in line or not line.endswith(b"\n"):
                        torn = len((line + f.read()).rstrip(b"\x00"))
                        need(i == len(files) - 1 and torn <= 32 << 20, "bytes that are not records")
                        break
                    log.take(line[:-1], n == 0)
        except (Bad, ValueError) as e:
            log.judge_all(False, [(log.seq, "%s: %s" % (name, e))])
        copies = [open(f, "rb").read().rstrip(b"\x00").split(b"\n") for f in files[name]]
        for other in copies[1:]:
            same = [a == b for a, b in zip(copies[0] + [None], other + [None])]
            if not all(same):
                log.judge_all(False, [(int(name[4:24]) + same.index(False), "the copies of %s differ" % name)])
    log.judge_all(True)  # what is wrong with the records comes before what is wrong with the tiles
    log.judge_all(True, [f for k in notes if os.path.basename(k.path) == "checkpoint"
                         for f in check_tiles(os.path.dirname(os.path.dirname(k.path)), k.c, log)])
    count = max([witnessed(k.note, witnesses) for k in notes if re.fullmatch("checkpoint(\\.witnessed)?", os.path.basename(k.path))], default=0)
    need(count >= quorum, "too few witnesses have signed")
    closed = log.last["r"].get("code") == "close" and log.last["r"]["kind"] == "checkpoint" and not torn
    said = "%d records, sealed up to %s, %s" % (log.seq - log.start, log.sealed and log.sealed[1], "closed" if closed else "not closed")
    said += ", starts at record %d" % log.start if log.start else ""
    return said + "".join("; ACCEPTED BREAK: a tree of %d records was lost, accepted in record %d by %s at %s" %
                          (c[1], seq, r.get("sponsor"), r["time"]) for seq, c, r in log.accepted())

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

def content(s): return open(s, encoding="utf-8", errors="surrogateescape", newline="").read() if os.path.exists(s) else s

def main():
    a = argparse.ArgumentParser(usage=__doc__)
    for flag in ("--key", "--kept", "--witness"):
        a.add_argument(flag, action="append", default=[], required=flag == "--key")
    a.add_argument("--quorum", type=int, default=0)
    a.add_argument("what", nargs="+")
    o = a.parse_args()
    try:
        keys = [Key(k, 1) for s in o.key for k in content(s).split()]
        witnesses = [Key(k, 4) for s in o.witness for k in content(s).split()]
        if all(map(os.path.isdir, o.what)):
            print("ok:", verify_log(o.what, keys, list(map(content, o.kept)), witnesses, o.quorum))
        else:
            need(len(o.what) == 1, "%s is not a folder" % [w for w in o.what if not os.path.isdir(w)][0])
            print("ok:", verify_bundle(content(o.what[0]), keys, witnesses, o.quorum))
    except (Bad, ValueError) as e:
        sys.exit(print("BAD:", e) or 1)

if __name__ == "__main__":
    main()
