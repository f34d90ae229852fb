"""Parts over arrays: against NumPy's float64, and over the same memory."""
import importlib
import unittest

import octavo
from support import MODEL, needs

try:
    import numpy as np
except ImportError:
    np = None


class ErrorTest(unittest.TestCase):
    def test_a_shape_error_has_its_fields(self):
        q, k, mask = (octavo.Tensor.zeros(shape) for shape in ((1, 16, 228, 128), (1, 2, 455, 128), (1, 1, 228, 228)))
        with self.assertRaises(octavo.ShapeError) as caught:
            octavo.attention(q, k, k, mask)
        error = caught.exception
        self.assertIsInstance(error, ValueError)
        self.assertEqual((error.op, error.argument, error.dim, error.expected, error.actual),
                         ("attention", "mask", 3, 455, 228))
        self.assertIn("kv_len", error.dim_name)
        self.assertIn("mask", str(error))

    def test_each_status_has_its_class(self):
        classes = [value for value in vars(octavo).values() if isinstance(value, type) and issubclass(value, octavo.Error)]
        statuses = {value for name, value in vars(octavo._abi).items() if name in (
            "OCTAVO_INVALID_ARGUMENT", "OCTAVO_SHAPE_MISMATCH", "OCTAVO_DTYPE_MISMATCH", "OCTAVO_NOT_FOUND", "OCTAVO_IO",
            "OCTAVO_FORMAT", "OCTAVO_UNSUPPORTED", "OCTAVO_OUT_OF_MEMORY", "OCTAVO_CANCELLED", "OCTAVO_EXISTS",
            "OCTAVO_NOT_FINITE", "OCTAVO_INTERNAL")}
        self.assertEqual(sorted(kind.status for kind in classes if kind is not octavo.Error), sorted(statuses))

    def test_contract_check(self):
        x, w = octavo.Tensor.zeros((2, 8)), octavo.Tensor.zeros((4, 6))
        contract = "linear: x[M,K] w[N,K] -> y[M,N]"
        octavo.contract_check(contract, {"x": x, "w": octavo.Tensor.zeros((4, 8))})
        with self.assertRaises(octavo.ShapeError) as caught:
            octavo.contract_check(contract, {"x": x, "w": w}, module="mine.0")
        error = caught.exception
        self.assertEqual((error.op, error.module, error.argument, error.dim, error.expected, error.actual),
                         ("linear", "mine.0", "w", 1, 8, 6))
        with self.assertRaises(octavo.ShapeError):
            octavo.contract_check("norm: x[M,K] -> y[M,K]", {"x": x}, dims={"K": 9})

    def test_tensors(self):
        tensor = octavo.Tensor.zeros((2, 3), "s32")
        self.assertEqual((tensor.shape, tensor.dtype, tensor.nbytes, len(tensor)), ((2, 3), "s32", 24, 2))
        self.assertEqual(repr(tensor), "octavo.Tensor(shape=[2, 3], dtype=s32)")
        tensor.close()
        tensor.close()
        with self.assertRaisesRegex(ValueError, "this Tensor is closed"):
            tensor.shape
        with self.assertRaisesRegex(TypeError, "a list has no memory that can be shared"):
            octavo.Tensor([1.0])
        with self.assertRaisesRegex(ValueError, "dtype is 'f64', known are f32"):
            octavo.Tensor.zeros((2,), "f64")
        with self.assertRaises(octavo.InvalidArgumentError):
            octavo.Tensor.zeros((-1,))


