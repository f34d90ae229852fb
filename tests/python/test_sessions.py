"""Sessions and running batches: against whole prompts run alone, which know nothing of them."""
import os
import tempfile
import unittest

import octavo
from support import MODEL, needs, samples

(PICTURE, QUESTION, _), (OTHER, OTHER_QUESTION, _) = samples("grounding")[:2]


class SessionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = octavo.Model(MODEL)
        cls.answer = cls.model.generate(QUESTION, [PICTURE])

    def asked(self, **options):
        session = octavo.Session(self.model, **options)
        session.feed(QUESTION, [PICTURE])
        return session

    def test_an_answer_is_that_of_the_whole_prompt(self):
        session = self.asked()
        prompt = self.model.prompt(QUESTION, [PICTURE])
        self.assertEqual(session.tokens, prompt.ids)
        answer = session.generate()
        self.assertEqual((answer.text, answer.tokens, answer.boxes, answer.pictures),
                         (self.answer.text, self.answer.tokens, self.answer.boxes, self.answer.pictures))
        self.assertEqual(session.tokens, prompt.ids + answer.tokens)
        self.assertEqual(len(session), len(session.tokens))

    def test_reading_can_be_cancelled(self):
        session, cancel = self.asked(), octavo.Cancel()
        before = session.to_bytes()
        cancel.request()
        with self.assertRaises(octavo.CancelledError):
            session.feed("And now?", cancel=cancel)
        self.assertEqual(session.to_bytes(), before)
        with self.assertRaises(octavo.CancelledError):
            session.continue_with("And now?", cancel=cancel)
        self.assertLess(len(session), len(octavo.Session.from_bytes(self.model, before)))  # what the two have in common
        cancel.reset()
        session.continue_with("And now?", cancel=cancel)
        self.assertEqual(session.tokens, self.model.prompt("And now?").ids)

    def test_a_conversation_reads_what_is_new(self):
        session, messages = octavo.Session(self.model), [{"role": "user", "content": QUESTION}]
        self.assertEqual(session.continue_with(messages, [PICTURE]), 0)
        pieces = list(session.generate(stream=True))
        self.assertEqual("".join(pieces), self.answer.text)
        messages += [{"role": "assistant", "content": self.answer.text}, {"role": "user", "content": "And what colour?"}]
        messages[0] = {"role": "user", "content": [{"type": "image"}, QUESTION]}
        whole = self.model.prompt(messages, [PICTURE])
        reused = session.continue_with(whole)
        self.assertGreaterEqual(reused, self.answer.prompt_tokens)
        self.assertEqual(session.tokens, whole.ids)
        self.assertEqual(session.generate(max_new_tokens=6).tokens, self.model.generate(whole, max_new_tokens=6).tokens)

    @needs("numpy")
    def test_logits_and_tokens_by_hand(self):
        import numpy as np

        session = self.asked()
        chosen = []
        for _ in range(5):
            chosen.append(int(np.asarray(session.logits()).argmax()))
            session.feed(chosen[-1:])
        self.assertEqual(chosen, self.answer.tokens[:5])
        whole = np.asarray(self.model.logits(QUESTION, [PICTURE]))[-1]
        session.truncate(self.answer.prompt_tokens)
        np.testing.assert_allclose(session.logits(), whole, atol=1e-4)  # float32's sums in another order

    def test_fork_truncate_reset(self):
        session = self.asked()
        fork = session.fork()
        self.assertEqual(session.generate().tokens, self.answer.tokens)
        self.assertEqual(fork.generate().tokens, self.answer.tokens)
        session.truncate(self.answer.prompt_tokens)
        self.assertEqual(session.generate().tokens, self.answer.tokens)
        session.reset()
        self.assertEqual(len(session), 0)
        with self.assertRaises(octavo.InvalidArgumentError):
            session.generate()

    def test_save_and_restore(self):
        session = self.asked()
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, "saved")
            session.save(path)
            self.assertEqual(octavo.Session.restore(self.model, path).generate().tokens, self.answer.tokens)
            other = octavo.Model(MODEL, math="bf16")
            with self.assertRaises(octavo.InvalidArgumentError):
                octavo.Session.restore(other, path)
        data = session.to_bytes()
        self.assertEqual(octavo.Session.from_bytes(self.model, data).generate().tokens, self.answer.tokens)
        with self.assertRaises(octavo.FormatError):
            octavo.Session.from_bytes(self.model, data[:-1])

    def test_what_a_session_refuses(self):
        with self.assertRaises(octavo.Error):
            octavo.Session(self.model, capacity=4).feed("Hello")
        with self.assertRaises(octavo.Error):
            self.asked().generate(use_cache=False)
        with self.assertRaisesRegex(ValueError, "this Session is closed"):
            with self.asked() as session:
                pass
            session.generate()


class BatchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = octavo.Model(MODEL)

    def test_sequences_join_and_leave(self):
        alone = {QUESTION: self.model.generate(QUESTION, [PICTURE]), OTHER_QUESTION: self.model.generate(OTHER_QUESTION, [OTHER])}
        batch, done, seen = octavo.Batch(self.model), {}, []
        first = batch.join(QUESTION, [PICTURE], on_token=lambda token: seen.append((token.sequence, token.id)))
        for _ in range(3):
            self.assertEqual(batch.step(), [])
        second, third = batch.join(OTHER_QUESTION, [OTHER]), batch.join("Hello", max_new_tokens=100)
        self.assertEqual(len(batch), 3)
        batch.step()
        batch.leave(third)
        while len(batch):
            done.update({finished.sequence: finished for finished in batch.step()})
        self.assertEqual(sorted(done), [first, second])
        self.assertEqual(done[first].result.tokens, alone[QUESTION].tokens)
        self.assertEqual(done[second].result.tokens, alone[OTHER_QUESTION].tokens)
        self.assertEqual(len(done[first].result.pictures), 1)
        self.assertEqual(seen, [(first, id) for id in alone[QUESTION].tokens])
        self.assertEqual([finished.error for finished in done.values()], [None, None])
        with self.assertRaises(octavo.NotFoundError):
            batch.leave(third)

    def test_callbacks_end_a_sequence_and_exceptions_arrive(self):
        batch = octavo.Batch(self.model)
        number = batch.join(QUESTION, [PICTURE], on_token=lambda token: False)
        finished = []
        while len(batch):
            finished += batch.step()
        self.assertEqual([(done.sequence, done.result.new_tokens) for done in finished], [(number, 1)])
        batch.join("Hello", on_token=lambda token: 1 / 0)
        with self.assertRaises(ZeroDivisionError):
            for _ in range(10):
                batch.step()


if __name__ == "__main__":
    unittest.main()
