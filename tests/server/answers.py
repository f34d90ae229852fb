#!/usr/bin/env python3
"""octavo-server: what it answers, and what it refuses.   answers.py SERVER MODEL_DIR"""
import json
import math
import shutil
import tempfile
import unittest

import support
from support import MODEL, Server, data_uri, picture, question, samples, text


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def ask(self, body):
        status, answer = self.server.chat(body)
        self.assertEqual(status, 200, answer)
        return answer

    def test_answers_about_pictures_are_right(self):
        asked = [sample for sample in samples() if sample["task"] == "colour"][:12]
        right = 0
        for sample in asked:
            answer = self.ask(question(sample["prompt"], sample["image"]))
            choice = answer["choices"][0]
            self.assertEqual(choice["finish_reason"], "stop")
            self.assertEqual(choice["message"]["role"], "assistant")
            right += choice["message"]["content"] == sample["answer"]
        self.assertEqual(right, len(asked))

    def test_the_response_has_the_fields_of_openai(self):
        answer = self.ask(question("What colour is the small triangle?", "000.png"))
        self.assertEqual(answer["object"], "chat.completion")
        self.assertEqual(answer["model"], "tiny")
        self.assertTrue(answer["id"].startswith("chatcmpl-"))
        self.assertEqual(len(answer["choices"]), 1)
        usage = answer["usage"]
        self.assertGreater(usage["prompt_tokens"], usage["completion_tokens"])
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])

    def test_a_stream_adds_up_to_the_whole_answer(self):
        body = question("Where is the purple circle?", "000.png")
        whole = self.ask(body)
        events = self.server.events({**body, "stream_options": {"include_usage": True}})
        self.assertEqual(events[-1], "[DONE]")
        self.assertEqual(events[-2]["choices"], [])
        self.assertEqual(events[-2]["usage"], whole["usage"])
        chunks = events[:-2]
        self.assertEqual(chunks[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual({chunk["object"] for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({chunk["id"] for chunk in chunks}), 1)
        content = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        self.assertEqual(content, whole["choices"][0]["message"]["content"])
        reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
        self.assertEqual(reasons[-1], "stop")
        self.assertEqual(set(reasons[:-1]), {None})

    def test_a_stream_comes_piece_by_piece(self):
        events = self.server.events(question("What is this?", max_tokens=1000, ignore_eos=True))
        self.assertGreater(len(events), 20)  # a connection's thread may find several tokens at a time

    def test_a_stream_without_usage_has_none(self):
        events = self.server.events(question("What colour is the small triangle?", "000.png"))
        self.assertTrue(all("usage" not in event for event in events[:-1]))

    def test_max_tokens_ends_an_answer(self):
        for name in ("max_tokens", "max_completion_tokens"):
            answer = self.ask(question("Where is the purple circle?", "000.png", **{name: 3}))
            self.assertEqual(answer["usage"]["completion_tokens"], 3)
            self.assertEqual(answer["choices"][0]["finish_reason"], "length")

    def test_a_seed_gives_the_same_answer(self):
        body = question("Where is the purple circle?", "000.png", max_tokens=24)
        del body["temperature"]
        hot = {**body, "temperature": 2.0, "top_p": 1.0}
        answers = [self.ask({**hot, "seed": seed})["choices"][0]["message"]["content"] for seed in (7, 7, 8, 9, 10)]
        self.assertEqual(answers[0], answers[1])
        self.assertGreater(len(set(answers)), 1)
        unseeded = {self.ask(hot)["choices"][0]["message"]["content"] for _ in range(4)}
        self.assertGreater(len(unseeded), 1)

    def test_turns_and_a_system_prompt_are_read(self):
        first = question("What colour is the small triangle?", "000.png")
        short = self.ask(first)["usage"]["prompt_tokens"]
        turns = [{"role": "system", "content": "Answer in one word."}, *first["messages"],
                 {"role": "assistant", "content": "blue"}, {"role": "user", "content": [text("Where is it?")]}]
        longer = self.ask({**first, "messages": turns, "max_tokens": 4})
        self.assertGreater(longer["usage"]["prompt_tokens"], short + 8)

    def test_two_pictures(self):
        one = self.ask(question("What is this?", "000.png", max_tokens=1))["usage"]["prompt_tokens"]
        two = self.ask(question("What is this?", "000.png", "001.png", max_tokens=1))["usage"]["prompt_tokens"]
        self.assertGreater(two, one + 16)

    def test_control_tokens_of_a_text_are_text(self):
        plain = self.ask(question("a <|im_end|> b", max_tokens=1))["usage"]["prompt_tokens"]
        self.assertGreater(plain, self.ask(question("a x b", max_tokens=1))["usage"]["prompt_tokens"] + 3)
        self.ask(question("<|image_pad|>", max_tokens=1))

    def test_models_and_health(self):
        status, _, content = self.server.get("/v1/models")
        self.assertEqual(status, 200)
        model = support.json.loads(content)["data"][0]
        self.assertEqual((model["id"], model["object"]), ("tiny", "model"))
        self.assertEqual(self.server.get("/v1/models/tiny")[0], 200)
        self.assertEqual(self.server.get("/v1/models/other")[0], 404)
        self.assertEqual(self.server.get("/health")[0], 200)

    def test_metrics_count(self):
        before = self.server.metric("octavo_generated_tokens_total")
        answer = self.ask(question("What colour is the small triangle?", "000.png"))
        grown = self.server.metric("octavo_generated_tokens_total") - before
        self.assertEqual(grown, answer["usage"]["completion_tokens"])
        self.assertGreaterEqual(self.server.metric('octavo_responses_total{status="200"}'), 1)
        self.assertEqual(self.server.metric("octavo_requests_waiting"), 0)

    def test_stop_texts_are_left_out(self):
        body = question("Where is the purple circle?", "000.png")
        whole = self.ask(body)["choices"][0]["message"]["content"]
        for stop in ("bbox", ["never said", "bbox"]):
            answer = self.ask({**body, "stop": stop})
            self.assertEqual(answer["choices"][0]["message"]["content"], whole[:whole.index("bbox")])
            self.assertEqual(answer["choices"][0]["finish_reason"], "stop")
        events = self.server.events({**body, "stop": ["[", "2d\""]})
        content = "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1])
        self.assertEqual(content, whole[:whole.index("2d")])

    def test_log_probabilities(self):
        body = question("What colour is the small triangle?", "000.png", logprobs=True, top_logprobs=3)
        whole = self.ask(body)
        tokens = whole["choices"][0]["logprobs"]["content"]
        self.assertEqual(bytes(sum((token["bytes"] for token in tokens), [])).decode(), "blue")
        for token in tokens:
            self.assertEqual(token["top_logprobs"][0]["token"], token["token"])  # greedy
            self.assertLess(sum(math.exp(best["logprob"]) for best in token["top_logprobs"]), 1 + 1e-6)
            self.assertEqual(len(token["top_logprobs"]), 3)
        streamed = []
        for event in self.server.events(body)[:-1]:
            streamed += (event["choices"][0]["logprobs"] or {"content": []})["content"]
        self.assertEqual(streamed, tokens)
        self.assertEqual(self.ask({**body, "top_logprobs": None})["choices"][0]["logprobs"]["content"][0]["top_logprobs"], [])

    def test_a_bias_forbids_a_token(self):
        body = question("What colour is the small triangle?", "000.png", logprobs=True, top_logprobs=1, max_tokens=1)
        first = self.ask(body)["choices"][0]["logprobs"]["content"][0]["token"]
        vocabulary = json.loads((MODEL / "vocab.json").read_text())
        other = self.ask({**body, "logit_bias": {str(vocabulary[first]): -100}})
        self.assertNotEqual(other["choices"][0]["message"]["content"], first)

    def test_answers_of_a_schema_parse(self):
        schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue", "green"]}, "count": {"type": "integer"}},
                  "required": ["colour", "count"], "additionalProperties": False}
        wanted = {"type": "json_schema", "json_schema": {"name": "thing", "strict": True, "schema": schema}}
        body = question("What colour is the small triangle?", "000.png", max_tokens=200, response_format=wanted)
        for seed in range(4):
            answer = json.loads(self.ask({**body, "temperature": 1.5, "seed": seed})["choices"][0]["message"]["content"])
            self.assertEqual(set(answer), {"colour", "count"})
            self.assertIn(answer["colour"], schema["properties"]["colour"]["enum"])
            self.assertIsInstance(answer["count"], int)
        unknown = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "dependentSchemas": {}}}}
        for wrong in (unknown, {"type": "xml"}, {}, {"type": "json_schema"}, "json"):
            status, error = self.server.refusal(response_format=wrong)
            self.assertEqual(status, 400, wrong)
            self.assertIn("response_format", error["message"])

    def test_nulls_are_defaults_and_what_changes_nothing_is_taken(self):
        self.ask(question("What is this?", max_tokens=1, n=None, stop=None, logprobs=None, tools=None))
        self.ask(question("What is this?", max_tokens=1, n=1, user="me", metadata={"a": "b"}, frequency_penalty=0,
                          logprobs=False, response_format={"type": "text"}, tools=[], logit_bias={}))

    def test_what_is_not_supported_is_refused_by_name(self):
        for name, value in [("n", 2), ("frequency_penalty", 0.5), ("presence_penalty", -1), ("tools", [{"a": 1}]),
                            ("functions", []), ("modalities", ["audio"]), ("best_of", 3), ("temprature", 0.5)]:
            status, error = self.server.refusal(**{name: value})
            self.assertEqual((status, error["type"], error["param"]), (400, "invalid_request_error", name), error)
            self.assertIn(name, error["message"])

    def test_values_out_of_their_domain(self):
        for name, value in [("temperature", -0.1), ("temperature", 2.1), ("temperature", "hot"), ("top_p", 1.5),
                            ("max_tokens", 0), ("max_tokens", 1e9), ("max_tokens", 1.5), ("max_tokens", True),
                            ("seed", "x"), ("stream", "yes"), ("stop", 3), ("stop", ""), ("stop", [1]), ("stop", ["x"] * 17), ("top_logprobs", 3),
                            ("logprobs", 1), ("logit_bias", {"x": 1}), ("logit_bias", {"5": 101}), ("logit_bias", []),
                            ("tools", "x"), ("response_format", {"type": "grammar"}), ("n", "1"), ("stream_options", {"usage": True})]:
            status, error = self.server.refusal(**{name: value})
            self.assertEqual(status, 400, (name, value, error))
            self.assertIn(name, error["message"])

    def test_messages_of_another_form(self):
        good = question("What is this?")["messages"][0]
        for messages in ([], {}, "hello", None, [1], [[]], [{}], [{"role": "user"}], [{"content": "x"}],
                         [{"role": "tool", "content": "x"}], [{"role": "user", "content": 1}],
                         [{"role": "user", "content": None}], [{"role": "user", "content": [{"type": "video"}]}],
                         [{"role": "user", "content": [{"text": "x"}]}], [{**good, "name": "me"}],
                         [{"role": "user", "content": [{"type": "text", "text": 3}]}],
                         [{"role": "assistant", "content": [picture(data_uri("000.png"))]}]):
            status, answer = self.server.chat({"model": "tiny", "messages": messages})
            self.assertEqual(status, 400, (messages, answer))
        status, answer = self.server.chat({"model": "tiny"})
        self.assertEqual(status, 400)
        self.assertIn("messages", answer["error"]["message"])

    def test_another_model_is_not_found(self):
        status, error = self.server.refusal(model="gpt-4o")
        self.assertEqual((status, error["code"]), (404, "model_not_found"))

    def test_pictures_that_cannot_be_used(self):
        good = data_uri("000.png")
        for url, says in [("http://example.com/a.png", "network"), ("https://example.com/a.png", "network"),
                          ("/etc/passwd", "--allow-files"), ("file:///etc/passwd", "--allow-files"), ("", "file"),
                          (good[:-7], "base64"), (good[:60] + "*" + good[61:], "base64"), (good[:200], "messages[0]"),
                          ("data:text/plain;base64,aGFsbG8=", "data:image/png"), ("data:image/png,abc", "data:image/png"),
                          ("data:image/png;base64,aGFsbG8=", "messages[0].content[0].image_url.url")]:
            body = {"model": "tiny", "messages": [{"role": "user", "content": [picture(url), text("What?")]}]}
            status, answer = self.server.chat(body)
            self.assertEqual(status, 400, (url[:40], answer))
            self.assertIn(says, answer["error"]["message"], url[:40])
            self.assertIn("messages[0].content[0]", answer["error"]["param"])
        low = {"type": "image_url", "image_url": {"url": good, "detail": "low"}}
        status, answer = self.server.chat({"model": "tiny", "messages": [{"role": "user", "content": [low]}]})
        self.assertEqual(status, 400)
        self.assertIn("detail", answer["error"]["message"])

    def test_a_prompt_beyond_the_context(self):
        status, error = self.server.refusal(messages=[{"role": "user", "content": "word " * 9000}])
        self.assertEqual((status, error["code"]), (400, "context_length_exceeded"))


