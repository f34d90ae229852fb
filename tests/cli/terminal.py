#!/usr/bin/env python3
"""The octavo program on a terminal: its progress fits every width, is gone before the result, and promises nothing early.

    tests/cli/terminal.py OCTAVO MODEL
"""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

try:
    for end in pty.openpty():
        os.close(end)
except OSError as error:
    print(f"not run: this system has no pseudo terminals ({error}); a bare root needs /dev/pts")
    sys.exit(77)  # which ctest takes as skipped

octavo, model = (os.path.abspath(path) for path in sys.argv[1:3])
DRAWN = re.compile(rb"\r\x1b\[K([^\r\n]*)(?=\r\x1b\[K)")  # what stands on the line until it is erased


def on_terminal(columns, *arguments, **environment):
    """Exit status and bytes of a run whose standard output and error are one terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {**os.environ, "TERM": "xterm", **environment}
    if "NO_COLOR" not in environment:
        variables.pop("NO_COLOR", None)
    child = subprocess.Popen([octavo, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=variables)
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 65536):
            seen += part
    except OSError:  # the last one closed it
        pass
    os.close(ours)
    return child.wait(), seen


def screen(seen):
    """The lines that stay: carriage return, erase to the end of line, line feed, colours."""
    lines, column = [[]], 0
    for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.|\n", seen.decode(), re.S):
        if part == "\n":
            lines.append([])
            column = 0
        elif part == "\r":
            column = 0
        elif part == "\x1b[K":
            del lines[-1][column:]
        elif not part.startswith("\x1b"):
            lines[-1][column : column + 1] = [part]
            column += 1
    return ["".join(line) for line in lines]


failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


with tempfile.TemporaryDirectory() as work:
    # Enough samples that the time left gets told.
    samples = os.path.join(work, "samples.jsonl")
    with open(os.path.join(model, "calib", "calibration.jsonl")) as lines, open(samples, "w") as out:
        for line in list(lines) * 6:
            sample = json.loads(line)
            sample["image"] = os.path.join(model, "calib", sample["image"])
            out.write(json.dumps(sample) + "\n")
    for columns in (20, 40, 80, 200):
        target = os.path.join(work, f"out{columns}")
        status, seen = on_terminal(columns, "quantize", model, "-o", target, "--calibration", samples)
        check(status == 0, f"{columns} columns: exit status {status}: {seen[-300:]!r}")
        drawn = [line.decode() for line in DRAWN.findall(seen) if line]
        check(len(drawn) > 3, f"{columns} columns: progress was drawn {len(drawn)} times")
        longest = max(map(len, drawn), default=0)
        check(longest < columns, f"{columns} columns: a line of progress has {longest}")
        check(all("%" in line for line in drawn), f"{columns} columns: a line without the share")
        check("left" not in drawn[0], f"{columns} columns: the first line promises: {drawn[0]}")
        check(not any(re.search(r"\b0 s left", line) for line in drawn), f"{columns} columns: \"0 s left\"")
        if columns >= 80:
            check(any(line.startswith("[") for line in drawn), f"{columns} columns: no bar")
            check(any(re.search(r"\d+ s left", line) for line in drawn), f"{columns} columns: no time left")
        stays = screen(seen)
        check(any("linears in int8" in line for line in stays), f"{columns} columns: no result")
        check(not any("%  " in line or "##" in line for line in stays), f"{columns} columns: progress stays: {stays}")

    int8 = os.path.join(work, "out80")
    profile = os.path.join(work, "profile.json")
    with open(profile, "w") as out:
        json.dump({"extends": "lenient", "prompts": 1, "long_tokens": 8}, out)
    status, seen = on_terminal(80, "verify", model, int8, "--profile", profile)
    check(status == 0, f"verify: exit status {status}")
    check(b"\x1b[32mpassed" in seen, "verify: no colour on a terminal")
    check(not any("%  " in line or "##" in line for line in screen(seen)), "verify: progress stays between the steps")
    check(all(re.match("passed|skipped", line) for line in screen(seen) if " s" in line), "verify: a step does not begin its line")
    _, seen = on_terminal(80, "verify", model, int8, "--profile", profile, NO_COLOR="1")
    check(not re.search(rb"\x1b\[3[0-9]m", seen), "verify: colour in spite of NO_COLOR")
    _, seen = on_terminal(80, "verify", model, int8, "--profile", profile, TERM="dumb")
    check(not re.search(rb"\x1b\[3[0-9]m", seen), "verify: colour on a dumb terminal")
    _, seen = on_terminal(80, "verify", model, int8, "--profile", profile, "--quiet")
    check(b"%" not in seen, "verify --quiet: progress all the same")

    run = subprocess.run([octavo, "quantize", model, "-o", os.path.join(work, "piped"), "--calibration", samples],
                         capture_output=True)
    check(run.returncode == 0 and b"%" in run.stderr, "piped: no progress")
    check(b"\x1b" not in run.stderr + run.stdout and b"\r" not in run.stderr, "piped: control sequences")
    check(b"left" not in run.stderr.splitlines()[0], "piped: the first line promises")

print(f"{len(failures)} failures")
sys.exit(1 if failures else 0)