@needs("numpy")
class NumPyTest(unittest.TestCase):
    def setUp(self):
        self.random = np.random.default_rng(1)

    def floats(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def test_memory_is_shared_both_ways(self):
        array = self.floats(2, 3)
        back = np.asarray(octavo.Tensor(array))
        self.assertTrue(np.shares_memory(array, back))
        array[1, 2] = 7
        self.assertEqual(back[1, 2], 7)
        tensor = octavo.Tensor.zeros((2, 2))
        view = tensor.numpy()
        view[0, 1] = 5
        big = octavo.Tensor.zeros((1 << 22,))  # large enough that its release unmaps it: reading it would crash
        held = np.asarray(big)
        for shared in (tensor, big):
            shared.close()
        del tensor, big, shared  # the views keep the memory
        self.assertEqual((view.tolist(), held.sum()), ([[0, 5], [0, 0]], 0))
        array.flags.writeable = False
        self.assertFalse(octavo.Tensor(array).numpy().flags.writeable)
        for dtype in (np.float16, np.int8, np.uint8, np.int32, np.int64):
            source = np.arange(6, dtype=dtype).reshape(2, 3)
            self.assertEqual(np.asarray(octavo.Tensor(source)).dtype, dtype)

    def test_an_array_outlives_its_name(self):
        tensor = octavo.Tensor(np.arange(1000, dtype=np.int64))
        waste = [np.zeros(1000, np.int64) for _ in range(50)]
        self.assertEqual(tensor.numpy().sum(), 1000 * 999 // 2)
        del waste

    def test_what_would_need_a_copy_is_refused(self):
        with self.assertRaisesRegex(ValueError, "not contiguous in row-major order"):
            octavo.Tensor(self.floats(3, 4).T)
        with self.assertRaisesRegex(octavo.UnsupportedError, "64 bits .* none of f32"):
            octavo.Tensor(np.zeros((2, 2)))
        self.assertEqual(octavo.Tensor(self.floats(3, 4)[:1]).shape, (1, 4))
        self.assertEqual(octavo.Tensor(np.zeros((0, 4), np.float32)).shape, (0, 4))

    def test_linear_of_gptq(self):
        x, weight, bias = self.floats(32, 24), self.floats(16, 24), self.floats(16)
        hessian = octavo.Hessian(24)
        hessian.add(x[:20])
        hessian.add(x[20:])
        layer = octavo.gptq_quantize_layer(weight, hessian)
        q, scales = np.asarray(layer.weight), np.asarray(layer.scales)
        self.assertEqual((q.dtype, q.shape, scales.shape), (np.int8, (16, 24), (16,)))
        # The loss of the documented formula, tr((W - Q) H (W - Q)^T) with H = 2/n x^T x of n samples, in float64.
        error = weight.astype(np.float64) - q * scales[:, None].astype(np.float64)
        h = 2 / 2 * x.T.astype(np.float64) @ x
        self.assertAlmostEqual(layer.loss, np.trace(error @ h @ error.T), delta=1e-4 * layer.loss)
        self.assertLess(layer.loss, layer.rtn_loss)
        # Round-to-nearest by hand: the largest of a row is 127.5, as in compressed-tensors.
        rtn = octavo.gptq_quantize_layer(weight, method="rtn")
        expected = np.abs(weight).max(axis=1) / 127.5
        np.testing.assert_allclose(rtn.scales.numpy(), expected, rtol=1e-6)
        self.assertLessEqual(int(np.abs(rtn.weight.numpy() - np.round(weight / expected[:, None])).max()), 1)
        # W8A16 computes with floats: x (q s)^T + b to float32's rounding.
        exact = x.astype(np.float64) @ (q * scales[:, None].astype(np.float64)).T + bias
        np.testing.assert_allclose(octavo.Linear.w8a16(layer.weight, layer.scales, bias)(x).numpy(), exact, atol=1e-4)
        # W8A8 rounds each token to int8: half a step of its scale per input, times the weight.
        y = octavo.Linear.w8a8(q, scales, bias)(x).numpy()
        steps = np.abs(x).max(axis=1, keepdims=True) / 127 / 2
        bound = steps * np.abs(q * scales[:, None]).sum(axis=1) * 1.001 + 1e-4
        self.assertTrue((np.abs(y - exact) <= bound).all())
        with self.assertRaises(octavo.ShapeError):
            octavo.Linear.w8a8(q, scales, bias)(x[:, :23].copy())

    def test_attention_and_its_cache(self):
        q, k, v = self.floats(1, 4, 6, 8), self.floats(1, 2, 6, 8), self.floats(1, 2, 6, 8)
        scores = np.einsum("bhqd,bhkd->bhqk", q, np.repeat(k, 2, axis=1)).astype(np.float64) / np.sqrt(8)
        scores[:, :, ~np.tri(6, dtype=bool)] = -np.inf
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        expected = weights / weights.sum(axis=-1, keepdims=True) @ np.repeat(v, 2, axis=1)
        np.testing.assert_allclose(octavo.attention(q, k, v, causal=True).numpy(), expected, atol=1e-5)
        visible = np.ascontiguousarray(np.broadcast_to(np.tri(6, dtype=np.uint8), (1, 1, 6, 6)))
        np.testing.assert_allclose(octavo.attention(q, k, v, visible).numpy(), expected, atol=1e-5)
        cache = octavo.KvCache(1, 2, 8, 16)
        parts = []
        for begin, end in ((0, 4), (4, 5), (5, 6)):
            cut = [np.ascontiguousarray(array[:, :, begin:end]) for array in (q, k, v)]
            parts.append(octavo.attention(*cut, cache=cache).numpy())
            cache.commit(end - begin)
        np.testing.assert_allclose(np.concatenate(parts, axis=2), expected, atol=1e-5)
        self.assertEqual(len(cache), 6)
        cache.truncate(2)
        self.assertEqual(len(cache), 2)

    def test_pictures(self):
        pixels = octavo.load_image(MODEL / "eval" / "000.png").numpy()
        self.assertEqual((pixels.dtype, pixels.ndim, pixels.shape[2]), (np.uint8, 3, 3))


@needs("torch")
class TorchTest(unittest.TestCase):
    def setUp(self):
        self.torch = importlib.import_module("torch")
        self.torch.manual_seed(1)

    def test_memory_is_shared_both_ways(self):
        source = self.torch.randn(2, 3)
        tensor = octavo.Tensor(source)
        back = self.torch.from_dlpack(tensor)
        self.assertEqual((back.data_ptr(), back.shape), (source.data_ptr(), source.shape))
        source[1, 2] = 7
        self.assertEqual(back[1, 2], 7)
        del source, tensor
        self.assertEqual(back[1, 2], 7)
        own = octavo.Tensor.zeros((2, 2), "bf16")
        view = self.torch.from_dlpack(own)
        view += 1
        self.assertEqual((view.dtype, self.torch.from_dlpack(own).sum()), (self.torch.bfloat16, 4))
        own.close()
        self.assertEqual(view.sum(), 4)

    def test_what_would_need_a_copy_is_refused(self):
        with self.assertRaisesRegex(ValueError, "x.contiguous"):
            octavo.Tensor(self.torch.zeros(3, 4).T)
        with self.assertRaises(octavo.UnsupportedError):
            octavo.Tensor(self.torch.zeros(3, dtype=self.torch.float64))
        with self.assertRaises(BufferError):
            octavo.Tensor.zeros((1,)).__dlpack__(copy=True)
        capsule = octavo.Tensor.zeros((1 << 20,)).__dlpack__()
        del capsule  # nobody took it: the memory goes

    def test_attention_and_linear(self):
        functional = self.torch.nn.functional
        q, k, v = (self.torch.randn(1, heads, 7, 16) for heads in (4, 2, 2))
        expected = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        got = self.torch.from_dlpack(octavo.attention(q, k, v, causal=True))
        self.torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
        weight, scale = self.torch.randint(-127, 128, (8, 16), dtype=self.torch.int8), self.torch.rand(8) / 100
        x, bias = self.torch.randn(5, 16), self.torch.randn(8)
        expected = functional.linear(x, weight * scale[:, None], bias)
        linear = octavo.Linear.w8a16(weight, scale.bfloat16(), bias)
        rounded = functional.linear(x, weight * scale.bfloat16().float()[:, None], bias)
        self.torch.testing.assert_close(self.torch.from_dlpack(linear(x)), rounded, atol=1e-4, rtol=0)
        self.torch.testing.assert_close(self.torch.from_dlpack(octavo.Linear.w8a16(weight, scale, bias)(x)), expected,
                                        atol=1e-4, rtol=0)

    def test_gptq_of_a_bf16_weight(self):
        weight, x = self.torch.randn(8, 16).bfloat16(), self.torch.randn(64, 16)
        hessian = octavo.Hessian(16)
        hessian.add(x)
        layer = octavo.gptq_quantize_layer(weight, hessian)
        q, scales = self.torch.from_dlpack(layer.weight), self.torch.from_dlpack(layer.scales)
        error = weight.double() - q.double() * scales.double()[:, None]
        loss = self.torch.trace(error @ (2 * x.T @ x).double() @ error.T)
        self.torch.testing.assert_close(self.torch.tensor(layer.loss, dtype=self.torch.double), loss, rtol=1e-4, atol=0)


if __name__ == "__main__":
    unittest.main()
