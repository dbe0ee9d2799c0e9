"""Runs the Autobahn suite against duplex in both roles and prints a table.

usage: run.py DUPLEX PYTHON27 REPORTS [all | most | ci | CASES...]

PYTHON27 is a CPython 2.7 that finds the suite; REPORTS is a folder for the
suite's own reports and the logs. CASES are patterns as the suite takes them
(`6.*`, `9.1.1`); `most` is all but the bulk of sections 12 and 13, `ci` leaves
out that of 9 as well: one case of each subsection stays. The exit status is 1 when a result is worse than expected.txt.
"""

import fnmatch
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))

ROLES = ("client", "server")
# From best to worst.
RESULTS = ("OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED")
PROTOCOL = [f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10)]
COMPRESSION = [
    *(f"12.{subsection}.1" for subsection in range(1, 6)),
    *(f"13.{subsection}.1" for subsection in range(1, 8)),
]
CASES = {
    "all": ["*"],
    "most": [*PROTOCOL, "9.*", *COMPRESSION],
    "ci": [*PROTOCOL, *(f"9.{subsection}.1" for subsection in range(1, 9)), *COMPRESSION],
}
# Far beyond what all cases need (docs/conformance.md says how long that is).
TIME_LIMIT = 45 * 60


def main() -> int:
    duplex, python, reports, *patterns = sys.argv[1:]
    cases = CASES.get(" ".join(patterns) or "all", patterns)
    suite = Suite(duplex, python, os.path.abspath(reports), cases)
    expected = read_expected(os.path.join(HERE, "expected.txt"))

    results = {}
    for role in ROLES:
        started = time.monotonic()
        results[role] = suite.run(role)
        seconds = time.monotonic() - started
        print(f"{role}: {len(results[role])} cases in {seconds:.0f} s", flush=True)
    print()
    print_table(results)
    print(f"\nreports and logs: {suite.reports}")
    return judge(results, expected)


class Suite:
    def __init__(self, duplex: str, python: str, reports: str, cases: list[str]):
        self.duplex = duplex
        self.python = python
        self.reports = reports
        self.cases = cases

    def run(self, role: str) -> dict[str, str]:
        """The result of each case, with duplex in the role."""
        folder = os.path.join(self.reports, role)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        with ExitStack() as stack:
            {"client": self.run_client, "server": self.run_server}[role](stack, folder)
        return read_results(os.path.join(folder, "index.json"))

    def run_client(self, stack: ExitStack, folder: str) -> None:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        # The fuzzing server accepts until nobody waits.
        listener.setblocking(False)
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        spec = self.write_spec(folder, url=url)
        fuzzer = stack.enter_context(
            self.fuzzer(folder, "server", spec, listener.fileno())
        )
        client = stack.enter_context(self.script(folder, "client.js", url))
        finish(client, "client.js", folder)
        finish(fuzzer, "the fuzzing server", folder)

    def run_server(self, stack: ExitStack, folder: str) -> None:
        server = stack.enter_context(
            self.script(folder, "server.js", stdout=subprocess.PIPE)
        )
        line = server.stdout.readline().split()
        if line[:1] != [b"listening"]:
            stop(f"server.js did not start; see {folder}")
        url = f"ws://127.0.0.1:{int(line[1])}"
        spec = self.write_spec(folder, servers=[{"agent": "duplex", "url": url}])
        fuzzer = stack.enter_context(self.fuzzer(folder, "client", spec))
        finish(fuzzer, "the fuzzing client", folder)
        if server.poll() is not None:
            stop(f"server.js ended with {server.returncode}; see {folder}")

    def write_spec(self, folder: str, **spec) -> str:
        path = os.path.join(folder, "spec.json")
        with open(path, "w") as file:
            json.dump({**spec, "outdir": folder, "cases": self.cases}, file)
        return path

    def fuzzer(self, folder: str, mode: str, spec: str, *descriptor: int):
        command = [self.python, os.path.join(HERE, "fuzzer.py"), mode, spec]
        command += map(str, descriptor)
        log = os.path.join(folder, "fuzzer.log")
        return process(command, log, pass_fds=descriptor)

    def script(self, folder: str, name: str, *arguments: str, **options):
        script = os.path.join(HERE, name)
        command = [self.duplex, "run", "--allow-net", script, *arguments]
        return process(command, os.path.join(folder, "duplex.log"), **options)


