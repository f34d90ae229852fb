"""The safetensors library reads what Octavo wrote, and both list the same tensors.

    python tests/interop/safetensors_check.py DIRECTORY INSPECT.json

INSPECT.json is what `octavo inspect DIRECTORY --json` printed. Each shard is opened with safetensors; names, element
types, shapes and byte counts must agree with the listing, the index with the shards, and the bytes with a header read
here by hand. Then the library writes the same tensors again: a single shard must come out byte for byte.
"""

import json
import pathlib
import struct
import sys
import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def fail(message):
    sys.exit(f"safetensors_check: {message}")


def raw_header(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    if (8 + length) % 8:
        fail(f"{path}: the data starts at byte {8 + length}, not a multiple of 8")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def read_shard(path):
    header, data = raw_header(path)
    metadata = header.pop("__metadata__")
    found = {}
    with safe_open(path, framework="pt") as shard:
        if set(shard.keys()) != set(header):
            fail(f"{path}: safetensors lists other tensors than the header")
        for name in shard.keys():
            tensor = shard.get_tensor(name).contiguous()
            begin, end = header[name]["data_offsets"]
            if bytes(tensor.flatten().view(torch.uint8).numpy()) != data[begin:end]:
                fail(f"{path}: {name} reads differently")
            found[name] = (header[name]["dtype"], list(tensor.shape), end - begin, tensor)
    return found, metadata


def listed_tensors(document):
    """The listing, whether a list of objects or an object by name."""
    tensors = document["tensors"]
    if isinstance(tensors, dict):
        tensors = [{"name": name, **fields} for name, fields in tensors.items()]
    return {entry.get("stored_name", entry["name"]): entry for entry in tensors}


def main():
    directory = pathlib.Path(sys.argv[1])
    listed = listed_tensors(json.loads(pathlib.Path(sys.argv[2]).read_text()))
    shards = sorted(directory.glob("*.safetensors"))
    found = {}
    for path in shards:
        tensors, metadata = read_shard(path)
        if metadata != {"format": "pt"}:
            fail(f"{path}: __metadata__ is {metadata}")
        found.update(tensors)
        with tempfile.TemporaryDirectory() as scratch:
            again = pathlib.Path(scratch) / "again.safetensors"
            save_file({name: fields[3] for name, fields in tensors.items()}, again, metadata=metadata)
            if again.read_bytes() != path.read_bytes():
                fail(f"{path}: safetensors writes the same tensors differently")
    index_path = directory / "model.safetensors.index.json"
    if index_path.exists():
        index = json.loads(index_path.read_text())
        if set(index["weight_map"]) != set(found):
            fail(f"{index_path}: names other tensors than the shards")
        if index["metadata"]["total_size"] != sum(fields[2] for fields in found.values()):
            fail(f"{index_path}: total_size is wrong")
    if set(listed) != set(found):
        fail(f"octavo lists other tensors: {sorted(set(listed) ^ set(found))[:5]}")
    for name, (dtype, shape, _, _) in found.items():
        if listed[name]["dtype"].upper() != dtype or listed[name]["shape"] != shape:
            fail(f"{name} is {dtype} {shape}, octavo says {listed[name]['dtype']} {listed[name]['shape']}")
    print(f"safetensors_check: {len(found)} tensors in {len(shards)} files agree")


main()
