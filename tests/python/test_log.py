"""What the library decides is told to logging, and to nobody who does not listen."""
import logging
import subprocess
import sys
import unittest

import octavo
from support import MODEL


class LogTest(unittest.TestCase):
    def test_decisions_are_records(self):
        with self.assertLogs("octavo", logging.INFO) as heard:
            octavo.Model(MODEL)
        names = {record.name for record in heard.records}
        self.assertLessEqual({"octavo.gemm", "octavo.model", "octavo.tensor"}, names)
        texts = [record.getMessage() for record in heard.records]
        self.assertTrue(any(text.startswith("opened ") for text in texts), texts)
        backend = octavo.build_info()["int8_backend"]
        self.assertIn(f"int8 products: {backend['name']}, {backend['why']}", texts)
        self.assertNotIn(logging.DEBUG, {record.levelno for record in heard.records})

    def test_levels_are_those_of_logging(self):
        layer = octavo.gptq_quantize_layer(octavo.Tensor.zeros((4, 8)), method="rtn")
        with self.assertLogs("octavo.gemm", logging.DEBUG) as heard:
            octavo.Linear.w8a8(layer.weight, layer.scales)
        self.assertEqual([record.levelno for record in heard.records], [logging.DEBUG])
        self.assertIn("packed for", heard.records[0].getMessage())

    def test_a_program_without_logging_prints_nothing(self):
        done = subprocess.run([sys.executable, "-c", "import octavo, sys; octavo.Model(sys.argv[1])", MODEL],
                              capture_output=True, text=True, check=True)
        self.assertEqual((done.stdout, done.stderr), ("", ""))


if __name__ == "__main__":
    unittest.main()
