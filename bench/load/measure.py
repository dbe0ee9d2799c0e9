"""Measures WebSocket servers and clients beside each other, with duplex-load.

scripts/bench builds and installs what this takes, and calls it. Every call of duplex-load
starts all contenders of a row anew and lets them take turns. duplex's time is the median of
all turns, another's ratio to it the median of the ratios within a turn, and its time that
many times duplex's: steadier than a median of its own.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import chart

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

# The contenders, by the names that PEERS takes, in the order of the columns.
TITLES = {
    "duplex": "duplex",
    "handlers": "duplex, handlers",
    "uws": "uWebSockets.js",
    "bun": "Bun",
    "deno": "Deno",
    "inside": "Deno with duplex inside",
    "ws": "ws on Node.js",
    "epoll": "bare epoll",
    "uring": "bare io_uring",
}
# Only when they are asked for, each where another one is.
ASKED_FOR = {"uring": "epoll", "inside": "deno"}
SERVERS = ["duplex", "handlers", "uws", "bun", "deno", "ws", "epoll"]
CLIENTS = ["duplex", "bun", "deno", "ws"]


@dataclass
class Row:
    """A line of a table, or with several kinds of server as many lines measured together."""

    name: str
    title: str
    # Kind of server, as the scripts take it, and who can be one.
    kinds: dict[str, list[str]] = field(default_factory=lambda: {"echo": SERVERS})
    # What is added to the title for a kind.
    kind_titles: dict[str, str] = field(default_factory=dict)
    table: str = "servers"
    work: str = ""
    tls: bool = False
    script: str = ""


ROWS = [
    Row("echo-20", "echo, 100 connections, 20 B text, one in flight"),
    Row("echo-20-16", "the same, 16 in flight"),
    Row("echo-16k", "echo, 32 connections, 16 KiB binary"),
    Row("echo-1m", "echo, 4 connections, 1 MiB binary"),
    Row(
        "fan-out",
        "500 connections, 64 B to all of them, 4 in flight, a delivery",
        kinds={
            "topic": ["duplex", "handlers", "uws", "bun", "epoll"],
            "loop": ["duplex", "handlers", "uws", "bun", "deno", "ws"],
        },
        kind_titles={"topic": ", topics", "loop": ", a loop of `send`"},
    ),
    Row("connect", "connect and close"),
    Row(
        "tls-20",
        "echo with TLS, 100 connections, 20 B text",
        kinds={"echo": SERVERS[:-1]},
        tls=True,
    ),
    Row(
        "tls-16k",
        "echo with TLS, 32 connections, 16 KiB binary",
        kinds={"echo": SERVERS[:-1]},
        tls=True,
    ),
    Row(
        "deflate",
        "echo with permessage-deflate, 100 connections, JSON of 1 KiB",
        kinds={
            "deflate": ["duplex", "handlers", "uws", "bun", "ws"],
            "deflate-alone": ["duplex", "handlers", "uws", "bun", "ws"],
        },
        kind_titles={"deflate-alone": ", each message alone"},
    ),
    Row(
        "http2",
        "echo over HTTP/2, 10 connections with 10 sockets each, 20 B text",
        kinds={"echo": ["duplex", "handlers"]},
    ),
    Row(
        "stream-16k",
        "`WebSocketStream` echo, 32 connections, 16 KiB binary",
        kinds={"stream": ["duplex"]},
        work="echo-16k",
    ),
    Row("latency", "1,000 connections, 20 B text, 30,000 a second", table="latency"),
    Row("idle-5k", "5,000 connections", table="memory"),
    Row("idle-50k", "50,000 connections", table="memory"),
    Row(
        "tls-idle-5k",
        "5,000 connections with TLS",
        kinds={"echo": SERVERS[:-1]},
        table="memory",
        tls=True,
    ),
    Row(
        "client-20",
        "100 connections, 20 B text, one in flight",
        kinds={"": CLIENTS},
        table="clients",
        script="web",
    ),
    Row(
        "client-20-16",
        "the same, 16 in flight",
        kinds={"": CLIENTS},
        table="clients",
        script="web",
    ),
    Row(
        "client-16k",
        "32 connections, 16 KiB binary",
        kinds={"": CLIENTS},
        table="clients",
        script="web",
    ),
    Row(
        "client-stream-16k",
        "`WebSocketStream`, 32 connections, 16 KiB binary",
        kinds={"": ["duplex", "deno"]},
        table="clients",
        work="client-16k",
        script="stream",
    ),
]

TABLES = {
    "servers": "server, time for an operation",
    "latency": "latency: median, 99 %, 99.9 %",
    "memory": "server, memory for an idle connection",
    "clients": "client, time for an echo",
}

# What duplex is to reach: row, kind, contender, and how many times cheaper than whom.
TARGETS = [
    ("echo-20", "echo", "duplex", 1.1, "echo", "bun"),
    ("echo-20", "echo", "duplex", 0.9, "echo", "epoll"),
    ("echo-20-16", "echo", "duplex", 1.3, "echo", "bun"),
    ("echo-16k", "echo", "duplex", 1.0, "echo", "uws"),
    ("echo-1m", "echo", "duplex", 0.95, "echo", "uws"),
    ("fan-out", "topic", "duplex", 1.2, "topic", "bun"),
    ("fan-out", "loop", "duplex", 1.0, "topic", "bun"),
    ("connect", "echo", "duplex", 1.0, "echo", "uws"),
]
# On an interpreter.
QUICKJS_TARGETS = [
    ("echo-20", "echo", "duplex", 1.0, "echo", "deno"),
    ("echo-20-16", "echo", "duplex", 2.0, "echo", "deno"),
]
# Row, kind, finding, the most it may be, unit.
LIMITS = [
    ("echo-1m", "echo", "peak_mb", 100, "MB resident"),
    ("idle-5k", "echo", "kb", 2, "kB"),
    ("tls-idle-5k", "echo", "kb", 20, "kB"),
]


def main() -> None:
    options = parse()
    # A result without its turns, or of another duplex, is not compared with this one's.
    build = hashlib.sha256(Path(options.duplex).read_bytes()).hexdigest()[:16]
    results = load_results(options.results, build)
    rows = [row for row in ROWS if not options.work or row.name in options.work]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.load, "certificate", folder], check=True)
        bench = Bench(options, folder)
        for number, row in enumerate(rows, 1):
            print(f"[{number}/{len(rows)}] {row.name}", file=sys.stderr, flush=True)
            measured = bench.measure(row)
            if measured:
                results["rows"][row.name] = measured
    results["machine"] = machine(options)
    Path(options.results).write_text(json.dumps(results))
    shown = {row.name: results["rows"][row.name] for row in rows if row.name in results["rows"]}
    print(report(shown, results["machine"]))
    print(targets(shown, options.engine))
    if bench.failures:
        print("failed:", *bench.failures, sep="\n  ")
    if options.write:
        write(results)
    if bench.failures:
        sys.exit(1)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--load", required=True, help="the binary duplex-load")
    parser.add_argument("--duplex", required=True, help="the binary duplex")
    parser.add_argument("--engine", required=True, help="v8 or quickjs")
    parser.add_argument("--deno", required=True)
    parser.add_argument("--inside", default="", help="Deno with duplex inside")
    parser.add_argument("--bun", required=True)
    parser.add_argument("--node", required=True, help="Node.js for ws")
    parser.add_argument("--results", required=True, help="where results are kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="for each contender in a round")
    parser.add_argument("--work", type=str.split, default=[], help="rows: " + " ".join(r.name for r in ROWS))
    parser.add_argument("--peers", type=str.split, default=[], help="contenders: " + " ".join(TITLES))
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and docs/bench.svg")
    options = parser.parse_args()
    for name in options.work:
        if name not in (row.name for row in ROWS):
            parser.error(f"{name} is no row; there are {' '.join(row.name for row in ROWS)}")
    for name in options.peers:
        if name not in TITLES:
            parser.error(f"{name} is no contender; there are {' '.join(TITLES)}")
    if "inside" in options.peers and not options.inside:
        parser.error("--peers inside takes --inside")
    return options


class Bench:
    """Runs duplex-load."""

    def __init__(self, options: argparse.Namespace, certificate: str) -> None:
        self.options = options
        self.certificate = certificate
        self.failures: list[str] = []
        self.out = set() if uws_loads() else {"uws"}
        if self.out:
            print("uWebSockets.js has no build for this Node.js and libc: left out", file=sys.stderr)

    def measure(self, row: Row) -> dict[str, dict[str, dict]]:
        """By kind and contender, the report of duplex-load with the rounds' turns in lists."""
        wanted = self.options.peers or list(TITLES)
        contenders = [
            (kind, name)
            for kind, names in row.kinds.items()
            for name in (*names, *(name for name, beside in ASKED_FOR.items() if beside in names))
            if name in wanted and name not in self.out
            and (name not in ASKED_FOR or name in self.options.peers)
        ]
        measured: dict[str, dict[str, dict]] = {}
        for _ in range(self.options.rounds):
            for (kind, name), found in zip(contenders, self.run(row, contenders), strict=True):
                if "error" in found:
                    failure = f"{row.name} {kind} {name}: {found['error']}"
                    if failure not in self.failures:
                        self.failures.append(failure)
                    continue
                kept = measured.setdefault(kind, {}).setdefault(name, {})
                for key, value in found.items():
                    kept.setdefault(key, []).append(value)
        return measured

    def run(self, row: Row, contenders: list[tuple[str, str]]) -> list[dict]:
        if not contenders:
            return []
        command = [self.options.load, row.work or row.name, "--json", "yes"]
        command += ["--seconds", str(self.options.seconds), "--certificate", self.certificate]
        for kind, name in contenders:
            command += ["--", *self.command(row, kind, name)]
        # In a session of its own it may go before all others.
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              start_new_session=True) as process:
            try:
                output, errors = process.communicate()
            except BaseException:
                os.kill(process.pid, signal.SIGKILL)
                raise
        lines = output.splitlines()
        if len(lines) != len(contenders):
            return [{"error": errors.strip() or "duplex-load printed nothing"}] * len(contenders)
        return [json.loads(line) for line in lines]

    def command(self, row: Row, kind: str, name: str) -> list[str]:
        options = self.options
        node_script = name in ("ws", "uws")
        if row.table == "clients":
            script = "ws.cjs" if node_script else f"{row.script}.js"
            path, arguments = HERE / "clients" / script, []
        else:
            script = {name: "deno.js" for name in ("duplex", "deno", "inside")}
            script |= {"handlers": "handlers.js", "bun": "bun.js"}
            path = HERE / "servers" / script.get(name, f"{name}.cjs")
            arguments = [kind, *([self.certificate] if row.tls else [])]
        match name:
            case "duplex" | "handlers":
                return [options.duplex, "run", "-A", str(path), *arguments]
            case "deno" | "inside":
                unstable = ["--unstable-net"] if row.script == "stream" else []
                binary = options.deno if name == "deno" else options.inside
                return [binary, "run", "-A", "--no-lock", *unstable, str(path), *arguments]
            case "bun":
                return [options.bun, str(path), *arguments]
            case "uws":
                return ["node", str(path), *arguments]
            case "ws":
                return [options.node, str(path), *arguments]
            case _:
                to_all = ["to-all"] if row.name == "fan-out" else []
                # Buffers that hold a message of this row.
                size = ["20480"] if name == "uring" and row.name == "echo-16k" else []
                return [options.load, f"serve-{name}", *to_all, *size]


