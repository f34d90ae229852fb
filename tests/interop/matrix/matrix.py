"""The bundled model as every release of transformers saves it, and what Octavo makes of each form.

    matrix.py OCTAVO LIBOCTAVO MODEL [--work DIR] [--full] [--releases 4.49.0,5.17.0] [--fixtures DIR]

For each release a venv is made (kept in DIR), save.py saves the model in its forms, answer.py says what that release
answers, and Octavo must check, quantize, verify and answer each form alike: the same greedy tokens, and logits that differ
by less than 1e-4 (float32 against float32: the order of sums). Without --full, the two ends of the range and the forms that
differ most. A tied model that stores another head ("own-head") is held against the newest release in every row: 4.x uses the
embedding in its place. --fixtures copies the JSON files (no weights) that the C++ tests read.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from octavo_logits import octavo_logits, use_library

RELEASES = ["4.49.0", "4.51.3", "4.52.4", "4.55.4", "4.57.6", "5.17.0"]
SHORT_RELEASES = ["4.49.0", "4.57.6", "5.17.0"]
SHORT_FORMS = ["asis", "resized", "own-head", "f16", "untied-sharded-f32"]
PROMPTS = 3
NEW_TOKENS = 12  # as answer.py
FLOAT_MAX_DIFFERENCE = 1e-4
HERE = os.path.dirname(os.path.abspath(__file__))

parser = argparse.ArgumentParser()
parser.add_argument("octavo")
parser.add_argument("library")
parser.add_argument("model")
parser.add_argument("--work", default="build/interop-matrix")
parser.add_argument("--full", action="store_true")
parser.add_argument("--releases")
parser.add_argument("--fixtures")
options = parser.parse_args()
for name in ("octavo", "library", "model", "work"):
    setattr(options, name, os.path.abspath(getattr(options, name)))
use_library(options.library)
samples = os.path.join(options.model, "eval", "eval.jsonl")
calibration = os.path.join(options.model, "calib", "calibration.jsonl")


def run(command, **arguments):
    return subprocess.run(command, capture_output=True, text=True, **arguments)


def must(command):
    done = run(command)
    if done.returncode:
        sys.exit(f"matrix: {' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def python_of(release):
    """A venv with that release. What all share (torch is large) lies in one venv, which the others see."""
    base = os.path.join(options.work, "base")
    if not os.path.exists(os.path.join(base, "done")):
        must([sys.executable, "-m", "venv", base])
        pip = os.path.join(base, "bin", "pip")
        must([pip, "install", "-q", "torch==2.13.0", "numpy", "pillow", "safetensors"])
        must([pip, "install", "-q", "--no-deps", "torchvision==0.28.0"])
        open(os.path.join(base, "done"), "w").close()
    venv = os.path.join(options.work, f"transformers-{release}")
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(os.path.join(venv, "done")):
        must([sys.executable, "-m", "venv", venv])
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        with open(os.path.join(venv, "lib", version, "site-packages", "base.pth"), "w") as path:
            path.write(os.path.join(base, "lib", version, "site-packages") + "\n")
        must([python, "-m", "pip", "install", "-q", f"transformers=={release}"])
        open(os.path.join(venv, "done"), "w").close()
    return python


def judge(directory, theirs, rows):
    """Each command's outcome: "ok", or what went wrong."""
    outcome = {}
    done = run([options.octavo, "check", directory])
    outcome["check"] = "ok" if done.returncode == 0 else (done.stdout + done.stderr).strip()[:300]
    try:
        questions = [(row["prompt"], os.path.join(os.path.dirname(samples), row["image"])) for row in rows]
        ours = octavo_logits(directory, questions)
        worst = max(float(np.abs(a - theirs[f"logits{i}"]).max()) for i, a in enumerate(ours))
        outcome["logits"] = "ok" if worst <= FLOAT_MAX_DIFFERENCE else f"differ by {worst:.2e}"
        outcome["difference"] = worst
    except Exception as error:  # what Octavo refuses is an outcome, too
        outcome["logits"] = str(error)[:300]
    wrong = []
    for i, row in enumerate(rows):
        done = run([options.octavo, "generate", directory, "--image", os.path.join(os.path.dirname(samples), row["image"]),
                    "--prompt", row["prompt"], "--max-new-tokens", str(NEW_TOKENS)])
        expected = str(theirs[f"text{i}"]).strip()
        if done.returncode or done.stdout.strip() != expected:
            wrong.append(f"{row['prompt']!r}: {done.stdout.strip()!r}, not {expected!r}; {done.stderr.strip()[:200]}")
    outcome["generate"] = wrong[0] if wrong else "ok"
    quantized = directory + "-w8a8"
    done = run([options.octavo, "quantize", directory, "-o", quantized, "--calibration", calibration, "--max-samples", "8",
                "--overwrite"])
    outcome["quantize"] = "ok" if done.returncode == 0 else (done.stdout + done.stderr).strip()[-300:]
    if done.returncode == 0:
        done = run([options.octavo, "verify", directory, quantized, "--samples", samples, "--max-samples", "4"])
        outcome["verify"] = "ok" if done.returncode == 0 else (done.stdout + done.stderr).strip()[-300:]
    else:
        outcome["verify"] = "no quantized directory"
    return outcome


