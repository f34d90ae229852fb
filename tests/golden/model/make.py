"""Makes the golden data of tests/model: three tiny random Qwen2.5-VL models and what transformers computes with them.

    /opt/oracle/bin/python tests/golden/model/make.py        (writes beside itself; versions go to versions.json)

The weights are random, biases and norms included, so that no mistake hides behind a zero or a one. Each model is
written to disk first, in the layout it stands for, and transformers reads it back from there in float32: the golden
values belong to the committed files. A prompt is drawn again when the two best logits of its greedy run ever come
closer than 1e-3, so that a test never hangs on a tie, or when the run is a dull one.
"""
import json
import pathlib
import shutil

import numpy
import PIL.Image
import safetensors
import safetensors.torch
import tokenizers
import torch
import transformers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as hf
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

HERE = pathlib.Path(__file__).parent
# Special tokens of a model lie together; its `special` says where.
NAMES = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|endoftext|>", "<|im_start|>",
         "<|im_end|>"]
IMAGE, VIDEO, START, END, EOS, IM_START, IM_END = range(7)

MODELS = {
    # Newer names (model.visual.*), nested config, untied; one full-attention block in the middle; ragged windows.
    "nested": dict(
        text=dict(hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
                  num_key_value_heads=2, vocab_size=272, rms_norm_eps=1e-6, max_position_embeddings=512),
        sections=[1, 1, 2], theta=1e4, tied=False,
        vision=dict(depth=3, hidden_size=24, num_heads=2, intermediate_size=40, out_hidden_size=32, in_channels=3,
                    patch_size=4, temporal_patch_size=2, spatial_merge_size=2, window_size=16,
                    fullatt_block_indexes=[1], tokens_per_second=2),
        layout="newer", config="nested", dtype=torch.float32, shards=1, use_cache=True, seed=21, special=256),
    # Published names, flat config that says use_cache: false, tied, two shards; full attention first and in the middle.
    "flat": dict(
        text=dict(hidden_size=36, intermediate_size=48, num_hidden_layers=3, num_attention_heads=3,
                  num_key_value_heads=1, vocab_size=144, rms_norm_eps=1e-5, max_position_embeddings=256),
        sections=[1, 2, 3], theta=1e6, tied=True,
        vision=dict(depth=4, hidden_size=16, num_heads=2, intermediate_size=24, out_hidden_size=36, in_channels=3,
                    patch_size=4, temporal_patch_size=2, spatial_merge_size=2, window_size=24,
                    fullatt_block_indexes=[0, 2], tokens_per_second=2),
        layout="published", config="flat", dtype=torch.float32, shards=2, use_cache=False, seed=22, special=120),
    # bfloat16 weights (float32 arithmetic), rope_parameters as transformers 5 writes them, three kv heads.
    "bf16": dict(
        text=dict(hidden_size=48, intermediate_size=40, num_hidden_layers=2, num_attention_heads=6,
                  num_key_value_heads=3, vocab_size=128, rms_norm_eps=1e-6, max_position_embeddings=512),
        sections=[2, 1, 1], theta=1e5, tied=False,
        vision=dict(depth=3, hidden_size=32, num_heads=4, intermediate_size=28, out_hidden_size=48, in_channels=3,
                    patch_size=4, temporal_patch_size=2, spatial_merge_size=2, window_size=16,
                    fullatt_block_indexes=[0], tokens_per_second=2),
        layout="published", config="rope_parameters", dtype=torch.bfloat16, shards=1, use_cache=True, seed=29, special=120),
}

# Grids in patches (t, h, w): 3x5 groups do not fill windows of 2 or 3; 2x2 fit exactly.
RAGGED, EXACT = (1, 6, 10), (1, 4, 4)
CASES = {"text": [], "one": [RAGGED], "two": [RAGGED, EXACT]}


def config_of(spec):
    text = dict(spec["text"], hidden_act="silu", use_sliding_window=False, attention_dropout=0.0,
                bos_token_id=spec["special"] + EOS,
                eos_token_id=spec["special"] + EOS)
    if spec["config"] == "rope_parameters":
        text["rope_parameters"] = {"rope_type": "default", "rope_theta": spec["theta"],
                                   "mrope_section": spec["sections"]}
    else:
        text["rope_theta"] = spec["theta"]
        text["rope_scaling"] = {"type": "mrope", "mrope_section": spec["sections"]}
    text["use_cache"] = spec["use_cache"]
    vision = dict(spec["vision"], hidden_act="silu", model_type="qwen2_5_vl")
    dtype = str(spec["dtype"]).removeprefix("torch.")
    top = dict(architectures=["Qwen2_5_VLForConditionalGeneration"], model_type="qwen2_5_vl", image_token_id=spec["special"] + IMAGE,
               video_token_id=spec["special"] + VIDEO, vision_start_token_id=spec["special"] + START, vision_end_token_id=spec["special"] + END, torch_dtype=dtype,
               tie_word_embeddings=spec["tied"], vision_config=vision)
    if spec["config"] == "flat":
        vision["in_chans"] = vision.pop("in_channels")  # as the published files spell it
        return {**text, **top}
    return {**top, "text_config": dict(text, model_type="qwen2_5_vl_text")}


