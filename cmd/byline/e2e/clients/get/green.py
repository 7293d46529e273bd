# Says hello if the first pixel of a picture is green (PNG, 8 bits a channel, no interlace).
import os, struct, sys, zlib
if not os.path.exists(sys.argv[1]):
    sys.exit("no page was shown")
data, i, packed = open(sys.argv[1], "rb").read(), 8, b""
while i < len(data):
    size, kind = struct.unpack(">I4s", data[i:i + 8])
    packed += data[i + 8:i + 8 + size] if kind == b"IDAT" else b""
    i += 12 + size
row = zlib.decompress(packed)[1:4]
print("hello agent-01" if row[1] > row[0] + 50 and row[1] > row[2] + 50 else "another page")
