"""GPTQ of one layer written out in NumPy, beside Octavo's: the same method, the same int8 weights.   gptq.py

Needs NumPy and the package of capi/python. Source: Frantar et al. 2022 (arXiv:2210.17323), algorithm 1.
"""
import numpy as np
import octavo


def int8(weight, scales):
    return np.clip(np.rint(weight / scales), -128, 127)  # rint: half to even


def gptq(weight, hessian, damp_percent=0.01):
    """weight [N, K], hessian [K, K] -> int8 [N, K], scales [N]."""
    scales = np.abs(weight).max(axis=1) / 127.5
    order = np.argsort(-np.diag(hessian), kind="stable")  # what matters most is rounded first, while others can give
    damped = hessian + damp_percent * np.diag(hessian).mean() * np.eye(len(hessian))
    inverse = np.linalg.inv(damped[np.ix_(order, order)])
    factor = np.linalg.cholesky(inverse).T  # upper: row i says how the columns behind i make up for its error
    left = weight[:, order].copy()
    quantized = np.empty_like(left)
    for i in range(left.shape[1]):
        quantized[:, i] = int8(left[:, i], scales)
        error = (left[:, i] - quantized[:, i] * scales) / factor[i, i]
        left[:, i + 1:] -= np.outer(error, factor[i, i + 1:])
    result = np.empty_like(quantized)
    result[:, order] = quantized
    return result.astype(np.int8), scales


def loss(weight, quantized, scales, hessian):
    """tr((W-Q) H (W-Q)^T): how far the outputs are off, on the inputs behind H."""
    difference = weight - quantized * scales[:, None]
    return np.trace(difference @ hessian @ difference.T)


def main():
    random = np.random.default_rng(0)
    weight = random.standard_normal((64, 128)).astype(np.float32)
    x = random.standard_normal((1024, 128)) @ random.standard_normal((128, 128)) / 11  # columns that hang together
    x = x.astype(np.float32)
    x64, weight64 = x.astype(np.float64), weight.astype(np.float64)
    hessian = 2 * x64.T @ x64

    ours, our_scales = gptq(weight64, hessian)
    accumulator = octavo.Hessian(128)
    accumulator.add(x)
    layer = octavo.gptq_quantize_layer(weight, accumulator)
    theirs, their_scales = layer.weight.numpy(), layer.scales.numpy().astype(np.float64)

    rounded = int8(weight64, our_scales[:, None])
    print(f"round to nearest: loss {loss(weight64, rounded, our_scales, hessian):.4f}")
    print(f"GPTQ in NumPy:    loss {loss(weight64, ours, our_scales, hessian):.4f}")
    print(f"GPTQ in Octavo:   loss {loss(weight64, theirs, their_scales, hessian):.4f}")
    print(f"equal int8 weights: {100 * (ours == theirs).mean():.2f} %")


if __name__ == "__main__":
    main()
