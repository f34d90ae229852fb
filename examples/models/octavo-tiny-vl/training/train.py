"""Trains the bundled model: python train.py MODEL_DIR [MINUTES [SEED]]. CPU; saves as it goes. Seed 1 starts from nothing;
any other goes on from the weights that are there, with data of its own.

Beside the answers, each image token learns to name the thing under it (shape, colour, size, and the digits of its box)
through linear heads that are dropped afterwards: the vision tower then learns in minutes what answers alone teach in hours.
"""
import math
import random
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import AutoTokenizer

import pictures
from net import Net, load, load_config, patchify, save

PICTURES, QUESTIONS = 8, 8
TASKS = ["grounding"] * 4 + ["colour", "shape", "count", "count"]
PEAK_RATE = 1.5e-3


class Packer:
    """Pictures and their questions as one sequence each: prefix with the picture, then every question by itself."""

    def __init__(self, directory):
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        config = load_config(directory)
        self.pad, self.image = self.tokenizer.convert_tokens_to_ids("<|endoftext|>"), config["image_token_id"]
        self.cache = {}
        self.before = self.encode("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>")
        self.after = self.encode("<|vision_end|>")
        self.ask = self.encode("<|im_end|>\n<|im_start|>assistant\n")
        self.end = self.encode("<|im_end|>")

    def encode(self, text):
        if text not in self.cache:
            if len(self.cache) > 50000:
                self.cache.clear()
            self.cache[text] = self.tokenizer(text)["input_ids"]
        return self.cache[text]

    def pack(self, pixels, questions):
        b, height, width, _ = pixels.shape
        gh, gw = height // 28, width // 28
        prefix = self.before + [self.image] * (gh * gw) + self.after
        start = len(self.before)
        image_positions = np.stack([np.full(gh * gw, start), start + np.repeat(np.arange(gh), gw),
                                    start + np.tile(np.arange(gw), gh)])
        after = start + max(gh, gw)
        prefix_positions = np.concatenate([np.tile(np.arange(start), (3, 1)), image_positions,
                                           np.tile(np.arange(after, after + len(self.after)), (3, 1))], 1)
        next_position = after + len(self.after)
        rows = []
        for asked in questions:
            ids, positions, owner, target = list(prefix), [prefix_positions], [0] * len(prefix), [-1] * len(prefix)
            for number, (prompt, answer) in enumerate(asked, 1):
                head, tail = self.encode(prompt) + self.ask, self.encode(answer) + self.end
                ids += head + tail
                target += [-1] * (len(head) - 1) + tail + [-1]
                owner += [number] * (len(head) + len(tail))
                positions.append(np.tile(np.arange(next_position, next_position + len(head) + len(tail)), (3, 1)))
            rows.append((ids, np.concatenate(positions, 1), owner, target))
        longest = max(len(row[0]) for row in rows)
        ids = np.full((b, longest), self.pad)
        positions, owner, target = np.zeros((b, 3, longest)), np.full((b, longest), -1), np.full((b, longest), -1)
        for i, (row_ids, row_positions, row_owner, row_target) in enumerate(rows):
            n = len(row_ids)
            ids[i, :n], positions[i, :, :n], owner[i, :n], target[i, :n] = row_ids, row_positions, row_owner, row_target
        owner = torch.tensor(owner)
        mask = torch.ones(longest, longest, dtype=torch.bool).tril() & (
            (owner[:, :, None] == owner[:, None, :]) | (owner[:, None, :] == 0))
        return {"ids": torch.tensor(ids), "positions": torch.tensor(positions, dtype=torch.float32), "mask": mask[:, None],
                "target": torch.tensor(target), "patches": patchify(pixels), "grid": (height // 14, width // 14),
                "image": slice(start, start + gh * gw)}

    @staticmethod
    def hidden(net, batch, vision=None):
        vision = net.visual(batch["patches"], batch["grid"]) if vision is None else vision
        x = net.model.embed_tokens(batch["ids"])
        place = batch["image"]
        x = torch.cat([x[:, :place.start], vision, x[:, place.stop:]], 1)
        return net.model(x, batch["positions"], batch["mask"])


def dense_targets(things, height, width):
    """Per image token (28 x 28 pixels): shape, colour, size and twelve box digits of the thing that covers it most; -1 for none."""
    gh, gw = height // 28, width // 28
    best, result = np.full((gh, gw), 60.0), np.full((gh, gw, 15), -1)
    ys, xs = np.arange(gh) * 28, np.arange(gw) * 28
    for thing in things:
        x1, y1, x2, y2 = thing.box
        area = (np.clip(np.minimum(ys + 28, y2) - np.maximum(ys, y1), 0, None)[:, None] *
                np.clip(np.minimum(xs + 28, x2) - np.maximum(xs, x1), 0, None)[None, :])
        digits = [d for v in thing.box for d in (v // 100, v // 10 % 10, v % 10)]
        label = [pictures.SHAPES.index(thing.shape), list(pictures.COLOURS).index(thing.colour),
                 list(pictures.SIZES).index(thing.size)] + digits
        better = area > best
        best[better], result[better] = area[better], label
    return result.reshape(gh * gw, 15)


HEADS = [5, 7, 3] + [2, 10, 10] * 4  # one class more for "nothing" in the first three


class DenseHeads(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, sum(HEADS))

    def forward(self, vision, target):
        losses = []
        for i, part in enumerate(self.linear(vision).split(HEADS, -1)):
            wanted = target[..., i]
            if i < 3:
                wanted = torch.where(wanted < 0, torch.tensor(HEADS[i] - 1), wanted)
            losses.append(F.cross_entropy(part.flatten(0, 1), wanted.flatten(), ignore_index=-1))
        return torch.stack(losses[:3]).mean() + torch.stack(losses[3:]).mean()


def make_batch(rng, packer, with_questions=True, count=PICTURES):
    height, width = rng.choice(pictures.TRAIN_SIDES)
    pixels, questions, dense = [], [], []
    while len(pixels) < count:
        things, drawn = pictures.picture(rng, height, width)
        asked, tries = [], 0
        while with_questions and len(asked) < QUESTIONS and tries < 60:
            tries += 1
            found = pictures.question(rng, things, rng.choice(TASKS))
            if found and found not in asked:
                asked.append(found)
        if with_questions and len(asked) < 3:
            continue
        pixels.append(drawn)
        questions.append(asked)
        dense.append(dense_targets(things, height, width))
    pixels = np.stack(pixels)
    dense = torch.tensor(np.stack(dense))
    if with_questions:
        return packer.pack(pixels, questions), dense
    return {"patches": patchify(pixels), "grid": (height // 14, width // 14)}, dense


def main(directory, minutes, seed):
    torch.manual_seed(0)
    torch.set_num_threads(2)
    rng = random.Random(seed)
    packer = Packer(directory)
    net = Net(load_config(directory))
    if seed != 1:
        load(net, directory)
    heads = DenseHeads(192)
    print(sum(p.numel() for p in net.parameters()), "parameters", flush=True)
    parameters = list(net.named_parameters()) + list(heads.named_parameters())
    optimizer = torch.optim.AdamW([
        {"params": [p for n, p in parameters if p.dim() > 1], "weight_decay": 0.02},
        {"params": [p for n, p in parameters if p.dim() == 1], "weight_decay": 0.0}], lr=0, betas=(0.9, 0.98))
    began, step, average = time.time(), 0, {}
    warm_vision = 0.12 if seed == 1 else 0  # share of the time that goes to the vision tower alone
    while (done := (time.time() - began) / (60 * minutes)) < 1:
        vision_only = done < warm_vision
        batch, dense = make_batch(rng, packer, not vision_only, 24 if vision_only else PICTURES)
        local = done / warm_vision if vision_only else (done - warm_vision) / (1 - warm_vision)
        rate = PEAK_RATE * min(1, (step + 1) / 100) * (1 if vision_only else 0.02 + 0.98 * (1 + math.cos(math.pi * local)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = rate
        vision = net.visual(batch["patches"], batch["grid"])
        loss_dense = heads(vision, dense)
        if vision_only:
            loss = loss_dense
        else:
            hidden = packer.hidden(net, batch, vision)
            chosen = batch["target"] >= 0
            logits = net.logits(hidden[chosen])
            loss_answer = F.cross_entropy(logits, batch["target"][chosen])
            average["answer"] = 0.98 * average.get("answer", float(loss_answer)) + 0.02 * float(loss_answer)
            right = float((logits.argmax(-1) == batch["target"][chosen]).float().mean())
            average["token accuracy"] = 0.98 * average.get("token accuracy", right) + 0.02 * right
            loss = loss_answer + 0.3 * loss_dense
        average["dense"] = 0.98 * average.get("dense", float(loss_dense)) + 0.02 * float(loss_dense)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 50 == 0:
            print(f"{time.time() - began:6.0f} s  step {step}  rate {rate:.1e}  " +
                  "  ".join(f"{k} {v:.4f}" for k, v in average.items()), flush=True)
        if step % 400 == 0:
            save(net, directory)
    save(net, directory)
    print(f"done: {step} steps in {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60, int(sys.argv[3]) if len(sys.argv) > 3 else 1)
