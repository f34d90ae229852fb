"""CTranslate2: the language layers as a Qwen2 model in int8.

    python ctranslate2_peer.py --convert TEXT_DIR TARGET_DIR
    python ctranslate2_peer.py CONVERTED_DIR THREADS
"""

import sys
import time

if sys.argv[1] == "--convert":
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(sys.argv[2], low_cpu_mem_usage=True).convert(sys.argv[3], quantization="int8", force=True)
    sys.exit()

import ctranslate2  # noqa: E402
import serve  # noqa: E402

directory, threads = sys.argv[1], int(sys.argv[2])
generator = ctranslate2.Generator(directory, device="cpu", compute_type="int8", intra_threads=threads, inter_threads=1)
peer = serve.Peer("ctranslate2", ctranslate2.__version__, "Qwen2, int8 with a scale per token and channel; decode "
                  "begins when the first token is told")


def generate(past, new):
    """When each token was told."""
    told = []
    prompt = [f"<extra_id_{token}>" for token in serve.tokens(past)]
    generator.generate_batch([prompt], max_length=new, min_length=new, sampling_topk=1, end_token=[],
                             include_prompt_in_result=False, return_end_token=True,
                             callback=lambda step: told.append(time.perf_counter()))
    return told


def decode(past):
    told = generate(past, 1 + serve.NEW_TOKENS)
    return (told[-1] - told[0]) / (len(told) - 1)


for count in (512, 2048):
    peer.row(f"prefill {count}", lambda count=count: serve.seconds(lambda: generate(count, 1)))
for past in (16, 2048):
    peer.row(f"decode at {past}", lambda past=past: decode(past))
peer.serve()
