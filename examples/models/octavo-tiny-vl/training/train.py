"""Trains the bundled model: python train.py MODEL_DIR [MINUTES [SEED [THREADS]]]. CPU; saves as it goes.

Answers alone would teach it, in days. What teaches it in an hour is to say, beside the answer, what each part is for, by losses
whose heads are dropped afterwards:
  sight   every image token of the vision tower names the thing under it, and where in that thing it lies;
  place   after two language layers an image token knows its thing's box in pixels (the vision tower cannot: rotary
          positions are relative there, and a plain background looks the same everywhere);
  anchor  two heads of the third layer look at the thing that a relation starts from;
  target  two heads of the fourth look at the thing in question; for a count, at every one of them and at a fixed token, in
          equal parts, so that the share says how many.
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
from net import Net, load_config, patchify, save

PICTURES, QUESTIONS = 16, 6
TASKS = ["grounding"] * 3 + ["colour", "shape", "count"]
WORD_WEIGHT = 5.0  # a box is some thirty tokens, a word is two
PLACE_LAYER, ANCHOR_LAYER, TARGET_LAYER = 1, 2, 3
WATCHED = {ANCHOR_LAYER: (0, 3), TARGET_LAYER: (0, 3)}
SIGHT_SHARE = 0.08  # of the time, for the vision tower alone


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
        """questions: per picture a list whose items begin with prompt and answer."""
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
            weight = [0.0] * len(prefix)
            for number, (prompt, answer, *_) in enumerate(asked, 1):
                head, tail = self.encode(prompt) + self.ask, self.encode(answer) + self.end
                ids += head + tail
                target += [-1] * (len(head) - 1) + tail + [-1]
                weight += [1.0 if answer.startswith("{") else WORD_WEIGHT] * (len(head) + len(tail))
                owner += [number] * (len(head) + len(tail))
                positions.append(np.tile(np.arange(next_position, next_position + len(head) + len(tail)), (3, 1)))
            rows.append((ids, np.concatenate(positions, 1), owner, target, weight))
        longest = max(len(row[0]) for row in rows)
        ids = np.full((b, longest), self.pad)
        positions, owner, target = np.zeros((b, 3, longest)), np.full((b, longest), -1), np.full((b, longest), -1)
        weight = np.zeros((b, longest), np.float32)
        for i, row in enumerate(rows):
            n = len(row[0])
            ids[i, :n], positions[i, :, :n], owner[i, :n], target[i, :n], weight[i, :n] = row
        owner = torch.tensor(owner)
        mask = torch.ones(longest, longest, dtype=torch.bool).tril() & (
            (owner[:, :, None] == owner[:, None, :]) | (owner[:, None, :] == 0))
        return {"ids": torch.tensor(ids), "positions": torch.tensor(positions, dtype=torch.float32), "mask": mask[:, None],
                "owner": owner, "target": torch.tensor(target), "weight": torch.tensor(weight), "patches": patchify(pixels),
                "grid": (height // 14, width // 14), "image": slice(start, start + gh * gw)}

    @staticmethod
    def hidden(net, batch, vision=None, watched=None):
        vision = net.visual(batch["patches"], batch["grid"]) if vision is None else vision
        x = net.model.embed_tokens(batch["ids"])
        place = batch["image"]
        x = torch.cat([x[:, :place.start], vision, x[:, place.stop:]], 1)
        return net.model(x, batch["positions"], batch["mask"], watched)


def describe_cells(things, gh, gw):
    """Per image token (28 x 28 pixels) the index of the thing that covers it most, -1 for none; and each thing's middle token."""
    best, owner = np.full((gh, gw), 60.0), np.full((gh, gw), -1)
    ys, xs = np.arange(gh) * 28, np.arange(gw) * 28
    middles = []
    for i, thing in enumerate(things):
        x1, y1, x2, y2 = thing.box
        area = (np.clip(np.minimum(ys + 28, y2) - np.maximum(ys, y1), 0, None)[:, None] *
                np.clip(np.minimum(xs + 28, x2) - np.maximum(xs, x1), 0, None)[None, :])
        better = area > best
        best[better], owner[better] = area[better], i
    for i, thing in enumerate(things):
        cx, cy = thing.centre
        cell = int(cy) // 28 * gw + int(cx) // 28
        middles.append(cell)
        owner.reshape(-1)[cell] = i
    return owner.reshape(-1), middles


