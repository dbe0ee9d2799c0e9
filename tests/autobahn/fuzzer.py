"""The suite's own part, for CPython 2.7: the fuzzing server or client.

usage: fuzzer.py server SPEC FD | fuzzer.py client SPEC

SPEC is a file as `wstest --spec` takes it. `wstest` itself would listen on all
interfaces, and on a port that is known before; this takes a listening socket.
"""

from __future__ import print_function

import json
import socket
import sys

# Installs the reactor, so it comes before everything else of the suite.
from autobahntestsuite import choosereactor  # noqa: F401
from autobahntestsuite import fuzzing
from twisted.internet import reactor


def main():
    with open(sys.argv[2]) as spec_file:
        spec = json.load(spec_file)
    if sys.argv[1] == "server":
        factory = fuzzing.FuzzingServerFactory(spec)
        reactor.adoptStreamPort(int(sys.argv[3]), socket.AF_INET, factory)
    else:
        fuzzing.startClient(spec)
    reactor.run()


main()
