# urllib3 reads no proxy variables: a program names the proxy.
import os, urllib3
proxy = os.environ.get("HTTPS_PROXY") if "TRUST_ENV" in os.environ else None
pool = urllib3.ProxyManager(proxy, ca_certs=os.environ["SSL_CERT_FILE"]) if proxy else urllib3.PoolManager(ca_certs=os.environ["SSL_CERT_FILE"])
print(pool.request("GET", os.environ["URL"], retries=False).data.decode())
