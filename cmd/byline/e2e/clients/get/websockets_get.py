# Debian's websockets reads no proxy variables.
import asyncio, os, websockets

async def main():
    async with websockets.connect(os.environ["WS"]) as ws:
        await ws.send("hello agent-01")
        print(await ws.recv())

asyncio.run(main())
