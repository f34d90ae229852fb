"""Jobs on directories: the bundled model quantized, verified, compared and attributed; damaged copies of it."""
import io
import json
import pathlib
import shutil
import tempfile
import threading
import unittest
from contextlib import redirect_stderr

import octavo
from support import CALIBRATION, MODEL, SAMPLES, needs


class JobsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.here = pathlib.Path(cls.scratch.name)
        cls.reports = []
        cls.quantized = cls.here / "quantized"
        cls.result = octavo.quantize(MODEL, cls.quantized, calibration=CALIBRATION, max_samples=8,
                                     progress=lambda *report: cls.reports.append((threading.current_thread(), *report)))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_quantize(self):
        self.assertEqual(self.result.directory, self.quantized)
        config = json.loads((self.quantized / "config.json").read_text())
        self.assertEqual(config["quantization_config"]["quant_method"], "compressed-tensors")
        self.assertEqual(self.result.document["calibration_samples"], 8)
        self.assertEqual(self.result.document["math"], "bf16")
        self.assertEqual({layer["method"] for layer in self.result.layers}, {"gptq"})
        self.assertTrue(self.reports)
        for thread, stage, done, total in self.reports:
            self.assertIs(thread, threading.current_thread())
            self.assertTrue(stage and 0 <= done <= total, (stage, done, total))
        self.assertIn("<iframe", self.result._repr_html_())
        octavo.Model(self.quantized).generate("Where is the red circle?", max_new_tokens=2)

    def test_quantize_in_float32(self):
        result = octavo.quantize(MODEL, self.here / "in_float32", calibration=CALIBRATION, max_samples=1, math="f32",
                                 progress=False)
        self.assertEqual(result.document["math"], "f32")

    def test_quantize_refuses(self):
        with self.assertRaisesRegex(FileExistsError, "quantized"):
            octavo.quantize(MODEL, self.quantized, calibration=CALIBRATION)
        with self.assertRaisesRegex(FileNotFoundError, "no/such"):
            octavo.quantize("no/such", self.here / "other", calibration=CALIBRATION)
        with self.assertRaises(octavo.CancelledError):
            octavo.quantize(MODEL, self.here / "other", calibration=CALIBRATION, progress=lambda *report: False)
        with self.assertRaisesRegex(ZeroDivisionError, "mine"):
            octavo.quantize(MODEL, self.here / "other", calibration=CALIBRATION, progress=self.fails)
        with self.assertRaisesRegex(ValueError, "progress is 'loud'"):
            octavo.quantize(MODEL, self.here / "other", calibration=CALIBRATION, progress="loud")
        with self.assertRaisesRegex(ValueError, "math is 'f16', known are f32, bf16"):
            octavo.quantize(MODEL, self.here / "other", calibration=CALIBRATION, math="f16")
        self.assertEqual([path.name for path in self.here.iterdir() if path.name.startswith("other")], [])

    @staticmethod
    def fails(stage, done, total):
        raise ZeroDivisionError("mine")

    def test_verify_passes(self):
        result = octavo.verify(MODEL, self.quantized, samples=SAMPLES, max_samples=4, profile="lenient", progress=False)
        self.assertTrue(result)
        self.assertEqual((result.verdict, result.failures, result.diagnosis), ("passed", [], None))
        self.assertEqual([step["name"] for step in result.steps][:2], ["open", "text"])
        self.assertIn("evaluation", [step["name"] for step in result.steps if step["status"] == "passed"])
        self.assertIn("<table>", result._repr_html_())

    def test_verify_fails_with_a_diagnosis(self):
        profile = self.here / "profile.json"
        profile.write_text(json.dumps({"name": "out of reach", "prompts": 1, "long_tokens": 4, "thresholds": {"max_kl": 0}}))
        result = octavo.verify(MODEL, self.quantized, profile=profile, progress=False)
        self.assertFalse(result)
        self.assertEqual(result.verdict, "failed")
        self.assertEqual(result.diagnosis["step"], "text")
        self.assertTrue(result.failures)

    def test_verify_with_a_report(self):
        page = self.here / "report.html"
        result = octavo.verify(MODEL, self.quantized, samples=SAMPLES, max_samples=4, profile="lenient", report=page,
                               math="bf16", cache_dtype="bf16", progress=False)
        self.assertTrue(result.passed)
        self.assertEqual(result.document["run"]["vision_math"], "bf16")
        self.assertEqual(result.document["run"]["kv_cache"], "bf16")
        self.assertTrue(page.read_text().startswith("<!"))
        self.assertTrue(page.with_suffix(".json").exists())
        shown = result._repr_html_()
        self.assertTrue(shown.startswith("<iframe srcdoc=") and "&lt;html" in shown)

    def test_check(self):
        self.assertTrue(octavo.check(MODEL))
        broken = self.here / "broken"
        shutil.copytree(MODEL, broken, ignore=shutil.ignore_patterns("calib", "eval", "training"))
        config = json.loads((broken / "config.json").read_text())
        text = config.get("text_config", config)
        text["intermediate_size"] += 8
        (broken / "config.json").write_text(json.dumps(config))
        result = octavo.check(broken)
        self.assertFalse(result.ok)
        self.assertIn("intermediate_size", json.dumps(result.problems))
        with self.assertRaisesRegex(FileNotFoundError, "no/such"):
            octavo.check("no/such")

    def test_plan(self):
        plan = octavo.plan(MODEL, image_sizes=[(140, 112)], max_new_tokens=8)
        self.assertTrue(plan["ok"])
        prefill = plan["plan"]["calls"][0]
        # A picture has a token for every 28 x 28 pixels (docs/image.md), one before and one behind; the text has 64.
        self.assertEqual(prefill["q_len"], 140 // 28 * (112 // 28) + 2 + 64)

    def test_compare(self):
        self.assertTrue(octavo.compare(MODEL, self.quantized, progress=False))
        other = self.here / "changed"
        shutil.copytree(self.quantized, other)
        config = json.loads((other / "preprocessor_config.json").read_text())
        (other / "preprocessor_config.json").write_text(json.dumps({**config, "max_pixels": 784}))
        result = octavo.compare(MODEL, other, values=False, progress=False)
        self.assertFalse(result)
        wrong = [found for found in result.differences if found["class"] == "wrong"]
        self.assertEqual((result.wrong, len(wrong)), (1, 1))
        self.assertIn("max_pixels", json.dumps(wrong))
        self.assertIn("wrong", result._repr_html_())

    def test_attribute(self):
        result = octavo.attribute(MODEL, self.quantized, samples=SAMPLES, max_samples=2, profile="lenient", progress=False)
        self.assertEqual((result.suggestion, result.recipe), ("not_needed", None))
        self.assertTrue(result.groups)
        with self.assertRaises(octavo.InvalidArgumentError):
            octavo.attribute(MODEL, self.quantized, progress=False)

    @needs("tqdm")
    def test_progress_is_a_bar_where_tqdm_is(self):
        shown = io.StringIO()
        with redirect_stderr(shown):
            octavo.compare(MODEL, self.quantized, progress=True)
        self.assertIn("compare: ", shown.getvalue())
        self.assertIn("100%", shown.getvalue())

    def test_no_progress_where_nobody_sees_it(self):
        shown = io.StringIO()
        with redirect_stderr(shown):
            octavo.compare(MODEL, self.quantized)
        self.assertEqual(shown.getvalue(), "")


if __name__ == "__main__":
    unittest.main()
