"""Makes golden.safetensors: one small layer quantized by llm-compressor's own quantize_weight and MSE observer.

    /opt/oracle/bin/python tests/golden/quant/make.py

Inputs are correlated (a random mixing of fewer directions, uneven channel powers), as a layer's are.
"""
import importlib.metadata
import json
import pathlib

import torch
from compressed_tensors.quantization import QuantizationArgs, quantize
from compressed_tensors.quantization.utils import calculate_qparams
from llmcompressor.modifiers.gptq.gptq_quantize import quantize_weight
from llmcompressor.observers.mse_quant import _grid_search_mse
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
N, K, T = 48, 160, 512

torch.manual_seed(20261124)
torch.set_num_threads(1)
mixing = torch.randn(K // 2, K) * torch.logspace(-1, 0.7, K)[torch.randperm(K)]
x = torch.randn(T, K // 2) @ mixing / 8 + 0.05 * torch.randn(T, K)
w = torch.randn(N, K) * torch.logspace(-2, 0, N)[:, None]
w[0, :] = 0                               # a silent row
w[1, 3], w[1, 4] = 5.0, -5.0              # both ends of the range
h = 2.0 * (x.T @ x)                       # one sample

args = dict(num_bits=8, type="int", symmetric=True, strategy="channel")
channel = QuantizationArgs(**args)
minmax, zero = calculate_qparams(w.amin(-1, keepdim=True), w.amax(-1, keepdim=True), channel)
# The whole grid (patience = its length): Octavo lets every channel search all of it.
low, high = _grid_search_mse(w[None], channel, channel.model_copy(update={"strategy": "token"}), 0.20, 20, 100.0, 2.4, 0.3)
mse, _ = calculate_qparams(low[:, None], high[:, None], channel)


def gptq(actorder):
    quant = QuantizationArgs(**args, actorder=None)
    order = torch.argsort(h.diagonal(), descending=True, stable=True) if actorder else torch.arange(K)
    values, losses, fallback = quantize_weight(
        weights=w[None][:, :, order].clone(), hessians=h[order][:, order][None].clone(), scale=minmax[None].clone(),
        zero_point=zero[None].clone(), global_scale=None, quant_args=quant)
    assert not fallback.any()
    back = torch.argsort(order)
    return (values[0][:, back] / minmax).round().to(torch.int8)


tensors = {
    "w": w, "x": x, "scale_minmax": minmax[:, 0].contiguous(), "scale_mse": mse[:, 0].contiguous(),
    "q_rtn": quantize(w, minmax, zero, channel).to(torch.int8), "q_gptq": gptq(False), "q_gptq_ordered": gptq(True),
}
versions = {p: importlib.metadata.version(p) for p in ("torch", "llmcompressor", "compressed-tensors", "safetensors")}
save_file({k: v.contiguous() for k, v in tensors.items()}, HERE / "golden.safetensors",
          metadata={"made_by": "tests/golden/quant/make.py", **versions})
(HERE / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
print({k: (tuple(v.shape), v.dtype) for k, v in tensors.items()}, versions)
