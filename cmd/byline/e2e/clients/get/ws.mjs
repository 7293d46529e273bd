// ws reads no proxy variables: a program gives it an agent.
import WebSocket from "ws"
import { HttpsProxyAgent } from "https-proxy-agent"
const agent = process.env.TRUST_ENV && process.env.HTTPS_PROXY ? new HttpsProxyAgent(process.env.HTTPS_PROXY) : undefined
const ws = new WebSocket(process.env.WS, { agent })
ws.on("open", () => ws.send("hello agent-01"))
ws.on("message", m => { console.log(String(m)); ws.close() })
ws.on("error", e => { console.error(String(e)); process.exit(1) })
