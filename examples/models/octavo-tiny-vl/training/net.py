"""Qwen2.5-VL for training: the parameters and the arithmetic of the reference, batched over pictures of one size.

Windows are a mask instead of a permutation (attention does not care about order), and many questions share their
picture's prefix in one sequence, kept apart by a mask. `python net.py MODEL_DIR` compares with transformers.
"""
import json
import os
import sys

import torch
from torch import nn
from torch.nn import functional as F


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, 1e-6)


class Mlp(nn.Module):
    def __init__(self, width, inner, bias):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=bias)
        self.up_proj = nn.Linear(width, inner, bias=bias)
        self.down_proj = nn.Linear(inner, width, bias=bias)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class VisionAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x, rope, mask):
        b, n, width = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        o = F.scaled_dot_product_attention(rotate(q, *rope), rotate(k, *rope), v, attn_mask=mask)
        return self.proj(o.transpose(1, 2).reshape(b, n, width))


class VisionBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.norm2 = Norm(c["hidden_size"]), Norm(c["hidden_size"])
        self.attn = VisionAttention(c["hidden_size"], c["num_heads"])
        self.mlp = Mlp(c["hidden_size"], c["intermediate_size"], True)

    def forward(self, x, rope, mask):
        x = x + self.attn(self.norm1(x), rope, mask)
        return x + self.mlp(self.norm2(x))


