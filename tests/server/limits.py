#!/usr/bin/env python3
"""octavo-server: its limits, its key, careless and slow clients, its end.   limits.py SERVER MODEL_DIR"""
import base64
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest
import zlib

import support
from support import MODEL, Server, picture, question, text


def png(width, height, noise):
    """A PNG of `noise`, which does not compress, or of one colour."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    row = b"\0" + bytes(3 * width)
    rows = b"".join(b"\0" + os.urandom(3 * width) for _ in range(height)) if noise else row * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def asking_about(data):
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    return {"model": "tiny", "max_tokens": 1, "messages": [{"role": "user", "content": [picture(url), text("What?")]}]}


def long_question(tokens, **more):
    return question("What is this?", max_tokens=tokens, ignore_eos=True, **more)


def raw(server, data, finish=False, timeout=60):
    """What comes back for `data` as it stands."""
    with socket.create_connection((server.host, server.port), timeout=timeout) as client:
        client.sendall(data)
        if finish:
            client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(65536):
            received += piece
    return received


def post(body, length=None, headers=b"", kind=b"application/json"):
    stated = b"" if length is False else b"Content-Length: %d\r\n" % (len(body) if length is None else length)
    return (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: " + kind + b"\r\n" + stated + headers +
            b"\r\n" + body)


class Limits(unittest.TestCase):
    def works(self, server):
        status, answer = server.chat(question("What colour is the small triangle?", "000.png"))
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["choices"][0]["message"]["content"], "blue")

    def test_sizes(self):
        with Server("--max-body-mib", "4", "--max-picture-mib", "1", "--max-picture-pixels", "1000000",
                    "--max-pictures", "2") as server:
            for mib in (5, 12, 40):  # read on and thrown away, and refused unread
                try:
                    status, answer = server.chat(b'{"model": "' + b"x" * (mib << 20) + b'"}')
                    self.assertEqual(status, 413, answer)
                    self.assertIn("--max-body-mib", answer["error"]["message"])
                except (ConnectionResetError, BrokenPipeError):
                    self.assertGreater(mib, 16)  # the client wrote on when the server had answered
            status, answer = server.chat(asking_about(png(700, 700, noise=True)))
            self.assertEqual(status, 413, answer)
            self.assertIn("--max-picture-mib", answer["error"]["message"])
            status, answer = server.chat(asking_about(png(4000, 4000, noise=False)))
            self.assertEqual(status, 400, answer)
            self.assertIn("1000000", answer["error"]["message"])
            status, answer = server.chat(question("What?", "000.png", "001.png", "002.png"))
            self.assertEqual(status, 400, answer)
            self.assertIn("--max-pictures", answer["error"]["message"])
            self.works(server)

    def test_bodies_that_are_no_request(self):
        with Server("--body-timeout", "2") as server:
            for body in (b"", b"{", b"nonsense", b"[]", b"null", b'"x"', b"[" * 100000, b'{"model": "tiny", "model": "tiny"}',
                         b'{"model": "\xff\xfe"}', b"\0" * 100):
                status, answer = server.chat(body)
                self.assertEqual(status, 400, (body[:40], answer))
                self.assertTrue(answer["error"]["message"])
            self.assertIn(b" 415 ", raw(server, post(b"{}", kind=b"text/plain"))[:15])
            self.assertIn(b" 411 ", raw(server, post(b"", length=False))[:15])
            # A client that has ended its side counts as gone: not every release of httplib answers it.
            self.assertIn(raw(server, post(b'{"model"', length=100), finish=True)[:12], (b"", b"HTTP/1.1 400"))
            self.assertIn(b" 413 ", raw(server, post(b"", length=10**15))[:15])
            self.assertIn(b" 400 ", raw(server, b"GARBAGE\r\n\r\n")[:15])
            self.assertIn(b" 404 ", raw(server, b"POST /v1/embeddings HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n")[:15])
            self.assertIn(b" 404 ", raw(server, b"GET / HTTP/1.1\r\n\r\n")[:15])
            started = time.monotonic()
            with socket.create_connection((server.host, server.port), timeout=30) as slow:
                slow.sendall(post(b"", length=1000))
                for _ in range(8):
                    time.sleep(0.5)
                    try:
                        slow.sendall(b" ")
                    except OSError:
                        break
                self.assertIn(b" 408 ", slow.recv(65536)[:15])
            self.assertLess(time.monotonic() - started, 10)
            self.works(server)

    def test_a_key_is_asked_for(self):
        with Server(env={"OCTAVO_API_KEY": "secret"}) as server:
            body = question("What colour is the small triangle?", "000.png")
            for key in (None, "Bearer", "Bearer secre", "Bearer secrets", "Bearer Secret", "secret", "Basic secret"):
                headers = {"Content-Type": "application/json", **({"Authorization": key} if key else {})}
                status, answer = server.chat(body, headers)
                self.assertEqual((status, answer["error"]["type"]), (401, "authentication_error"), key)
                self.assertEqual(server.get("/v1/models", headers)[0], 401)
                self.assertEqual(server.get("/metrics", headers)[0], 401)
            self.assertEqual(server.get("/health")[0], 200)
            right = {"Content-Type": "application/json", "Authorization": "Bearer secret"}
            self.assertEqual(server.chat(body, right)[0], 200)
            self.assertEqual(server.get("/v1/models", right)[0], 200)

    def refuses_to_start(self, *options, says):
        ended = subprocess.run([support.SERVER, str(MODEL), *options], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn(says, ended.stderr)

    def test_command_lines_that_cannot_be_used(self):
        self.refuses_to_start("--host", "0.0.0.0", "--port", "0", says="OCTAVO_API_KEY")
        self.refuses_to_start("--max-running", "0", says="--max-running")
        self.refuses_to_start("--port", "70000", says="--port")
        with Server() as server:
            self.refuses_to_start("--port", str(server.port), says="another program has the port")

    def test_an_answer_that_takes_too_long(self):
        with Server("--timeout", "1", "--max-running", "1") as server:
            started = time.monotonic()
            status, answer = server.chat(long_question(1900))
            if status == 200:  # a machine that is fast enough
                self.assertLess(time.monotonic() - started, 2)
            else:
                self.assertEqual((status, answer["error"]["code"]), (504, "timeout"))
            self.works(server)

    def test_a_client_that_leaves_is_noticed(self):
        with Server("--max-running", "1", "--max-waiting", "4") as server:
            for stream in (False, True):
                before = server.metric("octavo_requests_abandoned_total")
                body = json.dumps(long_question(1900, stream=stream)).encode()
                with socket.create_connection((server.host, server.port)) as client:
                    client.sendall(post(body))
                    if stream:
                        client.recv(1)
                    else:
                        time.sleep(0.3)
                self.works(server)
                self.assertEqual(server.metric("octavo_requests_abandoned_total") - before, 1, f"stream={stream}")

    def test_a_client_that_does_not_read_delays_no_other(self):
        with Server("--max-running", "2") as server:
            with socket.create_connection((server.host, server.port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                client.sendall(post(json.dumps(long_question(1900, stream=True)).encode()))
                self.works(server)

    def test_more_than_the_queue_holds(self):
        with Server("--max-running", "1", "--max-waiting", "1") as server:
            statuses = []
            def ask():
                statuses.append(server.chat(long_question(400))[0])
            threads = [threading.Thread(target=ask) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(set(statuses), {200, 429})
            self.works(server)

    def test_sigterm_lets_running_answers_end(self):
        with Server("--drain-timeout", "60") as server:
            connection = server.connection()
            body = json.dumps(long_question(1500, stream=True))
            connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read(1)
            server.process.send_signal(signal.SIGTERM)
            server.process.stdout.readline()
            try:  # while the answer runs; afterwards nobody listens
                self.assertEqual(server.get("/health")[0], 503)
                self.assertEqual(server.chat(question("What?"))[0], 503)
            except ConnectionRefusedError:
                pass
            content += response.read()
            self.assertTrue(content.endswith(b"data: [DONE]\n\n"), content[-200:])
            self.assertEqual(server.process.wait(30), 0)

    def test_a_second_sigterm_ends_it_at_once(self):
        with Server("--drain-timeout", "600", "--timeout", "600") as server:
            connection = server.connection()
            connection.request("POST", "/v1/chat/completions", json.dumps(long_question(1900, stream=True)),
                               {"Content-Type": "application/json"})
            connection.getresponse().read(1)
            server.process.send_signal(signal.SIGTERM)
            server.process.stdout.readline()
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(20), 0)


if __name__ == "__main__":
    unittest.main(argv=support.sys.argv[:1], verbosity=2)
