"""An ASGI application on hypercorn, with TLS and HTTP/2: the server's half of the
interop cases. Takes the files of its certificate and its key."""

import asyncio
import socket
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def app(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 426, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    print(f"HTTP/{scope['http_version']} {scope['scheme']}", flush=True)
    await receive()
    picked = "duplex.test" if "duplex.test" in scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": picked})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        text, data = event.get("text"), event.get("bytes")
        if text is not None and text.startswith("close "):
            _, code, reason = text.split(" ", 2)
            await send(
                {"type": "websocket.close", "code": int(code), "reason": reason}
            )
        elif text is not None:
            await send({"type": "websocket.send", "text": text})
        else:
            await send({"type": "websocket.send", "bytes": data})


async def main(certificate: str, key: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.certfile, config.keyfile = certificate, key
    config.alpn_protocols = ["h2", "http/1.1"]
    config.websocket_max_message_size = 1 << 30
    print(f"listening {listener.getsockname()[1]}", flush=True)
    await serve(app, config)


asyncio.run(main(*sys.argv[1:]))
