import OpenAI from "openai"
const client = new OpenAI({ apiKey: "none", baseURL: new URL("/v1", process.env.URL).href, maxRetries: 0 })
console.log(JSON.stringify(await client.models.list()))
