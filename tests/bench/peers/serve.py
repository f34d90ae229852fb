"""What the peers have in common: rows are measured one call at a time, when the driver (run.py) asks.

A peer is started once, loads, and says which rows it has. Then it reads names of rows from standard input and answers
each with milliseconds. Everything else that libraries print goes to standard error.
"""

import json
import os
import statistics
import sys
import time

_answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

# Qwen2.5-VL-3B
HIDDEN, INTERMEDIATE, VOCAB = 2048, 11008, 151936
HEADS, KV_HEADS, WIDTH = 16, 2, 128
LINEARS = {"q_proj": (2048, 2048), "gate_proj": (11008, 2048), "down_proj": (2048, 11008)}  # out, in
NEW_TOKENS = 16  # decoded per measurement


def tokens(count):
    """Plain ids, the same for every peer; which ones does not matter to the time."""
    return [(7 * i * i + 31 * i) % 256 for i in range(count)]


def seconds(job):
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def median_seconds(job, calls=7):
    return statistics.median(seconds(job) for _ in range(calls))


class Peer:
    def __init__(self, name, version, what):
        self._about = {"peer": name, "version": version, "what": what}
        self._rows = {}
        self._left_out = []

    def row(self, name, run):
        """run() does it once and returns the seconds of one call (prefill, linears, attention) or token (decode)."""
        try:
            run()  # warm
        except Exception as error:  # the peer cannot do it: say so, go on with the other rows
            self.leave_out(name, f"{type(error).__name__}: {error}"[:300])
        else:
            self._rows[name] = run

    def leave_out(self, name, why):
        self._left_out.append({"row": name, "why": why})

    def _say(self, document):
        print(json.dumps(document), file=_answers, flush=True)

    def serve(self):
        self._say({**self._about, "rows": list(self._rows), "left_out": self._left_out})
        for line in sys.stdin:
            name = line.strip()
            try:
                self._say({"row": name, "ms": 1e3 * self._rows[name]()})
            except Exception as error:
                self._say({"row": name, "error": f"{type(error).__name__}: {error}"[:300]})
