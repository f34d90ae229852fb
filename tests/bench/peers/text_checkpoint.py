"""The language layers of a synthetic Qwen2.5-VL checkpoint as a plain Qwen2 model: the same tensors, byte for byte.

    python text_checkpoint.py VISION_LANGUAGE_DIR TARGET_DIR

For text alone Qwen2.5-VL's three rotary positions are equal, so both compute the same. Standard library only.
"""

import json
import pathlib
import shutil
import struct
import sys


def tensors(directory):
    """name -> (file, dtype, shape, offset, bytes)"""
    found = {}
    for file in sorted(directory.glob("*.safetensors")):
        with open(file, "rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                found[name] = (file, entry["dtype"], entry["shape"], 8 + length + begin, end - begin)
    return found


def main(source, target):
    target.mkdir(parents=True, exist_ok=True)
    config = json.loads((source / "config.json").read_text())
    kept = "hidden_act hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads vocab_size"
    kept += " rms_norm_eps rope_theta tie_word_embeddings use_sliding_window use_cache torch_dtype bos_token_id eos_token_id quantization_config"
    text = {key: config[key] for key in kept.split() if key in config}
    text.update(architectures=["Qwen2ForCausalLM"], model_type="qwen2", max_position_embeddings=32768)
    (target / "config.json").write_text(json.dumps(text, indent=2))
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
        if (source / name).exists():
            shutil.copy(source / name, target / name)
    language = {name: place for name, place in tensors(source).items() if not name.startswith("visual.")}
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (_, dtype, shape, _, size) in language.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with open(target / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(encoded)) + encoded)
        for file, _, _, begin, size in language.values():
            with open(file, "rb") as stream:
                stream.seek(begin)
                out.write(stream.read(size))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
