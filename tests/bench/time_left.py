"""How well the time left of a quantization is told: at moments of the job, what Progress lets a caller tell, over what was
still to come.

    OCTAVO_LIBRARY=build/release/capi/liboctavo.so PYTHONPATH=capi/python \\
      python3 tests/bench/time_left.py MODEL SAMPLES.jsonl [max_samples]

Time is that of the clock, so the machine must be quiet. What is told is that of the latest step that had ended.
"""

import pathlib
import sys
import tempfile
import time

import octavo

SHARES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main():
    model, samples = sys.argv[1:3]
    told = []  # seconds, stage, done, total

    def progress(stage, done, total):
        told.append((time.monotonic() - began, stage, done, total))
        return True

    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        octavo.quantize(model, pathlib.Path(scratch) / "out", calibration=samples, progress=progress,
                        max_samples=int(sys.argv[3]) if len(sys.argv) > 3 else 0)
        seconds = time.monotonic() - began
    print(f"{seconds:.1f} s in all\n{'after s':>9} {'told s':>9} {'came s':>9} {'ratio':>6}  stage")
    for share in SHARES:
        now, stage, done, total = next((entry for entry in reversed(told) if entry[0] <= share * seconds), (0, "", 0, 0))
        if done > 0:
            left = now * (total - done) / done
            print(f"{now:9.1f} {left:9.1f} {seconds - now:9.1f} {left / (seconds - now):6.2f}  {stage}")


if __name__ == "__main__":
    main()
