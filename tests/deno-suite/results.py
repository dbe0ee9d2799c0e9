"""Compares what `deno test` has written with the list of what is known to fail.

    results.py KNOWN RESULTS...

A line of KNOWN is the file of a test, its name, and why it fails, between tabs. The name of a file
of results is that of the tests, and more behind `.ts`.
"""

import pathlib
import sys
import xml.etree.ElementTree


def read(path, tests):
    """Notes the tests by file and name, each with `pass`, `fail` or `skip`."""
    file = pathlib.PurePath(path).name.partition(".ts")[0] + ".ts"
    for suite in xml.etree.ElementTree.parse(path).iter("testsuite"):
        for case in suite.iter("testcase"):
            if case.find("skipped") is not None:
                result = "skip"
            elif case.find("failure") is not None or case.find("error") is not None:
                result = "fail"
            else:
                result = "pass"
            # A run that leaves a test out says `skipped` of it, too.
            if result != "skip" or (file, case.get("name")) not in tests:
                tests[file, case.get("name")] = result


def main(known, *results):
    tests = {}
    for path in results:
        read(path, tests)
    listed = set()
    for line in open(known, encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            file, name, _why = line.rstrip("\n").split("\t")
            listed.add((file, name))
    count = {result: sum(1 for it in tests.values() if it == result) for result in ("pass", "fail", "skip")}
    faults = []
    for test, result in tests.items():
        if result == "fail" and test not in listed:
            faults.append(f"fails and is not listed: {': '.join(test)}")
        if result == "pass" and test in listed:
            faults.append(f"passes and is listed: {': '.join(test)}")
    for test in sorted(listed - set(tests)):
        faults.append(f"is listed and is no test: {': '.join(test)}")
    for fault in faults:
        print(fault)
    print(f"{count['pass']} of {len(tests)} pass, {count['fail']} fail, {count['skip']} are switched off by Deno")
    return 1 if faults or not tests else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