@contextmanager
def process(command: list[str], log: str, **options):
    """A process that does not outlive the block; its output goes to the log."""
    with open(log, "wb") as file:
        options = {"stdout": file, "stderr": file, **options}
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, **options) as child:
            try:
                yield child
            finally:
                child.kill()


def finish(child: subprocess.Popen, name: str, folder: str) -> None:
    try:
        status = child.wait(TIME_LIMIT)
    except subprocess.TimeoutExpired:
        stop(f"{name} did not finish; see {folder}")
    if status != 0:
        stop(f"{name} ended with {status}; see {folder}")


def stop(message: str) -> None:
    sys.exit(f"error: {message}")


def read_results(index: str) -> dict[str, str]:
    with open(index) as file:
        cases = json.load(file)["duplex"]
    return {
        case: combine(cases[case]["behavior"], cases[case]["behaviorClose"])
        for case in sorted(cases, key=case_key)
    }


def combine(behavior: str, behavior_close: str) -> str:
    """The two verdicts of a case, on the messages and on the closing, as one."""
    if behavior not in RESULTS or behavior_close not in ("OK", "INFORMATIONAL"):
        return "FAILED"
    return behavior


def case_key(case: str) -> list[int]:
    return [int(part) for part in case.split(".")]


def read_expected(path: str) -> list[tuple[str, str, str]]:
    with open(path) as file:
        lines = [line.split() for line in file if line.strip() and line[0] != "#"]
    for line in lines:
        role, _, result = line
        if role not in (*ROLES, "both") or result not in RESULTS:
            stop(f"{path}: {' '.join(line)}")
    return [tuple(line) for line in lines]


def expectation(expected: list[tuple[str, str, str]], role: str, case: str) -> str:
    for of_role, pattern, result in expected:
        if of_role in (role, "both") and fnmatch.fnmatchcase(case, pattern):
            return result
    return "OK"


def print_table(results: dict[str, dict[str, str]]) -> None:
    """Markdown: a line for each section and role, a column for each result."""
    print(f"| section | role | {' | '.join(RESULTS)} |")
    print("| ---: | --- |" + " ---: |" * len(RESULTS))
    cases = {case for of_role in results.values() for case in of_role}
    sections = sorted({int(case.split(".")[0]) for case in cases})
    for section in [*map(str, sections), "all"]:
        for role in ROLES:
            found = [
                result
                for case, result in results[role].items()
                if section in ("all", case.split(".")[0])
            ]
            counts = [str(found.count(result) or "") for result in RESULTS]
            print(f"| {section} | {role} | {' | '.join(counts)} |")


def judge(
    results: dict[str, dict[str, str]], expected: list[tuple[str, str, str]]
) -> int:
    """Says what is not as expected, counts as `cargo test` does; the exit status."""
    cases = sorted({case for r in results.values() for case in r}, key=case_key)
    passed = failed = 0
    better = []
    for role in ROLES:
        for case in cases:
            wanted = expectation(expected, role, case)
            # A case that only the other role has was lost on the way.
            result = results[role].get(case, "FAILED")
            difference = RESULTS.index(result) - RESULTS.index(wanted)
            if difference > 0:
                print(f"worse than expected: {role} {case} {result}, not {wanted}")
                failed += 1
            else:
                passed += 1
                if difference < 0:
                    better.append(f"{role} {case}")
    if better:
        print(f"better than expected.txt says: {', '.join(better)}")
    if not cases:
        print("no case ran")
    good = failed == 0 and passed > 0
    print(f"test result: {'ok' if good else 'FAILED'}. {passed} passed; {failed} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
