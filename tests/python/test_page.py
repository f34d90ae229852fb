"""Runs the code of docs/python.md, in its order, with the bundled model in place of the published one."""
import contextlib
import importlib.util
import io
import os
import re
import shutil
import tempfile
import unittest

from support import CALIBRATION, MODEL, ROOT, SAMPLES

PAGE = ROOT / "docs" / "python.md"


class PageTest(unittest.TestCase):
    def test_the_code_runs(self):
        blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
        self.assertGreater(len(blocks), 3)
        here, names, said, ran = os.getcwd(), {"__name__": "page"}, io.StringIO(), 0
        with tempfile.TemporaryDirectory() as scratch:
            os.symlink(MODEL, os.path.join(scratch, "Qwen2.5-VL-3B-Instruct"))
            shutil.copy(MODEL / "eval" / "000.png", os.path.join(scratch, "picture.png"))
            for name, lines in (("samples.jsonl", CALIBRATION), ("held_out.jsonl", SAMPLES)):
                rows = lines.read_text().replace('"image": "', f'"image": "{lines.parent}/').splitlines()[:16]
                with open(os.path.join(scratch, name), "w") as file:
                    file.write("\n".join(rows))
            try:
                os.chdir(scratch)
                for block in blocks:
                    missing = [name for name in re.findall(r"^(?:import|from) (\w+)", block, flags=re.M)
                               if not importlib.util.find_spec(name)]
                    if missing:
                        print(f"left out for want of {missing}:\n{block}")
                        continue
                    line = PAGE.read_text(encoding="utf-8").split(block)[0].count("\n")
                    with contextlib.redirect_stdout(said):
                        exec(compile("\n" * line + block, PAGE, "exec"), names)
                    ran += 1
            finally:
                os.chdir(here)
        self.assertGreater(ran, 3)
        self.assertIn("bbox_2d", said.getvalue())
        self.assertIn("attention mask 3", said.getvalue())
        self.assertEqual(names["result"].verdict, "passed")


if __name__ == "__main__":
    unittest.main()