def copy_fixtures(saved, release):
    """What the C++ tests read: the JSON files that say how a model is to be read, of the forms that differ."""
    short = ".".join(release.split(".")[:2])
    for form in ("asis", "resized", "untied"):
        target = os.path.join(options.fixtures, short, form)
        os.makedirs(target, exist_ok=True)
        for name in ("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json",
                     "video_preprocessor_config.json"):
            path = os.path.join(saved, form, name)
            if os.path.exists(path) and (form == "asis" or name == "config.json"):
                with open(path) as source, open(os.path.join(target, name), "w") as copy:
                    copy.write(source.read().replace(options.model, os.path.basename(options.model)))


with open(samples) as lines:
    rows = [json.loads(line) for line in lines if line.strip()][:PROMPTS]
releases = options.releases.split(",") if options.releases else RELEASES if options.full else SHORT_RELEASES
forms, table, unloadable = ([] if options.full else SHORT_FORMS), {}, []
for release in releases:
    python, saved = python_of(release), os.path.join(options.work, "saved", release)
    shutil.rmtree(saved, ignore_errors=True)
    os.makedirs(saved)
    must([python, os.path.join(HERE, "save.py"), options.model, saved, *forms])
    directories = sorted(os.path.join(saved, form) for form in os.listdir(saved))
    if options.fixtures:
        copy_fixtures(saved, release)
        continue
    own = [directory for directory in directories if directory.endswith("own-head")]
    rest = [directory for directory in directories if directory not in own]
    must([python, os.path.join(HERE, "answer.py"), samples, str(PROMPTS), *rest])
    must([python_of(RELEASES[-1]), os.path.join(HERE, "answer.py"), samples, str(PROMPTS), *own])
    for directory in directories:
        if os.path.exists(directory + ".failed"):
            with open(directory + ".failed") as file:
                unloadable.append((release, os.path.basename(directory), file.read()))
            continue
        with np.load(directory + ".npz") as theirs:
            outcome = judge(directory, theirs, rows)
        table[release, os.path.basename(directory)] = outcome
        told = [f"{step}: {outcome[step]}" for step in ("check", "logits", "generate", "quantize", "verify")
                if outcome[step] != "ok"]
        print(f"{release:8} {os.path.basename(directory):22} logits {outcome.get('difference', float('nan')):.1e}  "
              + ("as transformers" if not told else "; ".join(told)), flush=True)
if not options.fixtures:
    good = sum(all(outcome[step] == "ok" for step in ("check", "logits", "generate", "quantize", "verify"))
               for outcome in table.values())
    for release, form, error in unloadable:
        print(f"{release:8} {form:22} transformers itself does not load it: {error}")
    print(f"matrix: {good} of {len(table)} forms of {len(releases)} releases are checked, answered, quantized and verified "
          f"as transformers reads them; {len(unloadable)} that it does not load itself")
    sys.exit(good != len(table))
