#!/usr/bin/env python3
"""octavo chat: turns through a pipe and on a terminal, and what stops what.

    tests/cli/chat.py OCTAVO MODEL
"""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

octavo, model = (os.path.abspath(path) for path in sys.argv[1:3])
picture = os.path.join(model, "eval", "000.png")
where, colour = "Where is the purple circle?", "What colour is the small triangle?"
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def chat(text, *options, status=0, command=None):
    """Standard output and error of a conversation through pipes."""
    run = subprocess.run([octavo, *(command or ["chat", model, "--greedy", "-n", "24", *options])],
                         input=text if isinstance(text, bytes) else text.encode(), capture_output=True, timeout=300)
    check(run.returncode == status, f"{text!r}: exit status {run.returncode}, expected {status}: {run.stderr.decode()}")
    return run.stdout.decode(), run.stderr.decode()


def answer(messages):
    """What generate says to a conversation: the reference."""
    file = os.path.join(work, "messages.json")
    with open(file, "w") as out:
        json.dump(messages, out)
    return subprocess.run([octavo, "generate", model, "--greedy", "-n", "24", "--messages", file], check=True,
                          capture_output=True, timeout=300).stdout.decode().rstrip("\n")


def user(text, *paths):
    return {"role": "user", "content": [{"type": "image", "path": path} for path in paths] + [{"type": "text", "text": text}]}


