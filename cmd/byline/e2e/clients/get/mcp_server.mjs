import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
const server = new McpServer({ name: "pages", version: "1" })
server.registerTool("get", { description: "Gets the page" }, async () => {
  try {
    return { content: [{ type: "text", text: await (await fetch(process.env.URL)).text() }] }
  } catch (e) {
    return { content: [{ type: "text", text: String(e.cause ?? e) }] }
  }
})
await server.connect(new StdioServerTransport())
