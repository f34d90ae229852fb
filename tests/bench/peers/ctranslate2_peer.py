"""CTranslate2: the language layers as a Qwen2 model in int8.

    python ctranslate2_peer.py --convert TEXT_DIR TARGET_DIR
    python ctranslate2_peer.py CONVERTED_DIR THREADS
"""

import sys

if sys.argv[1] == "--convert":
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(sys.argv[2], low_cpu_mem_usage=True).convert(sys.argv[3], quantization="int8", force=True)
    sys.exit()

import ctranslate2  # noqa: E402
import serve  # noqa: E402

directory, threads = sys.argv[1], int(sys.argv[2])
generator = ctranslate2.Generator(directory, device="cpu", compute_type="int8", intra_threads=threads, inter_threads=1)
peer = serve.Peer("ctranslate2", ctranslate2.__version__, "Qwen2, int8 with a scale per token and channel; decode is "
                  "the difference of 17 tokens and one")


def generate(past, new):
    prompt = [f"<extra_id_{token}>" for token in serve.tokens(past)]
    generator.generate_batch([prompt], max_length=new, min_length=new, sampling_topk=1, end_token=[],
                             include_prompt_in_result=False, return_end_token=True)


def decode(past):
    first = serve.seconds(lambda: generate(past, 1))
    return (serve.seconds(lambda: generate(past, 1 + serve.NEW_TOKENS)) - first) / serve.NEW_TOKENS


for count in (512, 2048):
    peer.row(f"prefill {count}", lambda count=count: serve.seconds(lambda: generate(count, 1)))
for past in (16, 2048):
    peer.row(f"decode at {past}", lambda past=past: decode(past))
peer.serve()
