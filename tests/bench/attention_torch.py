"""What torch's scaled_dot_product_attention takes at the shapes of attention_bench, in float32.

    python attention_torch.py [repetitions] [threads]      31 1

Grouped heads are given in each way that torch has (enable_gqa, or keys and values expanded to all heads, as a view),
windows as a batch; the fastest way is printed. With one thread times are those that the thread ran, as in
attention_bench.
"""

import statistics
import sys
import time

import torch
from torch.nn.functional import scaled_dot_product_attention as attention

repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 31
threads = int(sys.argv[2]) if len(sys.argv) > 2 else 1
torch.set_num_threads(threads)
torch.manual_seed(1)
clock = time.thread_time if threads == 1 else time.monotonic


def median_ms(job, count):
    job()
    times = []
    for _ in range(count):
        start = clock()
        job()
        times.append(clock() - start)
    return 1e3 * statistics.median(times)


def projected(heads, length, width):  # rows [L, H, D] as a projection leaves them
    return torch.randn(1, length, heads, width).transpose(1, 2)


def language(name, q_len, kv_len, count):
    q = projected(16, q_len, 128)
    k, v = (torch.randn(1, 2, kv_len + 8, 128)[:, :, :kv_len] for _ in range(2))
    options = {}
    if q_len == kv_len:
        options["is_causal"] = True
    elif q_len > 1:
        options["attn_mask"] = torch.ones(q_len, kv_len, dtype=torch.bool).tril(kv_len - q_len)

    def expanded(x):
        return x.unsqueeze(2).expand(1, 2, 8, kv_len, 128).reshape(1, 16, kv_len, 128)

    ways = {
        "enable_gqa": lambda: attention(q, k, v, enable_gqa=True, **options),
        "expanded": lambda: attention(q, expanded(k), expanded(v), **options),
    }
    report(name, ways, count)


def vision(name, patches, window, count):
    def rows():
        return torch.randn(patches // window, window, 16, 80).transpose(1, 2)

    q, k, v = rows(), rows(), rows()
    report(name, {"batched": lambda: attention(q, k, v)}, count)


def report(name, ways, count):
    ms, way = min((median_ms(job, count), way) for way, job in ways.items())
    print(f"{name:22} {ms:10.3f}  {way}", flush=True)


print(f"torch {torch.__version__}, {threads} threads, medians of {repetitions}")
with torch.inference_mode():
    language("prefill 512", 512, 512, repetitions)
    language("prefill 2048", 2048, 2048, max(3, repetitions // 5))
    language("prefill 128 after 1920", 128, 2048, repetitions)
    vision("vision full 1024", 1024, 1024, repetitions)
    vision("vision windows of 64", 1024, 64, repetitions)
    language("decode at 256", 1, 256, 20 * repetitions)
    language("decode at 2048", 1, 2048, 20 * repetitions)
    language("decode at 16384", 1, 16384, repetitions)
