import os, urllib.request
print(urllib.request.urlopen(os.environ["URL"], timeout=30).read().decode())
