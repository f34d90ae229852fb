#!/usr/bin/env python3
"""octavo-server under load: many clients, some of which leave; every answer is still the right one.
load.py SERVER MODEL_DIR [--clients N] [--requests N]"""
import argparse
import json
import random
import threading
import time
import unittest

import support
from support import Server, question, samples

CLIENTS, REQUESTS = 32, 256


def measured(server, clients, bodies):
    """Sends `bodies` from `clients` threads; each says what became of it and how long it took."""
    results, lock, work = [], threading.Lock(), list(enumerate(bodies))

    def client():
        while True:
            with lock:
                if not work:
                    return
                number, body = work.pop()
            started = time.monotonic()
            while True:
                status, answer = server.chat(body)
                if status != 429:
                    break
                time.sleep(0.05)
            with lock:
                results.append((number, status, answer, time.monotonic() - started))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, time.monotonic() - started


class Load(unittest.TestCase):
    def test_many_clients(self):
        asked = samples()[:48]
        with Server("--max-running", "8", "--max-waiting", "16") as server:
            alone = {}
            for sample in asked:
                status, answer = server.chat(question(sample["prompt"], sample["image"]))
                self.assertEqual(status, 200, answer)
                alone[sample["id"]] = answer["choices"][0]["message"]["content"]
            failures, counts, lock = [], {"answered": 0, "left": 0, "sent away": 0}, threading.Lock()

            def count(what):
                with lock:
                    counts[what] += 1

            def request(choose):
                sample = choose.choice(asked)
                stream = choose.random() < 0.5
                body = json.dumps(question(sample["prompt"], sample["image"], stream=stream))
                connection = server.connection()
                connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
                if choose.random() < 0.2:  # leaves before the answer, or in its midst
                    if stream:
                        connection.getresponse().read(choose.randrange(1, 400))
                    connection.close()
                    return count("left")
                response = connection.getresponse()
                content = response.read()
                connection.close()
                if response.status == 429:
                    count("sent away")
                    return time.sleep(0.05)
                if response.status != 200:
                    failures.append((response.status, content))
                    return None
                if stream:
                    events = [line[6:] for line in content.decode().split("\n\n") if line.startswith("data: {")]
                    got = "".join(json.loads(event)["choices"][0]["delta"].get("content", "") for event in events)
                else:
                    got = json.loads(content)["choices"][0]["message"]["content"]
                if got != alone[sample["id"]]:
                    failures.append((sample["id"], got, alone[sample["id"]]))
                return count("answered")

            def client(seed):
                choose = random.Random(seed)
                try:
                    for _ in range(REQUESTS // CLIENTS):
                        request(choose)
                except Exception as error:  # a thread's exception would be lost
                    failures.append(repr(error))

            threads = [threading.Thread(target=client, args=(seed,)) for seed in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.assertGreater(counts["answered"], REQUESTS // 4, counts)
            self.assertGreater(counts["left"], 0, counts)
            deadline = time.monotonic() + 30
            while server.metric("octavo_requests_running") + server.metric("octavo_requests_waiting") > 0:
                self.assertLess(time.monotonic(), deadline, "answers that nobody waits for go on")
                time.sleep(0.1)
            print(counts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=0)
    parser.add_argument("--requests", type=int, default=64)
    options = parser.parse_args(support.sys.argv[3:])
    if options.clients == 0:
        return unittest.main(argv=support.sys.argv[:1], verbosity=2)
    bodies = [question(s["prompt"], s["image"]) for s in (samples() * 8)[:options.requests]]
    print("| running | requests/s | tokens/s | median s | slowest s |\n|---|---|---|---|---|")
    for running in (1, 2, 4, 8):
        with Server("--max-running", str(running), "--max-waiting", "64") as server:
            measured(server, 2, bodies[:4])
            results, seconds = measured(server, options.clients, bodies)
            assert all(status == 200 for _, status, _, _ in results)
            tokens = sum(answer["usage"]["completion_tokens"] for _, _, answer, _ in results)
            times = sorted(taken for *_, taken in results)
            print(f"| {running} | {len(results) / seconds:.1f} | {tokens / seconds:.0f} | {times[len(times) // 2]:.2f} | {times[-1]:.2f} |")
    return None


if __name__ == "__main__":
    main()
