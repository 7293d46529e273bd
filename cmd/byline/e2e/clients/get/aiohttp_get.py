# aiohttp reads the proxy variables only with trust_env.
import asyncio, os, ssl, aiohttp

async def main():
    trust = ssl.create_default_context()
    async with aiohttp.ClientSession(trust_env="TRUST_ENV" in os.environ) as session:
        async with session.get(os.environ["URL"], ssl=trust) as answer:
            print(await answer.text())

asyncio.run(main())
