"""Saves the bundled model again in every form that people have, with the transformers release of this venv.

    save.py MODEL OUT [VARIANT ...]      each form is a directory OUT/VARIANT

VARIANT: asis, f16, f32, sharded, resized (tokens added, embeddings resized), resized-padded (to a multiple of 64),
untied (a head of its own), untied-sharded-f32, copied-head (lm_head.weight stored beside the equal embedding),
own-head (another lm_head.weight stored, tie_word_embeddings still true), tokenizer-json-alone.
"""
import json
import os
import sys

from common import RELEASE, AutoProcessor, load, torch

source, out = sys.argv[1:3]


def store_head(directory, change):
    """Adds lm_head.weight to a saved tied model, as savers do that write a state_dict without looking."""
    from safetensors import safe_open
    from safetensors.torch import save_file
    path = os.path.join(directory, "model.safetensors")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    (embedding,) = [tensor for name, tensor in tensors.items() if name.endswith("embed_tokens.weight")]
    tensors["lm_head.weight"] = change(embedding).clone()
    save_file(tensors, path, metadata={"format": "pt"})


def untie(model):
    """A head that answers differently: rows of other tokens are mixed in."""
    embedding = model.get_input_embeddings().weight
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = False
    head = torch.nn.Linear(embedding.shape[1], embedding.shape[0], bias=False, dtype=embedding.dtype)
    with torch.no_grad():
        head.weight.copy_(embedding + 0.25 * embedding.roll(1, 0))
    model.set_output_embeddings(head)
    if RELEASE >= (5, 0):
        model.all_tied_weights_keys = {}
    elif hasattr(model, "_tied_weights_keys"):
        model._tied_weights_keys = None
    return model


def add_tokens(model, processor, multiple=None):
    count = processor.tokenizer.add_tokens([f"<extra_{i}>" for i in range(16)])
    assert count == 16
    size = max(processor.tokenizer.get_vocab().values()) + 1
    torch.manual_seed(0)
    model.resize_token_embeddings(size, pad_to_multiple_of=multiple)
    return model


def save(name, dtype=torch.bfloat16, change=None, multiple=None, tokens=False, **options):
    directory = os.path.join(out, name)
    if len(sys.argv) > 3 and name not in sys.argv[3:]:
        return None
    model, processor = load(source, dtype), AutoProcessor.from_pretrained(source)
    if tokens:
        add_tokens(model, processor, multiple)
    if change:
        change(model)
    model.save_pretrained(directory, **options)
    processor.save_pretrained(directory)
    return directory


save("asis")
save("f16", torch.float16)
save("f32", torch.float32)
save("sharded", max_shard_size="1500KB")
save("resized", tokens=True)
save("resized-padded", tokens=True, multiple=64)
save("untied", change=untie)
save("untied-sharded-f32", torch.float32, change=untie, max_shard_size="2MB")
if directory := save("copied-head"):
    store_head(directory, lambda embedding: embedding)
if directory := save("own-head"):
    store_head(directory, lambda embedding: embedding + 0.25 * embedding.roll(1, 0))
if directory := save("tokenizer-json-alone"):
    for name in ("vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json"):
        if os.path.exists(os.path.join(directory, name)):
            os.remove(os.path.join(directory, name))
print(json.dumps({"release": ".".join(map(str, RELEASE)), "variants": sorted(os.listdir(out))}))
