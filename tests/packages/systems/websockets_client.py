"""A client by Python's websockets, which goes through a proxy to duplex."""

import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

TEXT = "hé€😀"
BINARY = bytes((at * 31 >> 3) & 255 for at in range(100 * 1024))

with connect(sys.argv[2]) as socket:
    for message in (TEXT, BINARY):
        socket.send(message)
        assert socket.recv() == message
    assert socket.ping().wait(30)
    socket.close(4002, "réason")
with connect(sys.argv[2]) as socket:
    socket.send("close")
    try:
        socket.recv()
    except ConnectionClosed as end:
        assert (end.rcvd.code, end.rcvd.reason) == (4001, "réason"), end
print("ok")