def stored_name(name, layout):
    if layout == "newer":
        return name
    return name.replace("model.visual.", "visual.").replace("model.language_model.", "model.")


def write_model(directory, spec):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    config = config_of(spec)
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": [spec["special"] + EOS, spec["special"] + END],
                                                                 "do_sample": False}) + "\n")
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_pretrained(directory))
    random = torch.Generator().manual_seed(spec["seed"])
    tensors = {}
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=random)
        if name.endswith("bias"):
            noise = 0.2 * noise
        elif value.dim() == 1:
            noise = 1 + 0.2 * noise
        elif "embed_tokens" in name:
            noise = noise * (0.2 if spec["tied"] else 1.0)  # tied at full size, every token would predict itself
        else:
            noise = noise * value[0].numel() ** -0.5
        tensors[stored_name(name, spec["layout"])] = noise.to(spec["dtype"]).contiguous()
    names = sorted(tensors)
    if spec["shards"] == 1:
        safetensors.torch.save_file(tensors, directory / "model.safetensors", {"format": "pt"})
        return
    weight_map = {}
    for shard in range(spec["shards"]):
        file = f"model-{shard + 1:05}-of-{spec['shards']:05}.safetensors"
        part = names[shard::spec["shards"]]
        safetensors.torch.save_file({name: tensors[name] for name in part}, directory / file, {"format": "pt"})
        weight_map.update({name: file for name in part})
    total = sum(value.numel() * value.element_size() for value in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def prompt_of(grids, special, random):
    """Text, then each image followed by more text; the first image is not at the start, nor the last at the end."""
    ids = torch.randint(0, special, (5,), generator=random).tolist()
    for t, h, w in grids:
        ids += [special + START] + [special + IMAGE] * (t * h * w // 4) + [special + END]
        ids += torch.randint(0, special, (3,), generator=random).tolist()
    return ids


def greedy(model, inputs, use_cache, penalty):
    out = model.generate(**inputs, max_new_tokens=64, do_sample=False, use_cache=use_cache, repetition_penalty=penalty,
                         eos_token_id=None, pad_token_id=0, return_dict_in_generate=True, output_scores=True)
    best = torch.stack(out.scores)[:, 0].topk(2).values
    return out.sequences[0, inputs["input_ids"].shape[1]:], (best[:, 0] - best[:, 1]).min().item()


@torch.no_grad()
def run_case(model, grids, random, golden, case):
    special = model.config.image_token_id
    ids = prompt_of(grids, special, random)
    vision = model.config.vision_config
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
              "mm_token_type_ids": torch.tensor([[int(i == special + IMAGE) for i in ids]])}
    put = lambda name, value: golden.__setitem__(f"{case}.{name}", value.detach().clone().contiguous())
    put("ids", inputs["input_ids"][0])
    grid = torch.tensor(grids, dtype=torch.long).reshape(-1, 3)
    put("grids", grid)
    hooks, seen = [], {}
    keep = lambda name: lambda module, args, out: seen.__setitem__(name, out[0] if isinstance(out, tuple) else out)
    if grids:
        rows = int(grid.prod(1).sum())
        pixels = torch.randn((rows, 3 * 2 * vision.patch_size ** 2), generator=random)
        inputs |= {"pixel_values": pixels, "image_grid_thw": grid}
        put("pixel_values", pixels)
        for index, block in enumerate(model.model.visual.blocks):
            hooks.append(block.register_forward_hook(keep(f"vision_block_{index}")))
        encoded = model.model.visual(pixels, grid_thw=grid)
        put("vision", encoded.pooler_output)
        for name in sorted(seen):
            put(name, seen[name])
        index, cu = hf.get_vision_window_index(grid, spatial_merge_size=2, window_size=vision.window_size,
                                               patch_size=vision.patch_size)
        put("window_index", torch.as_tensor(index, dtype=torch.long))
        put("cu_window_seqlens", torch.unique_consecutive(torch.as_tensor(cu)).long())
    positions, delta = model.model.get_rope_index(inputs["input_ids"], mm_token_type_ids=inputs["mm_token_type_ids"],
                                                  image_grid_thw=grid if grids else None,
                                                  attention_mask=inputs["attention_mask"])
    put("position_ids", positions[:, 0].long())
    put("next_position", (delta.flatten().long() + len(ids)))
    seen.clear()
    for index, layer in enumerate(model.model.language_model.layers):
        hooks.append(layer.register_forward_hook(keep(f"layer_{index}")))
    logits = model(**inputs, use_cache=False).logits[0]
    for name in sorted(seen):
        if name.startswith("layer"):
            put(name, seen[name].reshape(len(ids), -1))
    put("logits", logits)
    for hook in hooks:
        hook.remove()
    for name, penalty in (("greedy", 1.0), ("penalised", 1.3)):
        cached, gap = greedy(model, inputs, True, penalty)
        uncached, gap_uncached = greedy(model, inputs, False, penalty)
        assert torch.equal(cached, uncached), (case, name)
        print(f"  {case}.{name}: {len(set(cached.tolist()))} distinct tokens, smallest gap {min(gap, gap_uncached):.4f}")
        assert len(cached) == 64
        if min(gap, gap_uncached) < 1e-3 or len(set(cached.tolist())) < 8:
            return False
        put(name, cached.long())
    return True


TEMPLATE = ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|>"
            "<|vision_end|>What is this?<|im_end|>\n<|im_start|>assistant\n")