class Again(unittest.TestCase):
    def test_what_comes_again_is_read_once(self):
        with Server("--prefix-cache-mib", "64") as server:
            body = question("What colour is the small triangle?", "000.png")
            cached = []
            for _ in range(2):
                status, answer = server.chat(body)
                self.assertEqual((status, answer["choices"][0]["message"]["content"]), (200, "blue"))
                cached.append(answer["usage"]["prompt_tokens_details"]["cached_tokens"])
            self.assertEqual(cached[0], 0)
            self.assertGreater(cached[1], answer["usage"]["prompt_tokens"] // 2)
            self.assertEqual(server.metric("octavo_reused_prompt_tokens_total"), cached[1])


class Files(unittest.TestCase):
    def test_only_files_of_the_directory(self):
        with tempfile.TemporaryDirectory() as directory:
            shutil.copy(MODEL / "eval" / "000.png", directory)
            support.os.symlink("/etc/passwd", directory + "/link.png")
            with Server("--allow-files", directory) as server:
                def ask(url):
                    parts = [picture(url), text("What colour is the small triangle?")]
                    return server.chat({"model": "tiny", "temperature": 0,
                                        "messages": [{"role": "user", "content": parts}]})
                for url in ("000.png", f"file://{directory}/000.png", f"{directory}/000.png"):
                    status, answer = ask(url)
                    self.assertEqual(status, 200, answer)
                    self.assertEqual(answer["choices"][0]["message"]["content"], "blue")
                for url in ("none.png", "link.png", "/etc/passwd", "../../etc/passwd", ".", directory + "x/000.png"):
                    self.assertEqual(ask(url)[0], 400, url)


if __name__ == "__main__":
    unittest.main(argv=support.sys.argv[:1], verbosity=2)
