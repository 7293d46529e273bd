package e2e

// node24 is the newer of the two Node.js: that of PATH is Debian's.
const node24 = "node_modules/node24/bin/node"

// tableClients are the rows of docs/clients.md.
var tableClients = []tableClient{
	{name: "curl", version: "curl --version", command: `curl -sS "$URL"`},
	{name: "wget", version: "wget --version", command: `wget -nv -O - "$URL"`},
	{name: "git", version: "git --version", url: "/repo.git", want: "refs/heads/hello-agent-01", command: `git ls-remote "$URL"`},
	{name: "pip", version: "python3 -m pip --version", url: "/simple", want: "7.1", command: `python3 -m pip index versions --disable-pip-version-check --index-url "$URL" hello`},
	{name: "npm", version: "npm --version", url: "/npm/", command: `npm view --fetch-retries=0 --registry "$URL" hello`},
	{name: "npm, with cafile in .npmrc", version: "npm --version", url: "/npm/", command: `printf "cafile=/etc/ssl/certs/ca-certificates.crt\nregistry=%s\n" "$URL" >npmrc; npm view --fetch-retries=0 --userconfig npmrc hello`},
	{name: "yarn 1", version: "yarn --version", url: "/npm/", command: `npm_config_registry="$URL" YARN_REGISTRY="$URL" yarn info hello description`},
	{name: "pnpm", version: "pnpm --version", url: "/npm/", command: `pnpm view --registry "$URL" hello`},

	{name: "Python requests", version: python + " -c 'import requests; print(requests.__version__)'", command: python + " requests_get.py"},
	{name: "Python httpx", version: python + " -c 'import httpx; print(httpx.__version__)'", command: python + " httpx_get.py"},
	{name: "Python urllib", version: python + " --version", command: python + " urllib_request.py"},
	{name: "Python aiohttp", version: python + " -c 'import aiohttp; print(aiohttp.__version__)'", command: python + " aiohttp_get.py", set: "`trust_env=True`"},
	{name: "Python urllib3", version: python + " -c 'import urllib3; print(urllib3.__version__)'", command: python + " urllib3_get.py", set: "`ProxyManager`"},
	{name: "Python http.client", version: python + " --version", command: python + " http_client.py", set: "`set_tunnel`"},
	{name: "Python websockets", version: python + " -c 'import websockets.version as v; print(v.version)'", command: python + " websockets_get.py", fails: "this version knows no proxy (15 and later do)"},

	{name: "Node 20 fetch", version: "node --version", command: "node fetch.mjs"},
	{name: "Node 20 https", version: "node --version", command: "node https.cjs"},
	{name: "Node 24 fetch", version: node24 + " --version", command: node24 + " fetch.mjs"},
	{name: "Node 24 https", version: node24 + " --version", command: node24 + " https.cjs"},
	{name: "axios", version: `node -p 'require("axios/package.json").version'`, command: "node axios.mjs"},
	{name: "got", version: `node -p 'JSON.parse(fs.readFileSync("node_modules/got/package.json")).version'`, command: "node got.mjs"},
	{name: "undici", version: `node -p 'require("undici/package.json").version'`, command: "node undici.mjs", set: "`EnvHttpProxyAgent`"},
	{name: "ws", version: `node -p 'require("ws/package.json").version'`, command: "node ws.mjs", set: "`HttpsProxyAgent`"},
	{name: "openai", version: `node -p 'JSON.parse(fs.readFileSync("node_modules/openai/package.json")).version'`, command: "node openai.mjs"},
	{name: "MCP server over stdio", version: `node -p 'JSON.parse(fs.readFileSync("node_modules/@modelcontextprotocol/sdk/package.json")).version'`, command: "node mcp_client.mjs", set: "`env: process.env` for the server"},
	{name: "Deno", version: "deno --version", command: "deno run --quiet --no-check --allow-net --allow-env deno.ts"},
	{name: "Bun", version: "bun --version", command: "bun fetch.mjs"},

	{name: "grpcurl", version: "go version -m node_modules/.bin/grpcurl | grep -w mod", host: "grpc.example.com", command: `host=${URL#https://}; grpcurl -proto hello.proto "${host%%/*}:443" hello.Hello/Say`},
	{name: "Go net/http", version: "go version", command: "./nethttp"},
	{name: "Java HttpClient", version: "java --version", command: "java Client.java"},
	{name: "Java HttpsURLConnection", version: "java --version", command: "java Connection.java"},
	{name: "PHP curl", version: "php --version", command: "php curl.php"},
	{name: "PHP streams", version: "php --version", command: "php streams.php", set: "`proxy` in the context"},
	{name: "Ruby Net::HTTP", version: "ruby --version", command: "ruby net_http.rb"},
	{name: "Perl LWP", version: "perl -MLWP -e 'print LWP->VERSION'", command: "perl lwp.pl"},
	{name: "Perl HTTP::Tiny", version: "perl -MHTTP::Tiny -e 'print HTTP::Tiny->VERSION'", command: "perl tiny.pl"},
	{name: "AWS CLI", version: "/usr/bin/aws --version", url: "", command: `/usr/bin/aws --no-sign-request --region us-east-1 --endpoint-url "${URL%/hello}" s3api list-objects-v2 --bucket bucket`, env: []string{"AWS_MAX_ATTEMPTS=1"}},

	{name: "Playwright", version: `node -p 'require("playwright-core/package.json").version'`, command: "node playwright.cjs", set: "`proxy`, `HOME`", browser: true},
	{name: "Puppeteer", version: `node -p 'JSON.parse(fs.readFileSync("node_modules/puppeteer-core/package.json")).version'`, command: "node puppeteer.mjs", set: "`--proxy-server`, `HOME`", browser: true},
	{name: "Selenium", version: python + " -c 'import selenium; print(selenium.__version__)'", command: python + " selenium_get.py", set: "`--proxy-server`, `HOME`", browser: true},
	{name: "Chromium", version: "chromium --version 2>/dev/null", command: "sh chromium.sh", set: "`--proxy-server`, `HOME`", browser: true},
	{name: "Firefox", version: "firefox-esr --version", command: "sh firefox.sh", set: "a profile", browser: true},
	{name: "Firefox, by SOCKS", version: "firefox-esr --version", command: "sh firefox.sh socks", set: "a profile", browser: true},
}
