# http.client reads no proxy variables: a program opens the tunnel.
import http.client, os
from urllib.parse import urlsplit
url, proxy = urlsplit(os.environ["URL"]), os.environ.get("HTTPS_PROXY")
if proxy and "TRUST_ENV" in os.environ:
    conn = http.client.HTTPSConnection(urlsplit(proxy).hostname, urlsplit(proxy).port, timeout=30)
    conn.set_tunnel(url.hostname, 443)
else:
    conn = http.client.HTTPSConnection(url.hostname, timeout=30)
conn.request("GET", url.path)
print(conn.getresponse().read().decode())
