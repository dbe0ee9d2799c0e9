"""The client's half of the interop cases with Python's websockets."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20]
BURST = 1000


EXTENSIONS = {
    "uncompressed": [],
    "takeover": [ClientPerMessageDeflateFactory(client_max_window_bits=True)],
    "no takeover": [
        ClientPerMessageDeflateFactory(
            server_no_context_takeover=True, client_no_context_takeover=True
        )
    ],
}


async def main(url: str, server_pings: bool, compression: str) -> None:
    options = {"compression": None, "extensions": EXTENSIONS[compression]}
    async with connect(
        url, subprotocols=["other", "duplex.test"], max_size=None, **options
    ) as socket:
        assert socket.subprotocol == "duplex.test", socket.subprotocol
        for size in SIZES:
            text = ("0123456789abcdef" * (size // 16 + 1))[:size]
            await socket.send(text)
            assert await socket.recv() == text, f"text of {size}"
            binary = bytes(i * 31 % 256 for i in range(size))
            await socket.send(binary)
            assert await socket.recv() == binary, f"binary of {size}"
        await socket.send("grüße, 世界 💬")
        assert await socket.recv() == "grüße, 世界 💬"

        # A message in fragments arrives as one.
        await socket.send(["in ", "three ", "fragments"])
        assert await socket.recv() == "in three fragments"

        for i in range(BURST):
            await socket.send(f"burst {i}")
        for i in range(BURST):
            assert await socket.recv() == f"burst {i}"

        await (await socket.ping("any payload"))
        if server_pings:
            await socket.send("ping")
            assert await socket.recv() == "ponged"
        await socket.send("close 4002 from the server")
        try:
            await socket.recv()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "no close frame"
            assert closed.rcvd.code == 4002, closed.rcvd
            assert closed.rcvd.reason == "from the server", closed.rcvd
        else:
            raise AssertionError("a message instead of a close")

    async with connect(url, **options) as socket:
        assert socket.subprotocol is None, socket.subprotocol
        await socket.close(4001, "from the client")
        assert socket.close_code == 4001, socket.close_code

    async with connect(url, **options) as socket:
        # The library always sends a code: the plain end of a connection is 1000.
        await socket.close()
        assert socket.close_code == 1000, socket.close_code
    print("ok")


asyncio.run(main(sys.argv[1], sys.argv[2] == "pings", sys.argv[3]))
