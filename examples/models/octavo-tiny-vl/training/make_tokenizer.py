"""Trains the byte-level BPE on the words of the task and writes every file beside the weights that is not the weights.

    make_tokenizer.py OUT_DIR
"""
import json
import os
import random
import sys

import pictures
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

QWEN_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
              r"\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
           "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
           "<|image_pad|>", "<|video_pad|>"]
ADDED = ["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
         "<|repo_name|>", "<|file_sep|>"]
BPE_SIZE = 640
TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}"
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def corpus():
    rng = random.Random(7)
    yield from ["system\nYou are a helpful assistant.", "user\n", "assistant\n"] * 200
    for _ in range(4000):
        things = pictures.make_things(rng, 112, 140, rng.choice([2, 3, 4]))
        found = pictures.question(rng, things, rng.choice(["grounding", "colour", "shape", "count"]))
        if found:
            yield from found[:2]


def train(directory):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN_SPLIT), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=BPE_SIZE, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in ADDED])
    tokenizer.save(os.path.join(directory, "tokenizer.json"))
    return tokenizer


def write_json(directory, name, value):
    with open(os.path.join(directory, name), "w") as out:
        json.dump(value, out, indent=2, ensure_ascii=False)
        out.write("\n")


def main(directory):
    tokenizer = train(directory)
    ids = {t: tokenizer.token_to_id(t) for t in SPECIAL + ADDED}
    with open(os.path.join(directory, "tokenizer.json")) as file:
        bpe = json.load(file)["model"]
    with open(os.path.join(directory, "vocab.json"), "w") as out:
        json.dump(bpe["vocab"], out, ensure_ascii=False)
    with open(os.path.join(directory, "merges.txt"), "w") as out:
        out.write("#version: 0.2\n")
        out.writelines((m if isinstance(m, str) else " ".join(m)) + "\n" for m in bpe["merges"])
    write_json(directory, "tokenizer_config.json", {
        "add_bos_token": False, "add_prefix_space": False,
        "added_tokens_decoder": {str(ids[t]): {"content": t, "lstrip": False, "normalized": False, "rstrip": False,
                                               "single_word": False, "special": t in SPECIAL} for t in SPECIAL + ADDED},
        "additional_special_tokens": SPECIAL[1:], "bos_token": None, "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
        "model_max_length": 4096, "pad_token": "<|endoftext|>", "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer", "unk_token": None})
    write_json(directory, "chat_template.json", {"chat_template": TEMPLATE})
    write_json(directory, "preprocessor_config.json", {
        "min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"})
    write_json(directory, "generation_config.json", {
        "bos_token_id": ids["<|endoftext|>"], "pad_token_id": ids["<|endoftext|>"], "do_sample": False,
        "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]], "transformers_version": "4.49.0"})
    write_json(directory, "config.json", {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl",
        "attention_dropout": 0.0, "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"], "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"], "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"], "hidden_act": "silu", "hidden_size": 192, "initializer_range": 0.02,
        "intermediate_size": 512, "max_position_embeddings": 4096, "max_window_layers": 5, "num_attention_heads": 6,
        "num_hidden_layers": 5, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 100.0,
        "sliding_window": 4096, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True,
        "use_sliding_window": False, "vocab_size": -(-tokenizer.get_vocab_size() // 16) * 16,
        "vision_config": {"depth": 4, "hidden_act": "silu", "hidden_size": 128, "intermediate_size": 272, "num_heads": 4,
                          "in_chans": 3, "out_hidden_size": 192, "patch_size": 14, "spatial_merge_size": 2,
                          "spatial_patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1, 3],
                          "tokens_per_second": 2, "temporal_patch_size": 2, "model_type": "qwen2_5_vl"},
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 6, 8]}})
    print(tokenizer.get_vocab_size(), [tokenizer.id_to_token(i) for i in tokenizer.encode(
        'Locate the large red circle left of the square.{"bbox_2d": [12, 34, 56, 78]}').ids])


if __name__ == "__main__":
    main(sys.argv[1])
