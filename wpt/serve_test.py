"""Tests of serve.py that need no checkout of the suite: python3 wpt/serve_test.py"""

import os
import subprocess
import sys
import unittest

# Forks by multiprocessing, as the suite does, and a process of that one by os.fork,
# each of which keeps standard output open and would run on.
PROGRAM = """
import multiprocessing, os, sys, time
import serve

def run(depth):
    os.write(1, b"x")
    if depth and os.fork() == 0:
        return run(depth - 1)
    while True:
        time.sleep(60)

serve.end_with_stdin()
for depth in (0, 1):
    multiprocessing.get_context("fork").Process(target=run, args=(depth,)).start()
run(0)
"""


class EndWithStdin(unittest.TestCase):
    def start(self):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=os.path.dirname(os.path.abspath(__file__)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.assertEqual(process.stdout.read(4), b"xxxx")
        return process

    def has_ended(self, process):
        # The end of standard output is that of all processes that have it.
        self.assertEqual(process.stdout.read(), b"")
        process.stdout.close()
        process.wait()

    def test_all_end_with_standard_input(self):
        process = self.start()
        process.stdin.close()
        self.has_ended(process)

    def test_all_end_though_the_first_was_killed(self):
        process = self.start()
        process.kill()
        process.wait()
        process.stdin.close()
        self.has_ended(process)


if __name__ == "__main__":
    unittest.main()