def write_processors(directory, spec):
    """A byte-level tokenizer without merges and the image processor's file: enough for text and pictures in, text out."""
    alphabet = {char: byte for byte, char in bytes_to_unicode().items()}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
             "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
             "vocab": {char: byte for char, byte in sorted(alphabet.items(), key=lambda pair: pair[1])}, "merges": []}
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
               r"\s+(?!\S)|\s+")
    added = [{"id": spec["special"] + i, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, name in enumerate(NAMES)]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    document = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
                "normalizer": {"type": "NFC"},
                "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}, level]},
                "post_processor": level, "decoder": level, "model": model}
    (directory / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False, indent=0) + "\n")
    processor = {"min_pixels": 64, "max_pixels": 4096, "patch_size": 4, "temporal_patch_size": 2, "merge_size": 2,
                 "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
    (directory / "preprocessor_config.json").write_text(json.dumps(processor, indent=1) + "\n")


@torch.no_grad()
def run_prepared(model, directory, spec, golden):
    """A picture and a question through tokenizer, image processor and 64 greedy tokens."""
    y, x = numpy.mgrid[0:37, 0:53]
    picture = numpy.stack([(7 * x + 3 * y) % 256, (x * y) % 256, (200 - 2 * x + 5 * y) % 256], axis=-1)
    processor = Qwen2VLImageProcessorPil.from_pretrained(directory)
    out = processor(images=[PIL.Image.fromarray(picture.astype(numpy.uint8))], return_tensors="pt")
    pads = int(out["image_grid_thw"].prod()) // 4
    tokenizer = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
    ids = tokenizer.encode(TEMPLATE.replace(NAMES[IMAGE], NAMES[IMAGE] * pads)).ids
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
              "mm_token_type_ids": torch.tensor([[int(i == spec["special"] + IMAGE) for i in ids]]),
              "pixel_values": out["pixel_values"], "image_grid_thw": out["image_grid_thw"]}
    tokens, gap = greedy(model, inputs, True, 1.0)
    print(f"  prepared: {len(ids)} ids, {len(set(tokens.tolist()))} distinct tokens, smallest gap {gap:.4f}")
    assert gap > 1e-3
    golden |= {"prepared.ids": torch.tensor(ids), "prepared.pixel_values": out["pixel_values"].contiguous(),
               "prepared.grids": out["image_grid_thw"], "prepared.greedy": tokens.long().contiguous()}


def main():
    torch.set_num_threads(1)
    for name, spec in MODELS.items():
        print(name)
        directory = HERE / name
        write_model(directory, spec)
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager").eval()
        model.generation_config.eos_token_id = None
        random = torch.Generator().manual_seed(spec["seed"] + 1000)
        golden = {}
        for case, grids in CASES.items():
            while not run_case(model, grids, random, golden, case):
                print("  another prompt")
        if name == "nested":
            write_processors(directory, spec)
            run_prepared(model, directory, spec, golden)
        safetensors.torch.save_file(golden, directory / "golden.safetensors")
    versions = {"python": __import__("platform").python_version(), "torch": torch.__version__,
                "transformers": transformers.__version__, "safetensors": safetensors.__version__,
                "numpy": numpy.__version__,
                "pillow": PIL.__version__, "tokenizers": tokenizers.__version__}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
