"""The server's half of the interop cases with Python's websockets."""

import asyncio
import sys
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

EXTENSIONS = {
    "uncompressed": [],
    "takeover": [ServerPerMessageDeflateFactory()],
    "no takeover": [
        ServerPerMessageDeflateFactory(
            server_no_context_takeover=True, client_no_context_takeover=True
        )
    ],
}


async def handler(socket: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in socket:
            if message == "ping":
                await (await socket.ping("server's"))
                await socket.send("ponged")
            elif isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                await socket.close(int(code), reason)
            else:
                await socket.send(message)
    received = socket.protocol.close_rcvd
    code, reason = (received.code, received.reason) if received else (1006, "")
    print(f"closed {code} {reason}", flush=True)


def pick(_socket: ServerConnection, offered: list[str]) -> str | None:
    return "duplex.test" if "duplex.test" in offered else None


async def main() -> None:
    async with serve(
        handler,
        "127.0.0.1",
        0,
        select_subprotocol=pick,
        max_size=None,
        compression=None,
        extensions=EXTENSIONS[sys.argv[1]],
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"listening {port}", flush=True)
        await server.serve_forever()


asyncio.run(main())
