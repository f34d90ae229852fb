"""Ctrl-C: SIGINT to a process in the middle of a job raises KeyboardInterrupt soon, leaves nothing half-written, and the
library goes on working."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from support import CALIBRATION, MODEL, SAMPLES

# Runs `job`, says when it has begun, and what became of it; then the model still answers.
PROGRAM = """
import signal, sys, threading, time
import octavo
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
model_dir, calibration, samples, out = sys.argv[1:]
model = octavo.Model(model_dir)
def begun(*report):
    print("begun", flush=True)
def quantized():
    octavo.quantize(model_dir, out, calibration=calibration, max_samples=1)
    return out
def later():
    time.sleep(0.3)
    begun()
try:
    {job}
    print("it ended by itself")
except KeyboardInterrupt:
    print("interrupted")
while threading.active_count() > 1:  # nothing goes on in the background
    time.sleep(0.01)
print(model.generate("Where is the red circle?", max_new_tokens=3).new_tokens)
"""
JOBS = {
    # No callback until the first token: only a thread that waits can hear the signal.
    "prefill": "threading.Thread(target=later, daemon=True).start(); [model.logits('a b c d ' * 600) for _ in range(100)]",
    "session": "threading.Thread(target=later, daemon=True).start(); "
               "[octavo.Session(model).feed('a b c d ' * 600) for _ in range(100)]",
    "one long generation": "threading.Thread(target=later, daemon=True).start(); "
                           "model.generate('a b c d ' * 600, use_cache=False, max_new_tokens=400)",
    "stream": "[begun() for _ in model.generate('a b c d ' * 600, stream=True, use_cache=False, max_new_tokens=400)]",
    "traced": "with octavo.trace(out + '.trace'): octavo.quantize(model_dir, out, calibration=calibration, progress=begun)",
    "quantize": "octavo.quantize(model_dir, out, calibration=calibration, progress=begun)",
    "verify": "octavo.verify(model_dir, quantized(), samples=samples, run_all=True, progress=begun)",
}


class InterruptTest(unittest.TestCase):
    def interrupted(self, job):
        with tempfile.TemporaryDirectory() as scratch:
            out = os.path.join(scratch, "out")
            program = subprocess.Popen(
                [sys.executable, "-c", PROGRAM.format(job=JOBS[job]), MODEL, CALIBRATION, SAMPLES, out],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                self.assertEqual(program.stdout.readline(), "begun\n", program.stderr.read() if program.poll() else "")
                begin = time.monotonic()
                program.send_signal(signal.SIGINT)
                said, errors = program.communicate(timeout=60)
            finally:
                program.kill()
                program.communicate()
            seconds = time.monotonic() - begin
            self.assertEqual(os.listdir(scratch), {"verify": ["out"], "traced": ["out.trace"]}.get(job, []))
        said = [line for line in said.splitlines() if line != "begun"]
        self.assertEqual((said, errors, program.returncode), (["interrupted", "3"], "", 0))
        return seconds

    def test_every_job(self):
        for job in JOBS:
            with self.subTest(job):
                self.interrupted(job)

    def test_a_program_that_catches_nothing_ends(self):
        program = subprocess.Popen(
            [sys.executable, "-c", "import octavo, signal, sys\n"
             "signal.signal(signal.SIGINT, signal.default_int_handler)\nprint('begun', flush=True)\n"
             "octavo.Model(sys.argv[1]).generate('a b c d ' * 600, use_cache=False, max_new_tokens=400)", MODEL],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        program.stdout.readline()
        time.sleep(0.5)
        program.send_signal(signal.SIGINT)
        try:
            _, errors = program.communicate(timeout=60)
        finally:
            program.kill()
            program.communicate()
        self.assertEqual(program.returncode, -signal.SIGINT)
        self.assertIn("KeyboardInterrupt", errors.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
