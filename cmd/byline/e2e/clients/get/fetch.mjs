const answer = await fetch(process.env.URL)
console.log(await answer.text())
