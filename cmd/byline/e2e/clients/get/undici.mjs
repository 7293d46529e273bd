import { EnvHttpProxyAgent, request, setGlobalDispatcher } from "undici"
if (process.env.HTTPS_PROXY) setGlobalDispatcher(new EnvHttpProxyAgent())
console.log(await (await request(process.env.URL)).body.text())