def uws_loads() -> bool:
    check = ["node", "-e", "require('@trufflesuite/uws-js-unofficial').App()"]
    done = subprocess.run(check, cwd=HERE, capture_output=True, text=True)
    # Without a build of its own it goes on with one in JavaScript, and says so.
    return done.returncode == 0 and "not compatible" not in done.stdout + done.stderr


def load_results(path: str, build: str) -> dict:
    try:
        results = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        results = {}
    if results.get("build") != build:
        results = {"build": build, "rows": {}}
    return results


def machine(options: argparse.Namespace) -> dict[str, str]:
    def version(*command: str) -> str:
        line = subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]
        found = re.search(r"\d+\.\d+\.\d+", line)
        return found[0] if found else ""

    def proc(path: str) -> str:
        try:
            return Path(path).read_text().strip()
        except OSError:
            return ""

    package = json.loads((HERE / "package.json").read_text())["dependencies"]
    model = re.search(r"model name\s*: (.*)", proc("/proc/cpuinfo"))
    return {
        "date": datetime.date.today().strftime("%-d %B %Y"),
        "engine": options.engine,
        "cpu": model[1] if model else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "congestion": proc("/proc/sys/net/ipv4/tcp_congestion_control"),
        "duplex": version(options.duplex, "--version"),
        "uws": package["@trufflesuite/uws-js-unofficial"].split("-")[0],
        "bun": version(options.bun, "--version"),
        "deno": version(options.deno, "--version"),
        "inside": version(options.inside, "--version") if options.inside else "",
        "ws": package["ws"],
        "node": version(options.node, "--version"),
    }


