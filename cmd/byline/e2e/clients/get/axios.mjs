import axios from "axios"
console.log((await axios.get(process.env.URL, { responseType: "text" })).data)
