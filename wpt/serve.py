"""Starts the servers of a web-platform-tests checkout for the runner beside this file.

    python3 serve.py SUITE FOLDER

SUITE is the checkout; keys and certificates are made in FOLDER, with the suite's
own code. When all servers accept connections, one line of JSON on standard output
names their ports and the certificate authority. They stop when standard input ends,
each by itself, since who started them may have killed this process before.

Two things differ from `wpt serve`:

- All servers are on 127.0.0.1 under the name `localhost`, so that /etc/hosts stays as
  it is. A page that is fetched with another Host header finds that name in its scripts.
- The WebSocket part of the HTTP/2 server is replaced by `H2Handler`. The suite's does
  not notice the end of a connection, sends no WINDOW_UPDATE, has one lock for all
  connections, mistakes a flow-control window that is used up for a negative length, and
  does not reset the stream when a handler aborts.
"""

import json
import logging
import multiprocessing
import os
import queue
import signal
import socket
import sys
import threading
import time


def main():
    suite, folder = map(os.path.abspath, sys.argv[1:])
    sys.path.insert(0, suite)
    # Also puts what the suite brings of other projects on the path.
    from tools import localpaths  # noqa: F401
    from tools.serve import serve
    from wptserve import pipes, server

    server.Http2WebTestRequestHandler = h2_handler()
    pipes.template = with_host_of_request(pipes.template)
    serve.start = announcing(serve.start)

    config = os.path.join(folder, "config.json")
    with open(config, "w") as file:
        json.dump(settings(folder), file)
    end_with_stdin()
    serve.run(
        config_path=config,
        h2=True,
        # What is patched here is patched in the servers' processes.
        mp_context=multiprocessing.get_context("fork"),
        log_handlers=[logging.StreamHandler(sys.stderr)],
    )


def settings(folder):
    return {
        "browser_host": HOST,
        "server_host": ADDRESS,
        "check_subdomains": False,
        "ports": {
            "http": ["auto", "auto"],
            "http-local": ["auto"],
            "http-public": ["auto"],
            "https": ["auto", "auto"],
            "https-local": ["auto"],
            "https-public": ["auto"],
            "h2": ["auto"],
            "ws": ["auto"],
            "wss": ["auto"],
        },
        "ssl": {
            "type": "openssl",
            "openssl": {"base_path": folder, "force_regenerate": True},
        },
        "logging": {"level": "warning"},
    }


def with_host_of_request(template):
    """`{{host}}` is the name that the page was asked for, where it is not the usual one."""

    def substitute(request, content, escape_type="html"):
        host = request.url_parts.hostname
        if host and host not in (HOST, ADDRESS):
            content = content.replace(b"{{host}}", host.encode())
        return template(request, content, escape_type=escape_type)

    return substitute


def announcing(start):
    def start_and_announce(logger, config, *args, **kwargs):
        servers = start(logger, config, *args, **kwargs)
        for started in servers.values():
            for port, server in started:
                wait_for(port, server)
        ports = {scheme: [port for port, _ in started] for scheme, started in servers.items()}
        authority = config.ssl_config["ca_cert_path"]
        print(json.dumps({"ports": ports, "authority": authority}), flush=True)
        return servers

    return start_and_announce


def wait_for(port, server):
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((ADDRESS, port), timeout=5).close()
            return
        except OSError:
            if not server.is_alive() or time.monotonic() > deadline:
                sys.exit(f"the {server.scheme} server does not start")
            time.sleep(0.05)


def end_with_stdin():
    """Ends this process, and each that it forks from now on, when standard input ends."""
    # multiprocessing gives its processes another standard input.
    lifeline = os.dup(0)

    def wait():
        while os.read(lifeline, 4096):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    def watch():
        threading.Thread(target=wait, daemon=True).start()

    watch()
    os.register_at_fork(after_in_child=watch)