class Merger(nn.Module):
    def __init__(self, c):
        super().__init__()
        width = 4 * c["hidden_size"]
        self.ln_q = Norm(c["hidden_size"])
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, c["out_hidden_size"]))

    def forward(self, x):
        return self.mlp(self.ln_q(x).reshape(x.shape[0], x.shape[1] // 4, -1))


class PatchEmbed(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv3d(3, c["hidden_size"], (2, 14, 14), (2, 14, 14), bias=False)

    def forward(self, patches):
        return patches @ self.proj.weight.flatten(1).T


class Vision(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.ModuleList(VisionBlock(c) for _ in range(c["depth"]))
        self.merger = Merger(c)
        self.tables = {}

    def table(self, grid):
        if grid not in self.tables:
            h, w = grid
            y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")

            def order(t):  # merge-group order
                return t.view(h // 2, 2, w // 2, 2).permute(0, 2, 1, 3).reshape(-1)

            y, x = order(y), order(x)
            head = self.c["hidden_size"] // self.c["num_heads"]
            freq = 10000.0 ** (-torch.arange(head // 4) * 4.0 / head)
            angle = torch.cat([y[:, None] * freq, x[:, None] * freq] * 2, -1)
            side = self.c["window_size"] // 14
            window = y // side * 1000 + x // side
            self.tables[grid] = (angle.cos(), angle.sin()), window[:, None] == window[None, :]
        return self.tables[grid]

    def forward(self, patches, grid):
        rope, window = self.table(grid)
        x = self.patch_embed(patches)
        for i, block in enumerate(self.blocks):
            x = block(x, rope, None if i in self.c["fullatt_block_indexes"] else window)
        return self.merger(x)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv, width = c["num_attention_heads"], c["num_key_value_heads"], c["hidden_size"]
        self.head = width // self.heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, self.kv * self.head)
        self.v_proj = nn.Linear(width, self.kv * self.head)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x, rope, mask, watched=()):
        """The output, and for the watched query heads log attention [B, heads, S, S] (None when there are none)."""
        b, n, width = x.shape
        q = rotate(self.q_proj(x).view(b, n, self.heads, self.head).transpose(1, 2), *rope)
        k = rotate(self.k_proj(x).view(b, n, self.kv, self.head).transpose(1, 2), *rope)
        v = self.v_proj(x).view(b, n, self.kv, self.head).transpose(1, 2)
        group = self.heads // self.kv
        o = F.scaled_dot_product_attention(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), attn_mask=mask)
        seen = None
        if watched:
            keys = k[:, [head // group for head in watched]]
            scores = q[:, list(watched)] @ keys.transpose(2, 3) * self.head ** -0.5
            seen = scores.masked_fill(~mask, -1e4).log_softmax(-1)
        return self.o_proj(o.transpose(1, 2).reshape(b, n, width)), seen


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(c["hidden_size"]), Norm(c["hidden_size"])
        self.self_attn = Attention(c)
        self.mlp = Mlp(c["hidden_size"], c["intermediate_size"], False)

    def forward(self, x, rope, mask, watched=()):
        attended, seen = self.self_attn(self.input_layernorm(x), rope, mask, watched)
        x = x + attended
        return x + self.mlp(self.post_attention_layernorm(x)), seen


class Text(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = Norm(c["hidden_size"])

    def forward(self, x, positions, mask, watched=None):
        """x [B,S,H], positions [B,3,S], mask [B,1,S,S] bool -> normalised hidden rows.

        watched {layer: heads} asks for more: each layer's hidden rows, and {layer: log attention of those heads}.
        """
        head = self.c["hidden_size"] // self.c["num_attention_heads"]
        freq = self.c["rope_theta"] ** (-torch.arange(head // 2) * 2.0 / head)
        row = torch.repeat_interleave(torch.arange(3), torch.tensor(self.c["rope_scaling"]["mrope_section"]))
        angle = positions[:, row].transpose(1, 2) * freq
        angle = torch.cat([angle, angle], -1)[:, None]
        rope = angle.cos(), angle.sin()
        hidden, seen = [], {}
        for i, layer in enumerate(self.layers):
            x, of_layer = layer(x, rope, mask, (watched or {}).get(i, ()))
            hidden.append(x)
            if of_layer is not None:
                seen[i] = of_layer
        return self.norm(x) if watched is None else (self.norm(x), hidden, seen)


class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.visual = Vision(config["vision_config"])
        self.model = Text(config)
        self.apply(self.init)

    @staticmethod
    def init(module):
        if isinstance(module, (nn.Linear, nn.Conv3d)):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.05)

    def logits(self, hidden):
        return hidden @ self.model.embed_tokens.weight.T


def patchify(pixels):
    """uint8 [B,H,W,3] -> float32 [B, patches, 1176] in the image processor's order."""
    b, height, width, _ = pixels.shape
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])
    x = (torch.as_tensor(pixels).float() / 255 - mean) / std
    x = x.view(b, height // 28, 2, 14, width // 28, 2, 14, 3).permute(0, 1, 4, 2, 5, 7, 3, 6)
    return x.unsqueeze(6).expand(*x.shape[:6], 2, 14, 14).reshape(b, height * width // 196, 1176)


def load_config(directory):
    with open(os.path.join(directory, "config.json")) as file:
        return json.load(file)


def save(net, directory):
    from safetensors.torch import save_file
    tensors = {k: v.detach().to(torch.bfloat16).contiguous() for k, v in net.state_dict().items()}
    save_file(tensors, os.path.join(directory, "model.safetensors.part"), metadata={"format": "pt"})
    os.replace(os.path.join(directory, "model.safetensors.part"), os.path.join(directory, "model.safetensors"))


def load(net, directory):
    from safetensors.torch import load_file
    net.load_state_dict({k: v.float() for k, v in load_file(os.path.join(directory, "model.safetensors")).items()})


def check(directory):
    import numpy as np
    from transformers import Qwen2_5_VLForConditionalGeneration
    from train import Packer
    net = Net(load_config(directory))
    save(net, directory)
    net.load_state_dict({k: v.to(torch.bfloat16).float() for k, v in net.state_dict().items()})
    reference = Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()
    pixels = np.random.default_rng(1).integers(0, 255, (1, 140, 112, 3), dtype=np.uint8)
    packer = Packer(directory)
    batch = packer.pack(pixels, [[("Where is the red circle?", "red")]])
    with torch.no_grad():
        ours = net.logits(packer.hidden(net, batch))[0]
        ids = batch["ids"]
        theirs = reference(input_ids=ids, pixel_values=patchify(pixels)[0], image_grid_thw=torch.tensor([[1, 10, 8]]),
                           mm_token_type_ids=(ids == net.config["image_token_id"]).int()).logits[0]
    print("largest logit difference from transformers:", float((ours - theirs).abs().max()))


if __name__ == "__main__":
    check(sys.argv[1])
