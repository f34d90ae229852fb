#!/usr/bin/env python3
"""Writes rules.json: what transformers' logits processors, in generate's own order, make of random scores under random
generation configs. `ids` and `probabilities` are what a step draws from; greedy steps have one id.

Run: python tests/golden/model/make_rules.py   (torch and transformers)
"""
import json
import pathlib
import random
import types

import torch
import transformers
from transformers import GenerationConfig
from transformers.generation.utils import GenerationMixin

HERE = pathlib.Path(__file__).parent
VOCAB = 16


class Stub(GenerationMixin):
    config = types.SimpleNamespace(is_encoder_decoder=False)


def random_settings(rng):
    ids = lambda n: [rng.randrange(VOCAB) for _ in range(rng.randint(1, n))]  # noqa: E731
    choices = {
        "temperature": lambda: rng.choice([0.5, 0.7, 1.5]), "top_k": lambda: rng.choice([0, 1, 3, 8, 50]),
        "top_p": lambda: rng.choice([0.3, 0.8, 0.95]), "min_p": lambda: rng.choice([0.05, 0.3]),
        "typical_p": lambda: rng.choice([0.2, 0.6, 0.9]), "epsilon_cutoff": lambda: rng.choice([0.02, 0.1]),
        "eta_cutoff": lambda: rng.choice([0.02, 0.3]), "repetition_penalty": lambda: rng.choice([0.8, 1.3]),
        "encoder_repetition_penalty": lambda: rng.choice([0.8, 1.4]), "no_repeat_ngram_size": lambda: rng.randint(1, 3),
        "encoder_no_repeat_ngram_size": lambda: rng.randint(1, 3),
        "bad_words_ids": lambda: [ids(2) for _ in range(rng.randint(1, 3))],
        "sequence_bias": lambda: [[ids(2), rng.choice([-3.0, 2.5])] for _ in range(rng.randint(1, 3))],
        "suppress_tokens": lambda: ids(3), "begin_suppress_tokens": lambda: ids(3), "min_new_tokens": lambda: rng.randint(1, 4),
        "min_length": lambda: rng.randint(1, 8), "forced_bos_token_id": lambda: rng.randrange(VOCAB),
        "forced_eos_token_id": lambda: rng.choice([rng.randrange(VOCAB), ids(2)]),
        "exponential_decay_length_penalty": lambda: [rng.randint(0, 2), 1.2],
    }
    settings = {key: choices[key]() for key in rng.sample(list(choices), rng.randint(1, 5))}
    if "sequence_bias" in settings:  # positive ids alone, each sequence once
        settings["sequence_bias"] = [
            [list(s), b] for s, b in {tuple(s): b for s, b in settings["sequence_bias"]}.items() if min(s) > 0]
        if not settings["sequence_bias"]:
            del settings["sequence_bias"]
    settings["do_sample"] = rng.random() < 0.7
    settings["eos_token_id"] = ids(2)
    return settings


def main():
    rng = random.Random(5)
    torch.manual_seed(5)
    cases, used = [], {}
    while len(cases) < 400:
        settings = random_settings(rng)
        prompt, said, limit = rng.randint(1, 4), rng.randint(0, 3), rng.randint(1, 5)
        if said >= limit:
            continue
        history = [rng.choice([1, 2, 3, rng.randrange(VOCAB)]) for _ in range(prompt + said)]
        scores = (torch.randn(1, VOCAB) * 2).round(decimals=3)
        ends = settings.get("forced_eos_token_id")
        forced = {settings.get("forced_bos_token_id"), *(ends if isinstance(ends, list) else [ends])}
        if set(settings.get("suppress_tokens", [])) & forced:
            continue  # transformers 5 refuses what would leave no token
        config = GenerationConfig(**{k: (tuple(v) if k == "exponential_decay_length_penalty" else v) for k, v in settings.items()})
        config.max_length = prompt + limit
        for key, value in GenerationConfig().to_dict().items():  # what a release leaves unset
            if getattr(config, key, None) is None and value is not None:
                setattr(config, key, value)
        for key, value in {"num_beams": 1, "top_k": 50, "top_p": 1.0, "temperature": 1.0, "typical_p": 1.0, "epsilon_cutoff": 0.0,
                           "eta_cutoff": 0.0, "guidance_scale": None, "renormalize_logits": False}.items():
            if getattr(config, key, None) is None:
                setattr(config, key, value)
        config._eos_token_tensor = torch.tensor(settings["eos_token_id"])
        if config.min_new_tokens is not None:  # as generate() does before
            config.min_length = config.min_new_tokens + prompt
        inputs = torch.tensor([history])
        processors = Stub()._get_logits_processor(config, input_ids_seq_length=prompt, encoder_input_ids=inputs[:, :prompt],
                                                  prefix_allowed_tokens_fn=None, logits_processor=[], device="cpu", model_kwargs={})
        out = processors(inputs, scores.clone())[0]
        if not torch.isfinite(out.max()):
            continue  # nothing is left to say
        if settings["do_sample"]:
            probabilities = torch.softmax(out.double(), 0)
            order = sorted((i for i in range(VOCAB) if probabilities[i] > 0), key=lambda i: (-float(probabilities[i]), i))
            best = [[i, round(float(probabilities[i]), 9)] for i in order]
        else:
            best = [[int(out.argmax()), 1.0]]
        for key in settings:
            used[key] = used.get(key, 0) + 1
        cases.append({"config": settings, "prompt_tokens": prompt, "limit": limit, "history": history,
                      "logits": [round(float(s), 3) for s in scores[0]], "choices": best})
    (HERE / "rules.json").write_text(json.dumps({"transformers": transformers.__version__, "cases": cases},
                                                separators=(",", ":")) + "\n")
    print(f"transformers {transformers.__version__}: {len(cases)} cases;", ", ".join(f"{k} {n}" for k, n in sorted(used.items())))


if __name__ == "__main__":
    main()
