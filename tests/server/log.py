#!/usr/bin/env python3
"""octavo-server: what it says on standard error, by OCTAVO_LOG.   log.py SERVER MODEL_DIR"""
import json
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import support
from support import MODEL, Server, question


def said(level, model=MODEL):
    """The lines on standard error of a server that answers one question."""
    with Server(env={"OCTAVO_LOG": level}, model=model) as server:
        status, answer = server.chat(question("What is this?", max_tokens=1))
        assert status == 200, answer
        server.process.send_signal(signal.SIGTERM)
        return server.process.communicate(timeout=60)[1].splitlines()


class Log(unittest.TestCase):
    def test_nothing_is_said_of_a_plain_model(self):
        self.assertEqual(said(""), [])
        self.assertEqual(said("warning"), [])

    def test_each_line_has_program_level_and_module(self):
        lines = said("info")
        for line in lines:
            self.assertRegex(line, r"^octavo-server: (info|warning): [a-z_]+: \S")
        modules = {re.match(r"octavo-server: info: ([a-z_]+):", line)[1] for line in lines}
        self.assertLessEqual({"gemm", "model", "tensor"}, modules)
        self.assertGreaterEqual(len(said("debug")), len(lines))

    def test_what_is_not_acted_upon_is_said_once(self):
        with tempfile.TemporaryDirectory() as directory:
            copy = shutil.copytree(MODEL, pathlib.Path(directory) / "model")
            path = copy / "generation_config.json"
            path.chmod(0o644)
            path.write_text(json.dumps({**json.loads(path.read_text()), "num_beams": 4}))
            for level, begins in (("", "octavo-server: "), ("warning", "octavo-server: warning: model: ")):
                lines = said(level, copy)
                self.assertEqual(len(lines), 1, lines)
                self.assertTrue(lines[0].startswith(begins), lines)
                self.assertIn("num_beams is 4, which is not acted upon", lines[0])
                self.assertEqual("warning" in lines[0], level == "warning", lines)

    def test_an_unknown_level_is_wrong_usage(self):
        ended = subprocess.run([support.SERVER, str(MODEL)], capture_output=True, text=True, timeout=60,
                               env={**support.os.environ, "OCTAVO_LOG": "loud"})
        self.assertEqual(ended.returncode, 2)
        self.assertEqual(ended.stderr, 'octavo-server: OCTAVO_LOG is "loud", one of debug, info, warning is needed\n')


if __name__ == "__main__":
    unittest.main(argv=support.sys.argv[:1], verbosity=2)
