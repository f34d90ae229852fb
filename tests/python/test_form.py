"""Answers of a fixed form."""
import json
import unittest

import octavo
from support import MODEL, samples

SCHEMA = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}, "sizes": {"type": "array", "items": {
    "type": "integer", "minimum": 1, "maximum": 9}, "minItems": 2, "maxItems": 2}}, "required": ["colour", "sizes"]}


class FormTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = octavo.Model(MODEL)

    def test_hot_answers_have_the_schema(self):
        picture, prompt, _ = samples("grounding")[0]
        with octavo.OutputForm.json_schema(SCHEMA) as form:
            for seed in range(1, 4):
                got = self.model.generate(prompt, [picture], form=form, temperature=5.0, seed=seed, max_new_tokens=80)
                self.assertEqual(got.finish_reason, "stop")
                value = json.loads(got.text)
                self.assertIn(value["colour"], ["red", "blue"])
                self.assertEqual([size for size in value["sizes"] if 1 <= size <= 9], value["sizes"])
                self.assertEqual(len(value["sizes"]), 2)
                self.assertTrue(form.matches(got.text))

    def test_a_schema_is_a_form(self):
        picture, prompt, _ = samples("grounding")[0]
        got = self.model.generate(prompt, [picture], form=SCHEMA, max_new_tokens=80)
        self.assertEqual(list(json.loads(got.text)), ["colour", "sizes"])

    def test_other_forms(self):
        picture, prompt, _ = samples("grounding")[0]
        for form, texts in ((octavo.OutputForm.choices(["yes", "no"]), ("yes", "no")),
                            (octavo.OutputForm.example('"yes" | "no"'), ('"yes"', '"no"')),
                            (octavo.OutputForm.pattern("(yes|no)!"), ("yes!", "no!"))):
            self.assertIn(self.model.generate(prompt, [picture], form=form).text, texts)
        self.assertTrue(octavo.OutputForm.example("[int, ...]", lines=True, fence=True).matches("```json\n[\n  1\n]\n```"))

    def test_refused(self):
        with self.assertRaisesRegex(octavo.UnsupportedError, "uniqueItems"):
            octavo.OutputForm.json_schema({"uniqueItems": True})
        with self.assertRaises(octavo.FormatError):
            octavo.OutputForm.example("[flaot]")


if __name__ == "__main__":
    unittest.main()
