"""Files written by the reference libraries, for Octavo's reader and writer to agree with.

    /opt/oracle/bin/python tests/golden/checkpoint/make.py

hf_types.safetensors  every element type Octavo has, written by the safetensors library
all_types.safetensors every element type the format has (header listing alone)
schemes.json          which module gets which scheme, decided by the compressed-tensors library
versions.json         what made them
"""

import json
import pathlib
import platform

import compressed_tensors
import safetensors
import safetensors.torch
import torch
from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config

HERE = pathlib.Path(__file__).parent


def counted(shape, dtype):
    count = 1
    for extent in shape:
        count *= extent
    return torch.arange(-3, count - 3).to(dtype).reshape(shape)


def write_types():
    tensors = {
        "z.f32": counted((2, 3), torch.float32),
        "b.bf16": counted((3,), torch.bfloat16),
        "a.bf16": counted((1, 5), torch.bfloat16),
        "c.f16": counted((2, 2), torch.float16),
        "d.i8": counted((7,), torch.int8),
        "e.u8": torch.arange(5).to(torch.uint8),
        "f.i32": counted((2, 1, 2), torch.int32),
        "g.i64": counted((3,), torch.int64),
        "h.scalar": torch.tensor(2.5),
        "i.empty": torch.zeros((0, 4)),
    }
    safetensors.torch.save_file(tensors, HERE / "hf_types.safetensors", metadata={"format": "pt"})
    every = [
        torch.bool, torch.uint8, torch.int8, torch.float8_e4m3fn, torch.float8_e5m2, torch.int16, torch.uint16,
        torch.float16, torch.bfloat16, torch.int32, torch.uint32, torch.float32, torch.int64, torch.uint64, torch.float64,
    ]
    listed = {str(dtype).split(".")[1]: torch.zeros((2, 3)).to(dtype) for dtype in every}
    safetensors.torch.save_file(listed, HERE / "all_types.safetensors")


class Block(torch.nn.Module):
    def __init__(self, names):
        super().__init__()
        for name in names:
            setattr(self, name, torch.nn.Linear(4, 4, bias=False))


class Toy(torch.nn.Module):
    """The module names of a published Qwen2.5-VL, as far as matching looks at them."""

    def __init__(self):
        super().__init__()
        self.model = torch.nn.Module()
        self.model.embed_tokens = torch.nn.Embedding(4, 4)
        layers = torch.nn.Module()
        for index in (0, 1, 2, 3, 10, 11):
            layer = torch.nn.Module()
            layer.self_attn = Block(["q_proj", "k_proj", "v_proj", "o_proj"])
            layer.mlp = Block(["gate_proj", "up_proj", "down_proj"])
            layers.add_module(str(index), layer)
        self.model.layers = layers
        self.visual = torch.nn.Module()
        block = torch.nn.Module()
        block.attn = Block(["qkv", "proj"])
        self.visual.blocks = torch.nn.ModuleList([block])
        self.lm_head = torch.nn.Linear(4, 4, bias=False)


def quantization(groups, ignore):
    def args(strategy, dynamic):
        return {"num_bits": 8, "type": "int", "symmetric": True, "strategy": strategy, "dynamic": dynamic}

    return {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "quantization_status": "compressed",
        "ignore": ignore,
        "config_groups": {
            f"group_{i}": {
                "targets": targets,
                "weights": args("channel", False),
                "input_activations": args("token", True) if scheme == "w8a8_dynamic" else None,
            }
            for i, (targets, scheme) in enumerate(groups)
        },
    }


def scheme_name(module):
    scheme = getattr(module, "quantization_scheme", None)
    if scheme is None:
        return "none"
    return "w8a16" if scheme.input_activations is None else "w8a8_dynamic"


def write_schemes():
    cases = {
        "class": quantization([(["Linear"], "w8a8_dynamic")], ["lm_head"]),
        "class, vision ignored by expression": quantization([(["Linear"], "w8a8_dynamic")], ["lm_head", "re:visual.*"]),
        "an expression matches from the start": quantization([(["Linear"], "w8a8_dynamic")], ["re:blocks", "re:.*down_proj"]),
        "a name is not a prefix": quantization([(["Linear"], "w8a8_dynamic")], ["model.layers.1.mlp.up_proj"]),
        "plain names": quantization([(["model.layers.0.mlp.up_proj", "visual.blocks.0.attn.qkv"], "w8a8_dynamic")], []),
        "an expression to the end": quantization([(["re:model\\.layers\\.1[01]?\\.mlp\\..*_proj$"], "w8a8_dynamic")], []),
        "two groups": quantization(
            [(["re:.*self_attn.*"], "w8a8_dynamic"), (["re:.*mlp.*"], "w8a16")], ["model.layers.3.mlp.down_proj"]
        ),
        "a name goes before the class": quantization(
            [(["Linear"], "w8a8_dynamic"), (["model.layers.2.mlp.down_proj"], "w8a16")], ["lm_head"]
        ),
        "an expression goes before the class": quantization(
            [(["Linear"], "w8a8_dynamic"), (["re:.*down_proj"], "w8a16")], []
        ),
        "the class ignored": quantization([(["re:.*"], "w8a8_dynamic")], ["Linear"]),
    }
    listed = []
    for name, config in cases.items():
        model = Toy()
        apply_quantization_config(model, QuantizationConfig.model_validate(config))
        modules = {
            path: scheme_name(module)
            for path, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) or path.endswith("embed_tokens")
        }
        listed.append({"name": name, "quantization_config": config, "modules": modules})
    (HERE / "schemes.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in listed) + "\n]\n")


write_types()
write_schemes()
versions = {
    "python": platform.python_version(),
    "torch": torch.__version__,
    "safetensors": safetensors.__version__,
    "compressed_tensors": compressed_tensors.__version__,
}
(HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