class Batch:
    """Random pictures with their questions and everything that the losses of train.py compare with."""

    def __init__(self, rng, packer, count, ask):
        height, width = rng.choice(pictures.TRAIN_SIDES)
        gh, gw = self.grid = height // 28, width // 28
        pixels, questions, scenes = [], [], []
        while len(pixels) < count:
            things, drawn = pictures.picture(rng, height, width)
            asked, tries = [], 0
            while ask and len(asked) < QUESTIONS and tries < 40:
                tries += 1
                found = pictures.question(rng, things, rng.choice(TASKS))
                if found and all(found.prompt != other.prompt for other in asked):
                    asked.append(found)
            if ask and len(asked) < 3:
                continue
            pixels.append(drawn)
            questions.append(asked)
            scenes.append(things)
        self.pixels, self.questions = np.stack(pixels), questions
        self.patch_grid = height // 14, width // 14
        self.patches = patchify(self.pixels)
        described = [describe_cells(things, gh, gw) for things in scenes]
        label, box = np.full((count, gh * gw, 3), -1), np.zeros((count, gh * gw, 4), np.float32)
        middle = np.zeros((count, gh * gw), np.float32)
        for b, (things, (owner, middles)) in enumerate(zip(scenes, described)):
            covered, middle[b, middles] = owner >= 0, 1
            label[b, covered] = np.array([[pictures.SHAPES.index(t.shape), list(pictures.COLOURS).index(t.colour),
                                           list(pictures.SIZES).index(t.size)] for t in things])[owner[covered]]
            box[b, covered] = np.array([t.box for t in things])[owner[covered]]
        self.label, self.box, self.middle = torch.tensor(label), torch.tensor(box), torch.tensor(middle)
        if not ask:
            return
        self.packed = packer.pack(self.pixels, questions)
        # Which image tokens each question's heads should look at: [B, questions + 1 (none), cells].
        looks = {layer: np.zeros((count, QUESTIONS + 1, gh * gw), np.float32) for layer in WATCHED}
        self.counts = torch.zeros(count, QUESTIONS + 1, dtype=torch.bool)
        for b, asked in enumerate(questions):
            things, (owner, middles) = scenes[b], described[b]
            for number, q in enumerate(asked, 1):
                counting = q.prompt.startswith("How many")
                self.counts[b, number] = counting
                for layer, wanted in ((ANCHOR_LAYER, q.anchor), (TARGET_LAYER, q.about)):
                    for thing in wanted:
                        i = next(i for i, other in enumerate(things) if other is thing)
                        looks[layer][b, number, middles[i] if counting else owner == i] = 1
        self.looks = {layer: torch.tensor(look) for layer, look in looks.items()}


class SightHead(nn.Module):
    KINDS = [5, 7, 3]  # shapes, colours, sizes, and one more each for "nothing"

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, sum(self.KINDS) + 5)

    def forward(self, vision, batch):
        *kinds, box, middle = self.linear(vision).split([*self.KINDS, 4, 1], -1)
        loss = 0
        for i, (kind, count) in enumerate(zip(kinds, self.KINDS)):
            wanted = torch.where(batch.label[..., i] < 0, count - 1, batch.label[..., i])
            loss = loss + F.cross_entropy(kind.flatten(0, 1), wanted.flatten()) / 3
        covered = batch.label[..., 0] >= 0
        gh, gw = batch.grid
        y, x = torch.meshgrid(torch.arange(gh) * 28.0, torch.arange(gw) * 28.0, indexing="ij")
        corner = torch.stack([x, y, x, y], -1).view(1, gh * gw, 4)
        loss = loss + F.smooth_l1_loss(box[covered], ((batch.box - corner) / 28)[covered], beta=0.1)
        return loss + 0.5 * F.binary_cross_entropy_with_logits(middle[..., 0], batch.middle)