with tempfile.TemporaryDirectory() as work:
    # Two turns, the second about what the first one showed; then a new conversation.
    first = answer([user(where, picture)])
    second = answer([user(where, picture), {"role": "assistant", "content": first}, user(colour)])
    alone = answer([user(colour, picture)])
    out, err = chat(f"/image {picture}\n{where}\n{colour}\n/status\n/reset\n/image '{picture}'\r\n{colour}")
    check(out == f"{first}\n{second}\n{alone}\n", f"turns: {out!r}, expected {(first, second, alone)!r}")
    status = re.search(r"(\d+) turns, 1 pictures; .* prompt of (\d+), (\d+) were read before", err)
    check(status and int(status[1]) == 4, f"status: {err!r}")
    check(status and int(status[3]) > int(status[2]) * 0.6, f"the second question read again what was read: {err!r}")
    check(">" not in out and err.count("\n") == 1, f"prompts go to a pipe: {err!r}")

    # Options instead of commands; a system prompt; several lines; a slash.
    out, _ = chat(where, "--image", picture)
    check(out == first + "\n", f"--image: {out!r}")
    french = [{"role": "system", "content": "Answer in French."}, user(where, picture)]
    for text, options in ((f"/system Answer in French.\n/image {picture}\n{where}\n", ()),
                          (where + "\n", ("--system", "Answer in French.", "--image", picture))):
        check(chat(text, *options)[0] == answer(french) + "\n", f"system prompt by {text!r}, {options}")
    check(chat('"""Where is\nthe circle?"""\n')[0] == answer([user("Where is\nthe circle?")]) + "\n", "several lines")
    check(chat("//usr is what?\n")[0] == answer([user("/usr is what?")]) + "\n", "a slash")
    check(chat("\n  \n/quit\nnever asked\n") == ("", ""), "empty lines, /quit")
    check(chat("") == ("", ""), "no input")

    # What is wrong with a line is said, and the conversation goes on; through a pipe the status tells.
    out, err = chat(f"/image nowhere.png\n/frobnicate\n/image\n/save\n/image {picture}\n{where}\n", status=1)
    check(out == first + "\n", f"after mistakes: {out!r}")
    for text in ("nowhere.png", "unknown command", "/image needs", "/save needs"):
        check(any(line.startswith("octavo: ") and text in line for line in err.splitlines()), f"no message says {text}")
    long = "word " * 20000
    out, err = chat(f"{long}\n/image {picture}\n{where}\n", status=1)
    check(out == first + "\n" and "/reset begins a new conversation" in err, f"a question beyond the context: {err!r}")
    out, err = chat(b"\xff\xfe\nHello\n", status=1)
    check("UTF-8" in err and len(out) > 1, f"invalid UTF-8: {err!r}")
    _, err = chat('"""never closed\n', status=1)
    check('closing """' in err, f"an open fence: {err!r}")
    _, err = chat("", command=["chat", os.path.join(work, "nowhere")], status=1)
    check("nowhere" in err, "no model")
    chat("", command=["chat", model, "--temperature", "1"], status=2)

    # What is saved is read again, as messages and as a sample; another file is not replaced.
    saved = os.path.join(work, "saved.json")
    chat(f"/image {picture}\n{where}\n/save {saved}\n/save {saved}\n")
    with open(saved) as lines:
        talk = json.load(lines)
    check([turn["role"] for turn in talk["messages"]] == ["user", "assistant"], f"saved: {talk}")
    check(talk["messages"][1]["content"][0]["text"] == first, "the saved answer")
    run = subprocess.run([octavo, "generate", model, "--greedy", "-n", "24", "--batch", saved], capture_output=True)
    check(run.stdout.decode() == first + "\n", f"the saved conversation as a sample: {run}")
    with open(os.path.join(work, "mine.json"), "w") as out:
        out.write("mine")
    _, err = chat(f"/save {work}/mine.json\n", status=1)
    check("mine.json" in err and open(os.path.join(work, "mine.json")).read() == "mine", "another file is replaced")
    full = subprocess.run([octavo, "chat", model, "-n", "2"], input=b"Hello\nHello\n", stdout=open("/dev/full", "w"),
                          stderr=subprocess.PIPE, timeout=300)
    check(full.returncode == 1 and b"cannot write to standard output" in full.stderr, f"a full disk: {full}")

    # On a terminal: prompts, Ctrl-C stops the answer and not the program, Ctrl-D ends it.
    try:
        ours, theirs = pty.openpty()
    except OSError as error:
        print(f"not run on a terminal: this system has no pseudo terminals ({error})")
    else:
        seen = b""

        def until(text, what):
            global seen
            end = time.monotonic() + 30
            while text not in seen and time.monotonic() < end:
                try:
                    if select.select([ours], [], [], 1)[0]:
                        seen += os.read(ours, 65536)
                except OSError:
                    break
            check(text in seen, f"{what}: {seen[-300:]!r}")
            seen = seen[seen.find(text) + len(text):] if text in seen else b""

        # No stop token: the answer goes on until it is stopped.
        child = subprocess.Popen([octavo, "chat", model, "--sample", "--temperature", "9", "-n", "100000"], stdin=theirs,
                                 stdout=theirs, stderr=theirs, start_new_session=True,
                                 preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
        os.close(theirs)
        until(b"> ", "no prompt")
        os.write(ours, b"\x03")  # at the prompt
        until(b"Ctrl-D or /quit ends.", "Ctrl-C at the prompt")
        until(b"> ", "no prompt after Ctrl-C")
        os.write(ours, b"Tell me a long story.\n")
        until(b"story.", "no echo")
        time.sleep(1)
        os.write(ours, b"\x03")
        until(b"> ", "Ctrl-C does not stop the answer")
        check(child.poll() is None, "Ctrl-C ends the program")
        os.write(ours, b"/status\n")
        until(b"tokens", "no life after Ctrl-C")
        os.write(ours, b"\x04")
        check(child.wait(60) == 0, "Ctrl-D: exit status")
        os.close(ours)

    # Terminated, it ends at once.
    child = subprocess.Popen([octavo, "chat", model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdin.write(b"Hello\n")
    child.stdin.flush()
    child.stdout.read(1)
    child.send_signal(signal.SIGTERM)
    check(child.wait(60) == 1, "SIGTERM: exit status")

print(len(failures), "failures")
sys.exit(1 if failures else 0)
