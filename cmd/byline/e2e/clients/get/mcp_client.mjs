// The SDK starts a server with a few variables only, so the program hands the rest on.
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
const client = new Client({ name: "agent", version: "1" })
await client.connect(new StdioClientTransport({ command: "node", args: ["mcp_server.mjs"], env: { ...process.env } }))
const result = await client.callTool({ name: "get", arguments: {} })
console.log(result.content[0].text)
await client.close()
