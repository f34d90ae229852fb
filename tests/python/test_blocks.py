"""A calibration loop of one's own, and what else the parts of a model give: against the jobs that do the same."""
import pathlib
import tempfile
import unittest

import octavo
from support import MODEL, needs, samples

PICTURE, QUESTION, _ = samples("grounding")[0]


class BlocksTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = octavo.Model(MODEL)

    @needs("numpy")
    def test_block_by_block_gives_the_hidden_states(self):
        import numpy as np

        prompt = self.model.prompt(QUESTION, [PICTURE])
        blocks = octavo.Blocks(self.model)
        vision = blocks.begin_vision(prompt)
        for index in range(blocks.count("vision")):
            with blocks.load("vision", index) as block:
                block.forward(vision)
        rows = blocks.finish_vision(vision)
        np.testing.assert_array_equal(rows, self.model.encode_images([PICTURE]))
        state, seen = blocks.begin_language(prompt, rows), []
        for index in range(blocks.count("language")):
            with blocks.load("language", index) as block:
                block.forward(state, lambda path, group, x: seen.append((path, x.shape)))
        last = len({path.split(".")[2] for path, _ in seen}) - 1
        (hidden,) = self.model.hidden_states(prompt, layers=[last])
        np.testing.assert_array_equal(state.hidden, hidden)
        self.assertEqual({shape[0] for _, shape in seen}, {len(prompt.ids)})

    @needs("numpy")
    def test_a_hook_s_exception_ends_the_run(self):
        blocks = octavo.Blocks(self.model)
        state = blocks.begin_language(self.model.prompt("Hello"))
        with blocks.load("language", 0) as block:
            with self.assertRaises(ZeroDivisionError):
                block.forward(state, lambda *seen: 1 / 0)
            state = blocks.begin_language(self.model.prompt("Hello"))
            with self.assertRaises(octavo.CancelledError):
                block.forward(state, lambda *seen: False)

    def test_a_loop_of_one_s_own_quantizes(self):
        dtype = self.model.describe()["dtype"]
        prompts = [self.model.prompt(question, [picture]) for picture, question, _ in samples("grounding")[:4]]
        blocks = octavo.Blocks(self.model)
        with tempfile.TemporaryDirectory() as scratch:
            out = pathlib.Path(scratch) / "out"
            with octavo.Writer(MODEL, out) as writer:
                rows = [self.tower(blocks, "vision", blocks.begin_vision(prompt)) for prompt in prompts]
                states = [blocks.begin_language(prompt, blocks.finish_vision(row)) for prompt, row in zip(prompts, rows)]
                for index in range(blocks.count("language")):
                    with blocks.load("language", index) as block:
                        hessians = {linear.input_group: octavo.Hessian(linear.in_features) for linear in block.linears}
                        for state in states:
                            block.forward(state.clone(), lambda path, group, x: hessians[group].add(x))
                        for linear in block.linears:
                            layer = octavo.gptq_quantize_layer(block.weight(linear.module_path),
                                                               hessians[linear.input_group], scale_dtype=dtype)
                            self.assertLessEqual(layer.loss, layer.rtn_loss)
                            writer.add(linear.module_path, layer.weight, layer.scales)
                            block.replace(linear.module_path, octavo.Linear.w8a8(layer.weight, layer.scales,
                                                                                 block.bias(linear.module_path)))
                        for state in states:
                            block.forward(state)
                self.assertFalse(out.exists())
                writer.finish()
            self.assertTrue(octavo.check(out))
            self.assertTrue(octavo.compare(MODEL, out, progress=False))
            answer = octavo.Model(out).generate(QUESTION, [PICTURE])
            self.assertEqual(len(answer.boxes), 1)

    @staticmethod
    def tower(blocks, name, state):
        for index in range(blocks.count(name)):
            with blocks.load(name, index) as block:
                block.forward(state)
        return state

    def test_what_a_model_says_of_itself(self):
        described = self.model.describe()
        self.assertEqual(described["model_type"], "qwen2_5_vl")
        self.assertEqual(self.model.config["model_type"], "qwen2_5_vl")
        self.assertTrue(described["linears"])

    def test_a_model_from_memory(self):
        files = {path.name: path.read_bytes() for path in MODEL.iterdir() if path.is_file()}
        model = octavo.Model.from_files(files, label="in memory")
        del files
        self.assertEqual(model.generate(QUESTION, [PICTURE]).tokens, self.model.generate(QUESTION, [PICTURE]).tokens)
        with self.assertRaisesRegex(octavo.Error, "in memory"):
            octavo.Model.from_files({}, label="in memory")

    def test_opening_reports_and_is_cancelled(self):
        stages = []
        octavo.Model(MODEL, progress=lambda stage, done, total: stages.append(stage))
        self.assertEqual(stages[-1], "ready")
        with self.assertRaises(octavo.CancelledError):
            octavo.Model(MODEL, progress=lambda *report: False)

    @needs("numpy")
    def test_embeddings(self):
        import numpy as np

        every = np.asarray(self.model.embed(QUESTION, [PICTURE], pooling="none"))
        np.testing.assert_allclose(self.model.embed(QUESTION, [PICTURE], pooling="mean"), every.mean(axis=0), atol=1e-5)
        np.testing.assert_array_equal(self.model.embed(QUESTION, [PICTURE], pooling="last"), every[-1])
        with self.assertRaisesRegex(ValueError, "pooling is 'max', known are none, mean, last"):
            self.model.embed(QUESTION, pooling="max")


if __name__ == "__main__":
    unittest.main()
