import got from "got"
console.log(await got(process.env.URL, { retry: { limit: 0 } }).text())
