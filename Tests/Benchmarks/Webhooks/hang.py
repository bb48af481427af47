"""A target that takes connections and never answers. Argument: the port."""
import asyncio, sys


class Silence(asyncio.Protocol):
    def data_received(self, data):
        pass


async def main():
    server = await asyncio.get_running_loop().create_server(Silence, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


asyncio.run(main())
