"""PyTorch: linears, attention (scaled_dot_product_attention), and transformers' vision tower in bfloat16.

    python torch_peer.py VISION_LANGUAGE_DIR THREADS
"""

import sys

import serve
import torch
from torch.nn.functional import linear
from torch.nn.functional import scaled_dot_product_attention as attention

directory, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)
torch.set_grad_enabled(False)
peer = serve.Peer("torch", torch.__version__, "eager; int8 by _int_mm between quantizing rows and scaling sums; the "
                  "faster of enable_gqa and expanded heads; vision tower of transformers, bfloat16, sdpa")


def int8_linear(out, width):
    x = torch.randn(512, width)
    weight = torch.randint(-127, 128, (out, width), dtype=torch.int8).t()
    scale = torch.rand(out)

    def run():
        token = x.abs().amax(dim=1, keepdim=True) / 127
        sums = torch._int_mm(torch.round(x / token).to(torch.int8), weight)
        return sums.to(torch.float32) * token * scale

    return lambda: serve.median_seconds(run)


def bf16_linear(out, width):
    x, weight = torch.randn(512, width).bfloat16(), torch.randn(out, width).bfloat16()
    return lambda: serve.median_seconds(lambda: linear(x, weight))


for name, (out, width) in serve.LINEARS.items():
    peer.row(f"int8 linear {name}", int8_linear(out, width))
peer.row("bf16 linear down_proj", bf16_linear(*serve.LINEARS["down_proj"]))


def causal(length):
    q = torch.randn(1, length, 16, 128).transpose(1, 2)
    k, v = (torch.randn(1, 2, length, 128) for _ in range(2))

    def expanded(x):
        return x.unsqueeze(2).expand(1, 2, 8, length, 128).reshape(1, 16, length, 128)

    ways = (lambda: attention(q, k, v, is_causal=True, enable_gqa=True),
            lambda: attention(q, expanded(k), expanded(v), is_causal=True))
    return lambda: min(serve.median_seconds(way, 3) for way in ways)


def vision_attention():
    q, k, v = (torch.randn(1, 1024, 16, 80).transpose(1, 2) for _ in range(3))
    return lambda: serve.median_seconds(lambda: attention(q, k, v))


peer.row("attention causal 2048", causal(2048))
peer.row("attention vision 1024", vision_attention())


def vision_tower():
    from transformers import AutoConfig
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as source

    config = AutoConfig.from_pretrained(directory).vision_config
    config._attn_implementation = "sdpa"
    tower = source.Qwen2_5_VisionTransformerPretrainedModel(config).eval().bfloat16()
    pixels, grid = torch.randn(1024, 3 * 2 * 14 * 14).bfloat16(), torch.tensor([[1, 32, 32]])
    return lambda: serve.median_seconds(lambda: tower(pixels, grid), 3)


try:
    peer.row("vision 1024 patches", vision_tower())
except Exception as error:
    peer.leave_out("vision 1024 patches", f"{type(error).__name__}: {error}"[:300])
peer.serve()