class PlaceHead(nn.Module):
    DIGITS = [2, 10, 10]

    def __init__(self, width):
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.linear = nn.Linear(width, 4 * sum(self.DIGITS) + 4)

    def forward(self, hidden, batch):
        covered = batch.label[..., 0] >= 0
        *digits, box = self.linear(self.norm(hidden[covered])).split([*self.DIGITS * 4, 4], -1)
        wanted = batch.box[covered]
        loss = F.smooth_l1_loss(box, wanted / 28 - 2, beta=0.1)
        for i, digit in enumerate(digits):
            value = wanted[:, i // 3].long() // (100, 10, 1)[i % 3] % 10
            loss = loss + F.cross_entropy(digit, value) / 12
        return loss


def look_loss(seen, batch, layer):
    """seen: log attention [B, heads, S, S] -> mean surprise of looking where the question is answered."""
    packed = batch.packed
    b, row = torch.nonzero(packed["target"] >= 0, as_tuple=True)
    number = packed["owner"][b, row]
    log_seen = seen[b, :, row]  # [P, heads, S]
    cells = log_seen[..., packed["image"]]
    look, counting = batch.looks[layer][b, number][:, None], batch.counts[b, number][:, None]
    somewhere = -(cells + torch.log(look + 1e-9)).logsumexp(-1)
    fixed = log_seen[..., packed["image"].start - 1]
    equally = -((cells * look).sum(-1) + fixed) / (look.sum(-1) + 1) - torch.log(look.sum(-1) + 1)
    return torch.where(counting, equally, somewhere).mean()


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal (K. Jordan et al. 2024), in float32; several matrices of one shape at a time.

    `qkv` weights are three matrices, one above the other.
    """

    def __init__(self, named, momentum=0.95, weight_decay=0.01):
        self.pieces = [(p, 3 if "qkv" in name else 1) for name, p in named]
        super().__init__([p for p, _ in self.pieces], {"lr": 0.0, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        options = self.param_groups[0]
        groups = {}
        for p, parts in self.pieces:
            if p.grad is None:
                continue
            state = self.state[p]
            if not state:
                state["sum"] = torch.zeros_like(p)
            state["sum"].lerp_(p.grad, 1 - options["momentum"])
            update = p.grad.lerp(state["sum"], options["momentum"])
            groups.setdefault((p.shape[0] // parts, p.shape[1]), []).append((p, parts, update))
        for (rows, columns), members in groups.items():
            x = torch.cat([update.view(parts, rows, columns) for _, parts, update in members])
            if rows > columns:
                x = x.transpose(1, 2)
            x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
            for _ in range(5):
                a = x @ x.transpose(1, 2)
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            if rows > columns:
                x = x.transpose(1, 2)
            x = x * max(1, rows / columns) ** 0.5
            at = 0
            for p, parts, _ in members:
                p.mul_(1 - options["lr"] * options["weight_decay"])
                p.add_(x[at:at + parts].reshape(p.shape), alpha=-options["lr"])
                at += parts


class Averages(dict):
    def add(self, **values):
        for key, value in values.items():
            value = float(value.detach() if torch.is_tensor(value) else value)
            self[key] = 0.98 * self.get(key, value) + 0.02 * value

    def __str__(self):
        return "  ".join(f"{key} {value:.3f}" for key, value in self.items())


def answer_accuracy(logits, packed, questions):
    """Share of whole answers right by teacher forcing, for grounding and for the rest."""
    chosen = packed["target"] >= 0
    b, row = torch.nonzero(chosen, as_tuple=True)
    wrong = torch.zeros(len(questions), QUESTIONS + 1)
    wrong.index_put_((b, packed["owner"][b, row]), (logits.argmax(-1) != packed["target"][chosen]).float(), accumulate=True)
    result = {"box": [], "word": []}
    for i, asked in enumerate(questions):
        for number, q in enumerate(asked, 1):
            result["box" if q.answer.startswith("{") else "word"].append(float(wrong[i, number] == 0))
    return {key: sum(values) / max(1, len(values)) for key, values in result.items()}


def main(directory, minutes, seed, threads):
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    rng = random.Random(seed)
    packer = Packer(directory)
    net = Net(load_config(directory))
    print(sum(p.numel() for p in net.parameters()), "parameters", flush=True)
    sight, place = SightHead(192), PlaceHead(192)
    matrices = [(n, p) for n, p in net.named_parameters() if p.dim() == 2 and "embed" not in n]
    taken = {id(p) for _, p in matrices}
    others = [p for p in net.parameters() if id(p) not in taken] + list(sight.parameters()) + list(place.parameters())
    muon = Muon(matrices)
    adam = torch.optim.AdamW(others, lr=0, betas=(0.9, 0.98), weight_decay=0.0)
    began, step, average = time.time(), 0, Averages()
    while (done := (time.time() - began) / (60 * minutes)) < 1:
        sight_only = done < SIGHT_SHARE
        batch = Batch(rng, packer, 32 if sight_only else PICTURES, not sight_only)
        local = (done - SIGHT_SHARE) / (1 - SIGHT_SHARE)
        rate = min(1, (step + 1) / 50) * (1 if sight_only else min(1, (1 - local) / 0.7) + 0.01)
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = 0.02 * rate, 0.003 * rate
        vision = net.visual(batch.patches, batch.patch_grid)
        loss = loss_sight = sight(vision, batch)
        average.add(sight=loss_sight)
        if not sight_only:
            packed = batch.packed
            normed, hidden, seen = packer.hidden(net, packed, vision, WATCHED)
            loss_place = place(hidden[PLACE_LAYER][:, packed["image"]], batch)
            looks = {layer: look_loss(seen[layer], batch, layer) for layer in WATCHED}
            chosen = packed["target"] >= 0
            logits = net.logits(normed[chosen])
            surprise, weight = F.cross_entropy(logits, packed["target"][chosen], reduction="none"), packed["weight"][chosen]
            loss_answer = (surprise * weight).sum() / weight.sum()
            loss = loss_answer + 0.3 * loss_sight + 0.3 * loss_place + 0.2 * looks[ANCHOR_LAYER] + 0.2 * looks[TARGET_LAYER]
            average.add(place=loss_place, anchor=looks[ANCHOR_LAYER], target=looks[TARGET_LAYER], answer=loss_answer,
                        **answer_accuracy(logits, packed, batch.questions))
        for optimizer in (muon, adam):
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer in (muon, adam):
            optimizer.step()
        step += 1
        if step % 50 == 0:
            print(f"{time.time() - began:6.0f} s  step {step}  rate {rate:.2f}  {average}", flush=True)
        if step % 400 == 0:
            save(net, directory)
    save(net, directory)
    print(f"done: {step} steps in {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    given = sys.argv[2:]
    main(sys.argv[1], *(kind(value) for kind, value in zip((float, int, int), given + ["60", "1", "2"][len(given):])))
