"""Times programs from their start to the first line that they print.

usage: measure.py NAME DUPLEX DENO BUN

The programs take turns, so that what else the machine does hits them all, and
share one core, the last. A median of many rounds is printed, and its ratio to
duplex's.
"""

import os
import platform
import statistics
import subprocess
import sys
import time

ROUNDS = 41
WARM_UP = 3
HERE = os.path.dirname(os.path.abspath(__file__))


def first_line(command: list[str]) -> float:
    """Milliseconds from the start of the program to its first line."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        elapsed = time.perf_counter() - started
        process.stdout.read()
    if not line.startswith((b"first line", b"listening")) or process.returncode != 0:
        sys.exit(f"{command} printed {line!r} and exited {process.returncode}")
    return elapsed * 1000


def main() -> None:
    name, duplex, deno, bun = sys.argv[1:]
    versions = [
        subprocess.run([program, "--version"], capture_output=True, text=True)
        .stdout.splitlines()[0]
        for program in (deno, bun)
    ]
    runs = {
        name: [duplex, "run", "--allow-net"],
        versions[0].split(" (")[0]: [deno, "run", "--allow-net", "--no-lock"],
        f"bun {versions[1]}": [bun, "run"],
    }
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    print(f"{platform.machine()}, one core, median of {ROUNDS} runs, ms (range of the middle half)\n")
    print("| script | " + " | ".join(runs) + " |")
    print("| --- |" + " ---: |" * len(runs))
    for script in ("first_line.js", "first_line.ts", "server.ts"):
        path = os.path.join(HERE, script)
        times: dict[str, list[float]] = {}
        for round_number in range(WARM_UP + ROUNDS):
            for program, command in runs.items():
                # Bun has no Deno.serve.
                if script == "server.ts" and program.startswith("bun"):
                    continue
                elapsed = first_line([*command, path])
                if round_number >= WARM_UP:
                    times.setdefault(program, []).append(elapsed)
        base = statistics.median(times[name])
        cells = []
        for program in runs:
            if program not in times:
                cells.append("")
                continue
            median = statistics.median(times[program])
            low, _, high = statistics.quantiles(times[program], n=4)
            ratio = "" if program == name else f", {median / base:.2f} x"
            cells.append(f"{median:.1f} ({low:.1f}-{high:.1f}){ratio}")
        print(f"| `{script}` | " + " | ".join(cells) + " |")


main()