def h2_handler():
    """The class that serves one HTTP/2 connection."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.errors import ErrorCodes
    from h2.events import (
        ConnectionTerminated,
        DataReceived,
        RequestReceived,
        StreamEnded,
        StreamReset,
    )
    from h2.exceptions import ProtocolError
    from h2.settings import SettingCodes
    from pywebsocket3.dispatch import Dispatcher
    from pywebsocket3.handshake import AbortedByUserException, HandshakeException
    from wptserve import server as wptserver
    from wptserve.request import H2Request
    from wptserve.response import H2Response
    from wptserve.ws_h2_handshake import WsH2Handshaker

    class Guard:
        """The connection's state, for one thread at a time; also tells of changes."""

        def __init__(self, connection):
            self.connection = connection
            self.changed = threading.Condition(threading.RLock())

        def __enter__(self):
            self.changed.acquire()
            return self.connection

        def __exit__(self, *exception):
            self.changed.release()

    class Stream:
        """The bytes of one WebSocket, with the interface of pywebsocket3's connections."""

        def __init__(self, handler, id):
            self.guard = handler.conn
            self.socket = handler.request
            self.remote_addr = handler.client_address
            self.id = id
            self.received = bytearray()
            self.has_ended = False
            self.is_open = True

        def read(self, length):
            with self.guard as connection:
                self.guard.changed.wait_for(lambda: self.received or self.has_ended)
                data = bytes(self.received[:length])
                del self.received[:length]
                if data and self.is_open:
                    # The peer may send as much again.
                    connection.acknowledge_received_data(len(data), self.id)
                    self.flush(connection)
                return data

        def write(self, data):
            data = memoryview(data)
            while data:
                with self.guard as connection:
                    self.guard.changed.wait_for(lambda: not self.is_open or self.room() > 0)
                    if not self.is_open:
                        raise ConnectionResetError("the stream is closed")
                    room = min(self.room(), connection.max_outbound_frame_size)
                    connection.send_data(self.id, data[:room].tobytes())
                    self.flush(connection)
                    data = data[room:]

        def finish(self, error_code=None):
            with self.guard as connection:
                if self.is_open:
                    self.is_open = False
                    if error_code is None:
                        connection.end_stream(self.id)
                    else:
                        connection.reset_stream(self.id, error_code)
                    self.flush(connection)

        def room(self):
            return self.guard.connection.local_flow_control_window(self.id)

        def flush(self, connection):
            self.socket.sendall(connection.data_to_send())

        # Called by the thread that reads the connection, which holds the guard.

        def receive(self, event, connection):
            self.received += event.data
            padding = event.flow_controlled_length - len(event.data)
            if padding:
                connection.acknowledge_received_data(padding, self.id)

        def end(self, is_reset):
            self.has_ended = True
            if is_reset:
                self.is_open = False

    class H2Handler(wptserver.Http2WebTestRequestHandler):
        def handle_one_request(self):
            self.uid = f"{self.client_address[1]}"
            self.close_connection = False
            self.streams = {}
            # Streams that are no WebSockets are served by the suite's code.
            self.queues = {}
            self.conn = Guard(H2Connection(config=H2Configuration(client_side=False)))
            try:
                with self.conn as connection:
                    settings = dict(connection.local_settings)
                    settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] = 1
                    connection.local_settings.update(settings)
                    connection.local_settings.acknowledge()
                    connection.initiate_connection()
                    self.request.sendall(connection.data_to_send())
                while not self.close_connection:
                    data = self.request.recv(65536)
                    if not data:
                        break
                    self.receive(data)
            except (OSError, ProtocolError) as error:
                self.logger.info(f"HTTP/2 connection {self.uid}: {error}")
            finally:
                self.close_connection = True
                with self.conn:
                    for stream in self.streams.values():
                        stream.end(is_reset=True)
                    self.conn.changed.notify_all()
                for events in self.queues.values():
                    events.put(None)

        def receive(self, data):
            with self.conn as connection:
                events = connection.receive_data(data)
                for event in events:
                    self.take(event, connection)
                self.conn.changed.notify_all()
                self.request.sendall(connection.data_to_send())

        def take(self, event, connection):
            id = getattr(event, "stream_id", None)
            stream = self.streams.get(id)
            if isinstance(event, ConnectionTerminated):
                self.close_connection = True
            elif isinstance(event, RequestReceived):
                self.begin(event)
            elif stream is None:
                if isinstance(event, DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, id)
                if id in self.queues:
                    self.queues[id].put(event)
            elif isinstance(event, DataReceived):
                stream.receive(event, connection)
            elif isinstance(event, (StreamEnded, StreamReset)):
                stream.end(is_reset=isinstance(event, StreamReset))

        def begin(self, event):
            if self._is_extended_connect_frame(event):
                self.streams[event.stream_id] = Stream(self, event.stream_id)
                serve, argument = self.serve_socket, event
            else:
                argument = self.queues[event.stream_id] = queue.Queue()
                argument.put(event)
                serve = lambda events: self._stream_thread(event.stream_id, events)
            threading.Thread(target=serve, args=(argument,), daemon=True).start()

        def serve_socket(self, event):
            stream = self.streams[event.stream_id]
            try:
                self.run_socket_handler(event, stream)
                stream.finish()
            except AbortedByUserException:
                # What closing the TCP connection is to HTTP/1.1 (RFC 8441 section 5).
                stream.finish(ErrorCodes.CANCEL)
            except Exception as error:
                self.logger.info(f"HTTP/2 stream {event.stream_id}: {error}")
                try:
                    stream.finish(ErrorCodes.INTERNAL_ERROR)
                except (OSError, ProtocolError):
                    pass
            finally:
                with self.conn:
                    self.streams.pop(event.stream_id, None)

        def run_socket_handler(self, event, stream):
            handler = wptserver.H2HandlerCopy(self, event, None)
            response = H2Response(handler, H2Request(handler))
            request = wptserver._WebSocketRequest(handler, response)
            request.connection = stream
            dispatcher = self.dispatcher()
            if dispatcher.get_handler_suite(handler.path) is None:
                return self.refuse(response, 404)
            try:
                WsH2Handshaker(request, dispatcher).do_handshake()
            except HandshakeException as error:
                return self.refuse(response, error.status)
            except AbortedByUserException:
                # The handler has set status and headers.
                return self.refuse(response, response.status[0])
            response.write_status_headers()
            # For the answer to a Close frame, which a handler may choose.
            request._dispatcher = dispatcher
            dispatcher.transfer_data(request)

        def refuse(self, response, status):
            response.status = status
            response.write_status_headers()

        def dispatcher(self):
            # Handlers keep state between connections, so they are loaded once.
            with dispatcher_lock:
                if self.server.ws_doc_root not in dispatchers:
                    dispatchers[self.server.ws_doc_root] = Dispatcher(
                        self.server.ws_doc_root, None, False
                    )
                return dispatchers[self.server.ws_doc_root]

    dispatchers = {}
    dispatcher_lock = threading.Lock()
    return H2Handler


HOST = "localhost"
ADDRESS = "127.0.0.1"

if __name__ == "__main__":
    main()
