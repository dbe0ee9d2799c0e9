"""Compares what the specs' tests have printed with the list of what is known to fail.

    specs.py OUTPUT KNOWN

A line of KNOWN is the path of a spec and why it fails, with a tab between.
"""

import re
import sys


def main(output, known):
    with open(output, encoding="utf-8") as file:
        results = dict(re.findall(r"^test (\S+) +\.\.\. (ok|FAILED)$", file.read(), re.MULTILINE))
    with open(known, encoding="utf-8") as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    listed = {line.split("\t")[0] for line in lines}
    faults = [f"fails and is not listed: {name}" for name, result in results.items()
              if result == "FAILED" and name not in listed]
    faults += [f"passes and is listed: {name}" for name, result in results.items()
               if result == "ok" and name in listed]
    faults += [f"is listed and is no spec: {name}" for name in sorted(listed - set(results))]
    for fault in faults:
        print(fault)
    passed = sum(1 for result in results.values() if result == "ok")
    print(f"{passed} of {len(results)} specs pass")
    return 1 if faults or not results else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