def median(found: dict, key: str) -> float:
    """The median of all turns of all rounds, or of the rounds' values."""
    return statistics.median(flat(found.get(key, [])) or [float("nan")])


def flat(values: list) -> list[float]:
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def ratio(found: dict, reference: dict) -> float:
    """How many times the reference's cost, turn by turn."""
    pairs = zip(flat(found["cpu_us"]), flat(reference["cpu_us"]), strict=False)
    return statistics.median(own / other for own, other in pairs)


def significant(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def rate(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.2f}M"
    return f"{value / 1e3:.0f}k" if value >= 1e4 else f"{value / 1e3:.1f}k"


def cell(row: Row, found: dict | None, reference: dict | None) -> str:
    if not found:
        return ""
    if row.table == "memory":
        return f"{significant(median(found, 'kb'))} kB"
    if row.table == "latency":
        return ", ".join(microseconds(median(found, key)) for key in ("p50_us", "p99_us", "p999_us"))
    speed = rate(median(found, "per_second"))
    # What is compressed better costs more.
    size = f", {median(found, 'bytes'):.0f} B" if "bytes" in found else ""
    text = f"{significant(cost(found, reference))} ({speed}{size})"
    if reference and found is not reference:
        text += f", {ratio(found, reference):.2f} x"
    return text


def cost(found: dict, reference: dict | None) -> float:
    """Microseconds for an operation, by way of duplex's where there are some."""
    if not reference:
        return median(found, "cpu_us")
    return median(reference, "cpu_us") * ratio(found, reference)


def microseconds(value: float) -> str:
    return f"{significant(value / 1000)} ms" if value >= 1000 else f"{value:.0f} µs"


def report(rows: dict[str, dict], about: dict[str, str]) -> str:
    """The tables, in Markdown."""
    parts = []
    for table, title in TABLES.items():
        of_table = [row for row in ROWS if row.table == table and row.name in rows]
        lines = [(row, kind, found) for row in of_table for kind, found in rows[row.name].items()]
        names = [name for name in TITLES if any(name in found for _, _, found in lines)]
        if not lines:
            continue
        load = table in ("servers", "clients")
        heads = [title, *(column(name, about) for name in names), *(["the load's core"] if load else [])]
        parts.append("| " + " | ".join(heads) + " |")
        parts.append("| --- |" + " ---: |" * (len(heads) - 1))
        for row, kind, found in lines:
            cells = [cell(row, found.get(name), found.get("duplex")) for name in names]
            if load:
                shares = [median(one, "load_core") for one in found.values()]
                cells.append(f"{min(shares) * 100:.0f}-{max(shares) * 100:.0f} %")
            parts.append("| " + " | ".join([title_of(row, kind, found), *cells]) + " |")
        parts.append("")
    return "\n".join(parts)


def title_of(row: Row, kind: str, found: dict[str, dict]) -> str:
    title = row.title + row.kind_titles.get(kind, "")
    if row.table == "memory":
        # As many as the system's limit on descriptors let.
        counts = [median(one, "connections") for one in found.values()]
        title = re.sub(r"^[\d,]+", f"{min(counts):,.0f}", title)
    return title


def column(name: str, about: dict[str, str]) -> str:
    match name:
        case "duplex":
            return f"duplex ({about['engine']})"
        case "ws":
            return f"ws {about['ws']} on Node.js {about['node']}"
        case _ if name in about:
            return f"{TITLES[name]} {about[name]}"
        case _:
            return TITLES[name]


def targets(rows: dict[str, dict], engine: str) -> str:
    """What duplex is to reach, and each round's figure."""
    lines = ["| to reach | rounds | |", "| --- | --- | --- |"]
    of_engine = QUICKJS_TARGETS if engine == "quickjs" else TARGETS
    for name, kind, who, factor, other_kind, other in of_engine:
        found = rows.get(name, {}).get(kind, {})
        reference = rows.get(name, {}).get(other_kind, {}).get(other)
        for who in (who, "handlers"):
            if who not in found or not reference:
                continue
            pairs = zip(found[who]["cpu_us"], reference["cpu_us"], strict=False)
            rounds = [
                statistics.median(theirs / own for own, theirs in zip(*pair, strict=False)) for pair in pairs
            ]
            what = f"{name} {kind}: {who} {factor} x {other}'s economy"
            lines.append(verdict(what, rounds, all(value >= factor for value in rounds)))
    for name, kind, key, most, unit in LIMITS:
        for who in ("duplex", "handlers"):
            found = rows.get(name, {}).get(kind, {}).get(who)
            if found:
                values = flat(found[key])
                lines.append(
                    verdict(f"{name}: {who} at most {most} {unit}", values, all(value <= most for value in values))
                )
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def verdict(what: str, rounds: list[float], holds: bool) -> str:
    return f"| {what} | {', '.join(f'{value:.2f}' for value in rounds)} | {'holds' if holds else 'misses'} |"


def write(results: dict) -> None:
    """Puts all that is known of this build into docs."""
    about = results["machine"]
    tables = (
        f"{about['date']}; duplex {about['duplex']} on {about['engine']}; {about['cores']} cores of {about['cpu']}, "
        f"Linux {about['kernel']}, TCP with {about['congestion']}.\n\n"
        + report(results["rows"], about)
    )
    page = ROOT / "docs/performance.md"
    text = page.read_text()
    begin, end = "<!-- make bench WRITE=1 writes from here -->\n", "<!-- to here -->\n"
    if begin not in text or end not in text:
        sys.exit(f"{page} has no place for the tables: {begin.strip()} … {end.strip()}")
    before, rest = text.split(begin, 1)
    page.write_text(before + begin + "\n" + tables + "\n" + end + rest.split(end, 1)[1])
    (ROOT / "docs/bench.svg").write_text(chart.draw(bars(results["rows"]), about))


def bars(rows: dict[str, dict]) -> list[tuple[str, list[tuple[str, float]]]]:
    """For the chart: title, and each contender's microseconds."""
    shown = []
    for name in ("echo-20", "echo-20-16", "echo-16k", "echo-1m", "fan-out", "connect", "tls-20"):
        row = next(row for row in ROWS if row.name == name)
        for kind, found in rows.get(name, {}).items():
            title = chart_title(row, kind)
            values = [
                (TITLES[who], cost(found[who], found.get("duplex"))) for who in TITLES if who in found
            ]
            shown.append((title, values))
    return shown


def chart_title(row: Row, kind: str) -> str:
    titles = {
        "echo-20": "Echo: 20 B, 100 connections",
        "echo-20-16": "The same, 16 messages in flight",
        "echo-16k": "Echo: 16 KiB, 32 connections",
        "echo-1m": "Echo: 1 MiB, 4 connections",
        "fan-out": "64 B to each of 500",
        "connect": "Connect and close",
        "tls-20": "Echo with TLS: 20 B, 100 connections",
    }
    return titles[row.name] + row.kind_titles.get(kind, "").replace("`", "")


if __name__ == "__main__":
    main()
