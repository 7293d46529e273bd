const answer = await fetch(Deno.env.get("URL")!)
console.log(await answer.text())
