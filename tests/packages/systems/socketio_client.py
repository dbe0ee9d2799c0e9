"""The client of Socket.IO by Python, over every transport that it has."""

import sys

import socketio

TEXT = "hé€😀"
BINARY = bytes((at * 31 >> 3) & 255 for at in range(100 * 1024))

for transports in (["websocket"], ["polling"], ["polling", "websocket"]):
    client = socketio.SimpleClient()
    client.connect(sys.argv[2], transports=transports)
    for message in (TEXT, BINARY):
        assert client.call("echo", message) == message
    client.disconnect()
print("ok")
