"""The C library from Python's standard library alone: test_ctypes.py LIBRARY MODEL_DIR IMAGE SCRATCH CALIBRATION SAMPLES"""
import ctypes as c
import json
import os
import sys
import unittest

library_path, model_dir, image, scratch, calibration, samples = sys.argv[1:7]
lib = c.CDLL(library_path)
lib.octavo_last_error.restype = c.c_char_p
lib.octavo_version.restype = c.c_char_p


class ShapeError(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("op", c.c_char_p), ("module", c.c_char_p), ("argument", c.c_char_p),
                ("dim_name", c.c_char_p), ("dim", c.c_int64), ("expected", c.c_int64), ("actual", c.c_int64)]


class GenerateOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("max_new_tokens", c.c_int64), ("cache_mode", c.c_int32),
                ("sampling", c.c_int32), ("temperature", c.c_double), ("top_p", c.c_double), ("top_k", c.c_int64),
                ("repetition_penalty", c.c_double), ("seed", c.c_uint64), ("on_token", c.c_void_p),
                ("user_data", c.c_void_p), ("cancel", c.c_void_p)]


class GenerateResult(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("prompt_tokens", c.c_int64), ("new_tokens", c.c_int64),
                ("finish_reason", c.c_int32), ("reserved0", c.c_int32), ("prefill_seconds", c.c_double),
                ("decode_seconds", c.c_double), ("text", c.c_void_p)]


class QuantizeOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("recipe", c.c_char_p), ("calibration", c.c_char_p),
                ("max_samples", c.c_int64), ("overwrite", c.c_int32), ("reserved0", c.c_int32),
                ("progress", c.c_void_p), ("user_data", c.c_void_p), ("cancel", c.c_void_p)]


class VerifyOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("samples", c.c_char_p), ("max_samples", c.c_int64),
                ("max_new_tokens", c.c_int64), ("progress", c.c_void_p), ("user_data", c.c_void_p),
                ("cancel", c.c_void_p), ("profile", c.c_char_p), ("run_all", c.c_int32), ("reserved0", c.c_int32)]


def verify_document(options):
    """(passed, JSON) of octavo_verify on the quantized model in `scratch`."""
    passed, document = c.c_int32(-1), c.c_void_p()
    status = lib.octavo_verify(model_dir.encode(), scratch.encode(), c.byref(options), c.byref(passed), c.byref(document))
    assert status == 0, lib.octavo_last_error()
    parsed = json.loads(c.string_at(document))
    lib.octavo_string_release(document)
    return bool(passed.value), parsed


def sized(kind):
    return kind(struct_size=c.sizeof(kind))


def tensor(*dims):
    handle = c.c_void_p()
    status = lib.octavo_tensor_create(0, (c.c_int64 * len(dims))(*dims), c.c_size_t(len(dims)), c.byref(handle))
    assert status == 0, lib.octavo_last_error()
    return handle


def generate(directory):
    model, result = c.c_void_p(), sized(GenerateResult)
    options = sized(GenerateOptions)
    options.max_new_tokens = 24
    assert lib.octavo_model_open(directory.encode(), c.byref(model)) == 0, lib.octavo_last_error()
    paths = (c.c_char_p * 1)(image.encode())
    status = lib.octavo_generate(model, b"What colour is the circle?", paths, c.c_size_t(1), c.byref(options), c.byref(result))
    assert status == 0, lib.octavo_last_error()
    text = c.string_at(result.text).decode()
    lib.octavo_string_release(c.c_void_p(result.text))
    lib.octavo_model_release(model)
    return text


class Test(unittest.TestCase):
    def test_shape_error_is_structured(self):
        q, k, mask, out = tensor(1, 16, 228, 128), tensor(1, 2, 455, 128), tensor(1, 1, 228, 228), c.c_void_p()
        status = lib.octavo_attention(q, k, k, mask, 0, None, c.c_int64(0), c.byref(out))
        self.assertEqual(status, 2)
        fields = sized(ShapeError)
        self.assertEqual(lib.octavo_last_shape_error(c.byref(fields)), 0)
        self.assertEqual((fields.argument, fields.dim, fields.expected, fields.actual), (b"mask", 3, 455, 228))
        for handle in (q, k, mask):
            lib.octavo_tensor_release(handle)

    def test_whole_job(self):
        options, document = sized(QuantizeOptions), c.c_void_p()
        options.calibration, options.max_samples, options.overwrite = calibration.encode(), 8, 1
        status = lib.octavo_quantize(model_dir.encode(), scratch.encode(), c.byref(options), c.byref(document))
        self.assertEqual(status, 0, lib.octavo_last_error())
        report = json.loads(c.string_at(document))
        lib.octavo_string_release(document)
        self.assertTrue(report["layers"])
        verify = sized(VerifyOptions)
        verify.samples, verify.max_samples = samples.encode(), 4
        verify.struct_size = VerifyOptions.profile.offset  # as a caller of the first 0.1 compiled it
        passed, result = verify_document(verify)
        self.assertEqual(result["passed"], passed)
        self.assertEqual(result["profile"]["name"], "default")
        self.assertEqual(result["steps"][0]["name"], "open")
        verify = sized(VerifyOptions)  # no samples: all steps but the evaluation
        with open(scratch + ".profile.json", "w") as file:
            json.dump({"name": "out of reach", "prompts": 1, "long_tokens": 4, "thresholds": {"max_kl": 0}}, file)
        verify.profile, verify.run_all = (scratch + ".profile.json").encode(), 1
        passed, result = verify_document(verify)
        self.assertFalse(passed)
        self.assertEqual(result["profile"]["name"], "out of reach")
        self.assertEqual(result["diagnosis"]["step"], "text")
        statuses = {step["name"]: step["status"] for step in result["steps"]}
        self.assertEqual([statuses[name] for name in ("sampling", "batch", "evaluation")], ["failed", "passed", "skipped"])
        passed, verify.profile = c.c_int32(-1), b"no such profile"
        status = lib.octavo_verify(model_dir.encode(), scratch.encode(), c.byref(verify), c.byref(passed), None)
        self.assertEqual((status, passed.value), (4, -1))
        self.assertIn(b"lenient", lib.octavo_last_error())
        self.assertIsInstance(generate(scratch), str)
        self.assertTrue(os.path.exists(os.path.join(scratch, "config.json")))

    def test_failure_says_where(self):
        model = c.c_void_p()
        self.assertEqual(lib.octavo_model_open(b"no/such/model", c.byref(model)), 4)
        self.assertIn(b"no/such/model", lib.octavo_last_error())
        self.assertIsNone(model.value)


unittest.main(argv=sys.argv[:1])
