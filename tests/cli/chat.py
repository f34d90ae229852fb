#!/usr/bin/env python3
"""octavo chat: turns through a pipe and on a terminal, and what stops what.

    tests/cli/chat.py OCTAVO MODEL
"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
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


class Terminal:
    """A chat whose three streams are one terminal."""

    def __init__(self, term, *options):
        self.seen, self.after = b"", None
        self.ours, theirs = pty.openpty()
        self.child = subprocess.Popen(
            [octavo, "chat", model, *options], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": term, "HOME": work},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)

    def type(self, text):
        os.write(self.ours, text.encode())

    def read(self):
        try:
            part = os.read(self.ours, 65536) if select.select([self.ours], [], [], 0.5)[0] else b""
        except OSError:  # the last one closed it
            return False
        self.seen += part
        return True

    def until(self, text, what):
        end = time.monotonic() + 30
        while text.encode() not in self.seen and time.monotonic() < end and self.read():
            pass
        check(text.encode() in self.seen, f"{what}: {self.seen[-300:]!r}")
        self.seen = self.seen.partition(text.encode())[2]

    def end(self, text, status=0):
        """What is seen up to the end, after `text`."""
        self.type(text)
        end = time.monotonic() + 60
        while self.child.poll() is None and time.monotonic() < end:
            self.read()
        self.after = termios.tcgetattr(self.ours)
        while select.select([self.ours], [], [], 0)[0] and self.read():
            pass
        check(self.child.poll() == status, f"exit status {self.child.poll()} after {text!r}, expected {status}")
        os.close(self.ours)
        return self.seen.decode(errors="replace")


def terminal(term, *options):
    try:
        return Terminal(term, *options)
    except OSError as error:
        print(f"not run on a terminal: this system has no pseudo terminals ({error})")
        return None


def editing(*lines):
    """Questions as they were asked, when `lines` are typed; an inner Ctrl-C gets its time."""
    global pictures
    file = os.path.join(work, "edited.json")
    talk, prompt = terminal("xterm", "--greedy", "-n", "1"), "\x1b[?2004h> "  # "> " alone is also redrawn
    for line in lines:
        talk.until(prompt, "no prompt")
        for part in re.split("(\x03)", line):
            talk.type(part)
            if part == "\x03":
                talk.until("/quit ends.", "Ctrl-C is not noticed")
                talk.until(prompt, "no prompt after Ctrl-C")
        talk.type("" if line.endswith("\n") else "\n")
    talk.until(prompt, "no prompt")
    talk.type(f"/save {file}\n")
    talk.until("saved: ", "not saved")
    talk.end("/quit\n")
    with open(file) as text:
        parts = [part for turn in json.load(text)["messages"] if turn["role"] == "user" for part in turn["content"]]
    pictures = [part["path"] for part in parts if part["type"] == "image"]
    return [part["text"] for part in parts if part["type"] == "text"]


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

    # A long conversation runs no more per turn than a short one.
    _, err = chat(f"/image {picture}\n" + f"{where}\n/status\n{colour}\n/status\n" * 20)
    prompts = [(int(read), int(known)) for read, known in re.findall(r"prompt of (\d+), (\d+) were read before", err)]
    check(len(prompts) == 40 and prompts[-1][0] > 700, f"40 turns: {prompts}")
    check(max(read - known for read, known in prompts[1:]) <= 20, f"a turn reads again what was read: {prompts}")

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

    # On a terminal: prompts, Ctrl-C stops the answer and not the program, Ctrl-D ends it; with line editing and without.
    for term in ("dumb", "xterm"):
        if not (talk := terminal(term, "--sample", "--temperature", "9", "-n", "100000")):  # no stop token: it goes on
            continue
        talk.until("> ", "no prompt")
        for _ in range(20):  # Ctrl-C takes back what was typed, which may have been seen and not yet read
            talk.type("half a question" if term == "xterm" else "")
            talk.type("\x03")  # at the prompt
            talk.until("Ctrl-D or /quit ends.", "Ctrl-C at the prompt")
            talk.until("> ", "no prompt after Ctrl-C")
        talk.type("Tell me a long story.\n")
        talk.until("story.", "no echo")
        talk.until("{", "no answer")  # it has some thousand tokens, and brackets among the first
        talk.type("\x03")
        talk.until("stopped", "Ctrl-C does not stop the answer")
        talk.until("> ", "no prompt after the answer")
        check(talk.child.poll() is None, "Ctrl-C ends the program")
        talk.type("/status\n")
        talk.until("tokens", "no life after Ctrl-C")
        check("half a question" not in talk.end("\x04"), "what Ctrl-C took back is asked")
        talk = terminal(term, "--greedy")  # and a Ctrl-D that does not wait for the answer
        talk.until("> ", "no prompt")
        talk.type("Where?\n")
        talk.until("Where?\r\n", "no echo")
        talk.end("\x04")

    # Line editing: what is saved is what was asked. The questions are typed, one by one.
    version = subprocess.run([octavo, "--version"], capture_output=True, text=True, check=True).stdout
    if "line editing   none" in version:
        print("not run: line editing, which this build does not have")
    else:
        os.makedirs(os.path.join(work, "pictures"))
        shutil.copy(picture, os.path.join(work, "pictures", "a picture \u00e9.png"))
        asked = editing("Whre\x1b[D\x1b[De", "\x01\x1b[A\x05 again", "caf\u00e9\u00e9\x7f \u65e5\u672c\u8a9e\u672c\x7f", "\x12Whe\n",
                        "\x1b[200~one\rtwo\x1b[31m\r\rthree\r\x1b[201~ four", "gone\x03kept",
                        f"/im\t{work}/pict\ta\t\nlook")
        check(asked == ["Where", "Where again", "caf\u00e9 \u65e5\u672c\u8a9e", "Where again", "one\ntwo[31m\n\nthree four", "kept",
                        "look"], f"edited lines: {asked}")
        check(pictures == [os.path.join(work, "pictures", "a picture \u00e9.png")], f"completed path: {pictures}")

        # Whatever ends it, the terminal is as before.
        for what in ("/quit\n", "\x04", signal.SIGTERM):
            talk = terminal("xterm")
            before = termios.tcgetattr(talk.ours)
            talk.until("> ", "no prompt")
            check(termios.tcgetattr(talk.ours)[3] != before[3], "no line editing on a terminal")
            if what is signal.SIGTERM:
                talk.child.send_signal(what)
            seen = talk.end("" if what is signal.SIGTERM else what, 1 if what is signal.SIGTERM else 0)
            check(talk.after == before, f"the terminal's settings after {what!r}")
            check(seen.rstrip().endswith("\x1b[?2004l") or "\x1b[?2004l" in seen, f"pastes stay marked after {what!r}: {seen!r}")

    # Terminated, it ends at once.
    child = subprocess.Popen([octavo, "chat", model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdin.write(b"Hello\n")
    child.stdin.flush()
    child.stdout.read(1)
    child.send_signal(signal.SIGTERM)
    check(child.wait(60) == 1, "SIGTERM: exit status")

print(len(failures), "failures")
sys.exit(1 if failures else 0)
