"""A model and its answers. The bundled model's answers are held against what its pictures were drawn from."""
import gc
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref

import octavo
from support import MODEL, samples


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


class ModelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = octavo.Model(MODEL)

    def test_answers_what_was_drawn(self):
        for picture, prompt, answer in samples("grounding")[:4]:
            got = self.model.generate(prompt, [picture])
            (box,), (drawn,) = got.boxes, octavo.boxes_in(answer)
            self.assertGreater(iou(box, drawn), 0.5, (got.text, answer))
            self.assertEqual(got.finish_reason, "stop")
            self.assertEqual(got.new_tokens, len(got.tokens))
            self.assertEqual((got.pictures[0].original_width, got.pictures[0].original_height),
                             struct.unpack(">II", picture.read_bytes()[16:24]))  # a PNG file's header
            self.assertGreater(got.prefill_seconds, 0)
        picture, prompt, answer = samples("colour")[0]
        self.assertEqual(str(self.model.generate(prompt, [str(picture)])), answer)

    def test_stream_gives_the_answer_in_pieces(self):
        picture, prompt, _ = samples("grounding")[0]
        whole = self.model.generate(prompt, [picture])
        with self.model.generate(prompt, [picture], stream=True) as stream:
            pieces = list(stream)
        self.assertGreater(len(pieces), 5)
        self.assertEqual("".join(pieces), whole.text)
        self.assertEqual((stream.result.text, stream.result.tokens), (whole.text, whole.tokens))
        tokens = list(self.model.generate(prompt, [picture], stream=True).tokens())
        self.assertEqual([token.id for token in tokens], whole.tokens)

    def test_stream_that_is_left_ends(self):
        with self.model.generate("a b c d " * 400, stream=True, max_new_tokens=1000, use_cache=False) as stream:
            next(iter(stream))
        self.assertEqual(stream.result.finish_reason, "cancelled")
        dropped = self.model.generate("a b c d " * 400, stream=True, max_new_tokens=1000, use_cache=False)
        thread = dropped._thread
        del dropped
        thread.join(30)
        self.assertFalse(thread.is_alive())

    def test_stream_raises_what_failed(self):
        with self.assertRaises(FileNotFoundError):
            list(self.model.generate("Where?", ["no/such/picture.png"], stream=True))

    def test_on_token_runs_on_the_caller_s_thread_and_ends_the_answer(self):
        seen = []

        def on_token(token):
            seen.append((token.id, threading.current_thread()))
            return len(seen) < 3

        picture, prompt, _ = samples("grounding")[0]
        result = self.model.generate(prompt, [picture], on_token=on_token)
        self.assertEqual([thread for _, thread in seen], [threading.current_thread()] * 3)
        self.assertEqual(result.tokens, [number for number, _ in seen])

    def test_an_exception_in_a_callback_arrives(self):
        def on_token(token):
            raise KeyError("mine")

        with self.assertRaisesRegex(KeyError, "mine"):
            self.model.generate("Hello", on_token=on_token)
        with self.assertRaisesRegex(KeyError, "mine"):
            raise in_thread(lambda: self.model.generate("Hello", on_token=on_token))

    def test_cancel_from_another_thread(self):
        cancel = octavo.Cancel()
        timer = threading.Timer(0.1, cancel.request)
        timer.start()
        result = self.model.generate("a b c d " * 600, max_new_tokens=400, use_cache=False, cancel=cancel)
        self.assertEqual(result.finish_reason, "cancelled")
        self.assertEqual(self.model.generate("Hello", cancel=cancel, max_new_tokens=3).finish_reason, "cancelled")
        cancel.reset()
        self.assertEqual(self.model.generate("Hello", cancel=cancel, max_new_tokens=3).finish_reason, "length")

    def test_sampling_repeats_with_its_seed_and_says_what_it_needs(self):
        def ask(**settings):
            return self.model.generate("Tell", **{"max_new_tokens": 12, **settings}).tokens

        self.assertEqual(ask(temperature=2.0, seed=7), ask(temperature=2.0, seed=7))
        self.assertGreater(len({tuple(ask(temperature=2.0, seed=seed)) for seed in range(8)}), 1)
        self.assertEqual(ask(temperature=0), ask())
        for settings, message in (({"top_p": 0.5}, "top_p needs a temperature"),
                                  ({"temperature": 0, "top_k": 5}, "top_k needs a temperature above 0"),
                                  ({"repetition_penalty": 1.2}, "repetition_penalty needs a temperature"),
                                  ({"max_new_tokens": 0}, "max_new_tokens is 0"),
                                  ({"cache_dtype": "f64"}, "dtype is 'f64', known are f32"),
                                  ({"boxes": "mine"}, "boxes is 'mine', known are model, original")):
            with self.assertRaisesRegex(ValueError, message):
                ask(**settings)
        with self.assertRaisesRegex(TypeError, "tempratur is no setting, known are max_new_tokens"):
            ask(tempratur=1)

    def test_batch_answers_as_alone(self):
        asked = samples("grounding")[:3]
        prompts, images = [prompt for _, prompt, _ in asked], [[picture] for picture, _, _ in asked]
        together = self.model.generate_batch(prompts, images)
        alone = [self.model.generate(prompt, picture) for prompt, picture in zip(prompts, images)]
        self.assertEqual([result.text for result in together], [result.text for result in alone])
        self.assertEqual([result.boxes for result in together], [result.boxes for result in alone])
        with self.assertRaisesRegex(ValueError, "images are of 1 prompts, prompts are 3"):
            self.model.generate_batch(prompts, images[:1])

    def test_prefix_cache_is_used(self):
        picture, prompt, _ = samples("grounding")[0]
        cache = octavo.PrefixCache()
        first = self.model.generate(prompt, [picture], prefix_cache=cache)
        again = self.model.generate(prompt, [picture], prefix_cache=cache)
        self.assertEqual((first.reused_tokens, again.text), (0, first.text))
        self.assertGreater(again.reused_tokens, 0)

    def test_what_a_call_was_given_goes_with_it(self):
        gc.collect()
        gc.disable()  # by counting alone, without a search for cycles
        try:
            for stream in (False, True):
                cache = octavo.PrefixCache()
                held = weakref.ref(cache._handle)
                answer = self.model.generate("Hello", prefix_cache=cache, max_new_tokens=3, stream=stream, log_probs=True,
                                             on_logits=lambda *values: None)
                if stream:
                    self.assertEqual(answer.result.new_tokens, 3)
                    answer._thread.join()
                cache.close()
                self.assertIsNone(held(), stream)
        finally:
            gc.enable()

    def test_the_gil_is_released(self):
        counted = [0]
        done = threading.Event()

        def count():
            while not done.is_set():
                counted[0] += 1
                time.sleep(0)

        thread = threading.Thread(target=count)
        thread.start()
        try:
            before, begin = counted[0], time.monotonic()
            # One call without a token in between: were the GIL held, nothing could be counted.
            self.model.logits("a b c d " * 400)
            seconds, during = time.monotonic() - begin, counted[0] - before
        finally:
            done.set()
            thread.join()
        self.assertGreater(during, 100, f"in {seconds} s")

    def test_logits_and_a_closed_model(self):
        with octavo.Model(MODEL, math="f32", lm_head="int8") as model:
            logits = model.logits("Hello")
            self.assertEqual((logits.dtype, len(logits.shape)), ("f32", 2))
        with self.assertRaisesRegex(ValueError, "this Model is closed"):
            model.generate("Hello")
        with self.assertRaisesRegex(ValueError, "math is 'f64', known are f32, bf16"):
            octavo.Model(MODEL, math="f64")
        with self.assertRaisesRegex(FileNotFoundError, "no/such/model"):
            octavo.Model("no/such/model")

    def test_a_trace(self):
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, "trace.jsonl")
            with octavo.trace(path, values=True):
                self.model.generate("Hello", max_new_tokens=2)
            with open(path) as lines:
                records = [json.loads(line) for line in lines]
            self.assertIn("model.layers.0.self_attn", {record.get("module") for record in records})
            with octavo.trace(path):
                with self.assertRaises(octavo.InvalidArgumentError):
                    with octavo.trace(os.path.join(scratch, "other")):
                        pass

    def test_every_number_of_threads_gives_the_same(self):
        picture, prompt, _ = samples("grounding")[0]
        try:
            answers = []
            for count in (1, 2):
                octavo.set_num_threads(count)
                answers.append(self.model.generate(prompt, [picture], log_probs=True).log_probs)
        finally:
            octavo.set_num_threads(0)
        self.assertEqual(answers[0], answers[1])
        with self.assertRaises(octavo.InvalidArgumentError):
            octavo.set_num_threads(-1)
        self.assertEqual(octavo.build_info()["version"], octavo.__version__)

    def test_boxes_in(self):
        self.assertEqual(octavo.boxes_in('[{"bbox_2d": [1, 2, 3.5, 4]}, {"bbox_2d": [5, 6, 7, 8]}]'),
                         [(1, 2, 3.5, 4), (5, 6, 7, 8)])
        self.assertEqual(octavo.boxes_in("nothing here"), [])


def in_thread(call):
    """What a call raises on a thread of its own, where it runs without a thread beside it."""
    raised = []

    def body():
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return raised[0]


class LibraryTest(unittest.TestCase):
    def test_a_library_that_is_not_there_is_told(self):
        done = subprocess.run([sys.executable, "-c", "import octavo"], capture_output=True, text=True,
                              env={**os.environ, "OCTAVO_LIBRARY": "/no/such/liboctavo.so"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("ImportError: Octavo's C library cannot be opened", done.stderr)
        self.assertIn("OCTAVO_LIBRARY", done.stderr)


if __name__ == "__main__":
    unittest.main()
