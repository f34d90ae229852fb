"""Starts octavo-server, and speaks HTTP to it with Python's standard library alone."""
import base64
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

SERVER, MODEL = sys.argv[1], pathlib.Path(sys.argv[2])


class Server:
    """A server of its own, on a port that is free; ends with the block."""

    def __init__(self, *options, env=None, model=MODEL):
        command = [SERVER, str(model), "--port", "0", "--model-name", "tiny",
                   "--prefix-cache-mib", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(env or {})})
        line = self.process.stdout.readline()
        found = re.search(r"http://(\S+):(\d+)", line)
        if not found:
            raise RuntimeError(f"the server did not start: {line!r} {self.process.stderr.read()!r}")
        self.host, self.port = found[1], int(found[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()
            self.process.stderr.close()

    def connection(self, timeout=120):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        """(status, headers, bytes) of one exchange; `body` is bytes, or what becomes JSON."""
        connection = self.connection()
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection.request(method, path, body, headers or {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.headers, content

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def chat(self, body, headers=None):
        """(status, JSON) of POST /v1/chat/completions."""
        status, _, content = self.request("POST", "/v1/chat/completions", body, headers)
        return status, json.loads(content)

    def refusal(self, **changes):
        """The error object for a question with `changes`, and its status."""
        status, answer = self.chat({**question("What is this?"), **changes})
        return status, answer.get("error")

    def events(self, body):
        """The data of a stream's events, parsed, "[DONE]" included."""
        status, headers, content = self.request("POST", "/v1/chat/completions", {**body, "stream": True})
        assert status == 200, content
        assert headers["Content-Type"].startswith("text/event-stream"), headers
        lines = [line for line in content.decode().split("\n\n") if line]
        assert all(line.startswith("data: ") for line in lines), lines
        return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[2].decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0


def data_uri(picture):
    return "data:image/png;base64," + base64.b64encode((MODEL / "eval" / picture).read_bytes()).decode()


def picture(url):
    return {"type": "image_url", "image_url": {"url": url}}


def text(words):
    return {"type": "text", "text": words}


def question(words, *pictures, **more):
    parts = [picture(data_uri(name)) for name in pictures] + [text(words)]
    return {"model": "tiny", "temperature": 0, "messages": [{"role": "user", "content": parts}], **more}


def samples():
    """eval.jsonl: what is right is said by who drew the pictures."""
    return [json.loads(line) for line in (MODEL / "eval" / "eval.jsonl").read_text().splitlines()]
