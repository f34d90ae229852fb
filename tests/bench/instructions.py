#!/usr/bin/env python3
"""Counts the instructions of hot paths under callgrind, which no other program on the machine changes, and compares
them with instructions.json: 20 % more than there fails.

    tests/bench/instructions.py BUILD            compare; BUILD is build/release or another build directory
    tests/bench/instructions.py BUILD --record   write what was counted into instructions.json, for this compiler

A path is run once and three times; half the difference is one time, without what is done at the start. valgrind knows
instructions up to AVX2, so those loops are counted. Where the compiler has no record of its own the bound is twice the
largest record. Exit status: 0, 1 a path takes more, 77 it cannot be counted here.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RECORD = HERE / "instructions.json"
MORE = 1.20


def not_here(why):
    print(f"not counted: {why}")
    sys.exit(77)


def counted(command, environment):
    """Instructions of one run."""
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command], text=True,
                         capture_output=True, env=environment)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"{' '.join(command)}: exit status {run.returncode}\n{run.stderr[-2000:]}")
    return int(found[1])


def main():
    build = pathlib.Path(sys.argv[1])
    if shutil.which("valgrind") is None:
        not_here("there is no valgrind")
    if "avx2" not in pathlib.Path("/proc/cpuinfo").read_text():
        not_here("the processor has no AVX2")
    octavo, program = build / "examples" / "octavo", build / "tests" / "hot_paths"
    about = json.loads(subprocess.run([octavo, "--version", "--json"], check=True, capture_output=True).stdout)
    compiler = re.match(r"\S+ \d+", about["compiler"])[0]  # "GCC 12"
    environment = {**os.environ, "OCTAVO_INT8_BACKEND": "avx2", "OCTAVO_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "w8a8"
        small = HERE.parents[1] / "examples" / "models" / "octavo-tiny-vl"
        subprocess.run([octavo, "quantize", small, "-o", model, "-r", "rtn", "-q"], check=True,
                       stdout=subprocess.DEVNULL)
        names = subprocess.run([program, model], check=True, capture_output=True, text=True).stdout.splitlines()
        counts = {}
        for name in names:
            once, thrice = (counted([program, model, name, times], environment) for times in ("1", "3"))
            counts[name] = (thrice - once) // 2
    records = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if "--record" in sys.argv:
        records[compiler] = counts
        RECORD.write_text(json.dumps(records, indent=2, sort_keys=True) + "\n")
    failed = False
    for name, count in counts.items():
        known = records.get(compiler, {}).get(name)
        bound = MORE * known if known else 2 * max(record.get(name, 0) for record in records.values())
        told = f"{count / known:.2f} of the record" if known else f"no record for {compiler}"
        too_many = count > bound
        failed |= too_many
        print(f"{'FAILED' if too_many else 'ok':7} {name:34} {count:14,} instructions, {told}, at most {bound:,.0f}")
        if known and count < known / MORE:
            print(f"        fewer than the record by far: tests/bench/instructions.py {build} --record")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
