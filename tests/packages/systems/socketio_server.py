"""Flask-SocketIO with threads: Socket.IO by Python, and its WebSockets by simple-websocket."""

from flask import Flask
from flask_socketio import SocketIO, disconnect
from werkzeug.serving import make_server

app = Flask(__name__)
socketio = SocketIO(app, async_mode="threading", cors_allowed_origins="*")


@socketio.on("echo")
def echo(message):
    return message


@socketio.on("leave")
def leave():
    disconnect()


server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"listening {server.port}", flush=True)
server.serve_forever()
