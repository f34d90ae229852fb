"""What can be asked: pictures in every form, messages, token ids; and what is known of the answer's tokens."""
import base64
import math
import unittest

import octavo
from support import MODEL, needs, samples

PICTURE, QUESTION, _ = samples("grounding")[0]


class PromptTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = octavo.Model(MODEL)
        cls.answer = cls.model.generate(QUESTION, [PICTURE])

    def assert_same(self, *asked, **settings):
        self.assertEqual(self.model.generate(*asked, **settings).tokens, self.answer.tokens)

    def test_pictures_from_files_and_bytes(self):
        data = PICTURE.read_bytes()
        for picture in (str(PICTURE), PICTURE, data, bytearray(data), memoryview(data), octavo.Image(PICTURE)):
            self.assert_same(QUESTION, [picture])
        with open(PICTURE, "rb") as file:
            self.assert_same(QUESTION, [file])
        with self.assertRaisesRegex(octavo.Error, "no known picture|not a picture|picture"):
            self.model.generate(QUESTION, [b"no picture"])
        with self.assertRaisesRegex(TypeError, "a float has no memory"):
            self.model.generate(QUESTION, [1.5])
        with self.assertRaises(octavo.Error):
            octavo.Image(PICTURE, max_pixels=10)
        self.assertRegex(repr(octavo.Image(PICTURE)), r"octavo.Image\(\d+ x \d+\)")

    @needs("numpy")
    def test_pictures_from_numpy(self):
        import numpy as np

        pixels = np.asarray(octavo.Image(PICTURE))
        self.assertFalse(pixels.flags.writeable)
        self.assertEqual(octavo.Image(PICTURE).size, pixels.shape[1::-1])
        self.assert_same(QUESTION, [pixels])
        opaque = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
        self.assert_same(QUESTION, [opaque])
        grey = np.asarray(octavo.Image(np.full((30, 40), 7, np.uint8)))
        self.assertEqual((grey.shape, set(grey.ravel().tolist())), ((30, 40, 3), {7}))
        half = np.zeros((28, 28, 4), np.uint8)  # all transparent: white, as pictures of files are; or the black behind it
        self.assertEqual(np.asarray(octavo.Image(half)).min(), 255)
        self.assertEqual(np.asarray(octavo.Image(half, transparency="drop")).max(), 0)
        for wrong in (pixels.astype(np.float32), pixels[None], pixels[:, :, :2].copy()):
            with self.assertRaisesRegex(ValueError, r"a picture is u8 \[height, width\]"):
                octavo.Image(wrong)
        with self.assertRaisesRegex(ValueError, "not contiguous"):
            octavo.Image(pixels[:, ::2])

    @needs("PIL")
    def test_pictures_from_pillow(self):
        import numpy as np
        from PIL import Image

        with Image.open(PICTURE) as picture:
            self.assert_same(QUESTION, [picture])
            for mode in ("L", "P", "CMYK", "1"):
                made = picture.convert(mode)
                self.assertTrue((np.asarray(octavo.Image(made)) == np.asarray(made.convert("RGB"))).all(), mode)
            clear = picture.convert("RGBA")
            clear.putalpha(128)
            flat = Image.new("RGBA", clear.size, "white")
            flat.alpha_composite(clear)
            difference = np.asarray(octavo.Image(clear)).astype(int) - np.asarray(flat.convert("RGB"))
            self.assertLessEqual(abs(difference).max(), 1)  # Pillow rounds the sum of two rounded products
            with self.assertRaisesRegex(ValueError, "mode is F, which has more than 8 bits"):
                octavo.Image(picture.convert("F"))

    def test_messages(self):
        text, url = {"type": "text", "text": QUESTION}, "data:image/png;base64," + base64.b64encode(
            PICTURE.read_bytes()).decode()
        system = {"role": "system", "content": "You are a helpful assistant."}  # what the template adds by itself
        for content, images in ((QUESTION, [PICTURE]), ([{"type": "image"}, text], [PICTURE]),
                                ([{"type": "image", "image": PICTURE}, QUESTION], []), ([octavo.Image(PICTURE), text], []),
                                ([{"type": "image_url", "image_url": {"url": url}}, text], []),
                                ([{"type": "image", "url": f"file://{PICTURE}"}, text], []),
                                ([{"type": "image", "path": str(PICTURE)}, text], [])):
            self.assert_same([{"role": "user", "content": content}], images)
            self.assert_same([system, {"role": "user", "content": content}], images)
        turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Bye"}]
        self.assertEqual(self.model.chat_text(turns), "".join(
            f"<|im_start|>{role}\n{said}<|im_end|>\n" for role, said in (
                ("system", system["content"]), ("user", "Hello"), ("assistant", "Hi"), ("user", "Bye")))
            + "<|im_start|>assistant\n")

    def test_messages_that_are_refused(self):
        user = lambda *parts: [{"role": "user", "content": list(parts)}]
        for messages, images, message in (
                (user({"type": "image"}, "a"), [], r"have 1 \{\"type\": \"image\"\} parts without a picture, images has 0"),
                (user({"type": "image"}, "a"), [PICTURE] * 2, "images has 2"),
                (user({"type": "video"}), [], "type 'video', known are"),
                (user({"type": "image", "url": "https://example.org/a.png"}), [], "Octavo fetches nothing"),
                ([{"role": "user"}], [], "a message is"),
                ([{"role": "assistant", "content": "a"}], [PICTURE], "no message of a user")):
            with self.assertRaisesRegex(ValueError, message):
                self.model.generate(messages, images)

    def test_a_prompt_is_used_again(self):
        prompt = self.model.prompt(QUESTION, [PICTURE])
        self.assertEqual((len(prompt.ids), prompt.picture_count), (self.answer.prompt_tokens, 1))
        self.assert_same(prompt)
        self.assert_same(prompt)
        text = self.model.prompt("Hello")
        again = octavo.Prompt.from_ids(text.ids)
        self.assertEqual(self.model.generate(again, max_new_tokens=5).tokens,
                         self.model.generate("Hello", max_new_tokens=5).tokens)
        with self.assertRaisesRegex(ValueError, "has its pictures already"):
            self.model.generate(prompt, [PICTURE])

    def test_log_probs(self):
        answer = self.model.generate(QUESTION, [PICTURE], log_probs=True, top_log_probs=3)
        self.assertEqual(answer.tokens, self.answer.tokens)
        self.assertEqual([len(answer.log_probs), len(answer.top_log_probs)], [answer.new_tokens] * 2)
        for token, log_prob, top in zip(answer.tokens, answer.log_probs, answer.top_log_probs):
            self.assertEqual((top[0].id, top[0].log_prob), (token, log_prob))  # greedy
            self.assertLessEqual(sum(math.exp(best.log_prob) for best in top), 1 + 1e-9)
        streamed = list(self.model.generate(QUESTION, [PICTURE], stream=True, top_log_probs=3).tokens())
        self.assertEqual([token.log_prob for token in streamed], answer.log_probs)
        self.assertEqual([list(token.top) for token in streamed], answer.top_log_probs)
        self.assertIsNone(self.answer.log_probs)

    @needs("numpy")
    def test_logits(self):
        import numpy as np

        for asked in ((QUESTION, [PICTURE]), (QUESTION, [PICTURE.read_bytes()]), (self.model.prompt(QUESTION, [PICTURE]),)):
            logits = np.asarray(self.model.logits(*asked)).astype(np.float64)
            self.assertEqual(logits.shape, (self.answer.prompt_tokens, self.model.vocab_size))
            last = logits[-1] - logits[-1].max()
            answer = self.model.generate(*asked, log_probs=True, max_new_tokens=1)
            # Read in chunks, and at once: float32's sums in another order.
            self.assertAlmostEqual(answer.log_probs[0], (last - np.log(np.exp(last).sum()))[answer.tokens[0]], delta=1e-4)

    def test_stops_and_biases(self):
        text = self.answer.text
        self.assertEqual(self.model.generate(QUESTION, [PICTURE], stop=",").text, text.split(",")[0])
        self.assertEqual(self.model.generate(QUESTION, [PICTURE], stop=["nowhere", ": "]).text, text.split(": ")[0])
        third = self.answer.tokens[2]
        self.assertEqual(self.model.generate(QUESTION, [PICTURE], stop_ids=[third]).tokens, self.answer.tokens[:3])
        forbidden = self.model.generate(QUESTION, [PICTURE], logit_bias={third: -math.inf})
        self.assertNotIn(third, forbidden.tokens)
        end = self.answer.tokens[-1]
        self.assertEqual(self.answer.finish_reason, "stop")
        longer = self.model.generate(QUESTION, [PICTURE], ignore_eos=True, max_new_tokens=self.answer.new_tokens + 3)
        self.assertEqual(longer.tokens[:self.answer.new_tokens], self.answer.tokens)
        self.assertEqual((longer.finish_reason, longer.new_tokens), ("length", self.answer.new_tokens + 3))
        self.assertEqual(end, self.model.token_id("<|im_end|>"))

    def test_a_logits_hook(self):
        seen, wanted = [], self.model.token_id("b")

        def hook(sequence, history, logits):
            seen.append((sequence, len(history), len(logits)))
            for index in range(len(logits)):
                logits[index] = 0.0 if index == wanted else -100.0
            return len(seen) < 4

        prompt = self.model.prompt("Hello")
        answer = self.model.generate(prompt, on_logits=hook)
        self.assertEqual(answer.text, "bbb")  # the fourth token is not chosen
        length, vocab = len(prompt.ids), self.model.vocab_size
        self.assertEqual(seen, [(0, length + step, vocab) for step in range(4)])
        for stream in (False, True):
            with self.assertRaisesRegex(ZeroDivisionError, "division"):
                list(self.model.generate("Hello", on_logits=lambda *values: 1 / 0, stream=stream))

    def test_tokens(self):
        text = "Where is the red circle? é"
        ids = self.model.tokenize(text)
        self.assertEqual(self.model.detokenize(ids), text)
        self.assertEqual(b"".join(self.model.token_bytes(id) for id in ids), text.encode())
        end = self.model.token_id("<|im_end|>")
        self.assertEqual(self.model.tokenize("a<|im_end|>")[-1], end)
        self.assertNotIn(end, self.model.tokenize("a<|im_end|>", control_tokens_as_text=True))
        self.assertEqual(self.model.detokenize([end]), "")
        self.assertEqual(self.model.detokenize([end], skip_special=False), "<|im_end|>")
        with self.assertRaises(octavo.NotFoundError):
            self.model.token_id("no such token")

    def test_a_batch_s_tokens_say_whose_they_are(self):
        seen = [[], []]
        answers = self.model.generate_batch(["Hello", QUESTION], [[], [PICTURE]], max_new_tokens=6,
                                            on_token=lambda token: seen[token.sequence].append(token.id))
        self.assertEqual(seen, [answer.tokens for answer in answers])


if __name__ == "__main__":
    unittest.main()
