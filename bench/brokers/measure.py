#!/usr/bin/env python3
"""Two servers on a broker: what a message costs each of them, and how long it takes from a client
of one to a client of the other. `scripts/bench-brokers` starts it.

A message is a text of 64 bytes. One client publishes on the first server, one receives on the
second. The processor time is that of the whole process, user and system, with 256 messages in
flight; the time on the way is that of single messages. Contenders take turns."""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    def __init__(self, *command):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, cwd=HERE
        )

    def line(self, prefix):
        for line in self.process.stdout:
            if line.startswith(prefix):
                return line.split()[1:]
        raise SystemExit(f"{self.process.args[0]} ended before it said {prefix!r}")

    def processor_time(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def end(self):
        self.process.kill()
        self.process.wait()


def wait_for(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def measure(options, kind, command):
    servers = [Process(*command), Process(*command)]
    try:
        ports = [server.line("port")[0] for server in servers]
        client = Process(
            options.duplex, "run", "--allow-net", "client.js", kind, *ports, str(options.seconds)
        )
        client.line("begin")
        before = [server.processor_time() for server in servers]
        count, milliseconds = map(float, client.line("end"))
        costs = [
            (server.processor_time() - start) / count * 1e6
            for server, start in zip(servers, before)
        ]
        median, slow = (float(it) * 1000 for it in client.line("single"))
        client.end()
        return [count / milliseconds * 1000, *costs, median, slow]
    finally:
        for server in servers:
            server.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--duplex", required=True)
    parser.add_argument("--bun", required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()

    redis_port, nats_port = free_port(), free_port()
    folder = tempfile.TemporaryDirectory()
    redis_server = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--dir", folder.name]
    brokers = [
        Process(*redis_server, "--port", str(redis_port)),
        Process("nats-server", "-a", "127.0.0.1", "-p", str(nats_port)),
    ]
    redis, nats = f"redis://127.0.0.1:{redis_port}", f"nats://127.0.0.1:{nats_port}"
    duplex = [options.duplex, "serve", "--allow-net", "--host", "127.0.0.1", "--port", "0"]
    contenders = {
        "duplex, NATS": ("duplex", [*duplex, "--broker", nats, "duplex.js"]),
        "duplex, Redis": ("duplex", [*duplex, "--broker", redis, "duplex.js"]),
        "Bun, a script for Redis": ("bun", [options.bun, "bun.js", redis]),
        "Socket.IO, Redis adapter": ("socket-io", [options.node, "socket-io.cjs", redis]),
    }
    try:
        wait_for(redis_port)
        wait_for(nats_port)
        results = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, (kind, command) in contenders.items():
                results[name].append(measure(options, kind, command))
    finally:
        for broker in brokers:
            broker.end()
        folder.cleanup()
    print("| two servers, 64 B, 256 in flight | messages in a second | publishing | receiving "
          "| on its way, median | 99 % |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, rounds in results.items():
        rate, publishing, receiving, median, slow = map(statistics.median, zip(*rounds))
        print(f"| {name} | {rate / 1000:.0f}k | {publishing:.1f} µs | {receiving:.1f} µs "
              f"| {median:.0f} µs | {slow:.0f} µs |")


if __name__ == "__main__":
    main()
