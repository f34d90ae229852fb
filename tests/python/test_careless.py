"""Every function of the C interface as a careless caller uses it: NULL where something is needed, structs of any size, numbers
that nobody can mean. Each answers with a status and says why; none crashes, hangs or calls it a bug of its own."""
import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from support import MODEL, ROOT

HEADER = ROOT / "capi" / "octavo.h"
#: What a valid call of it would release, run for long, or read beyond what it is given.
SKIPPED = {"octavo_tensor_from_dlpack", "octavo_tensor_from_dlpack_unversioned"}
SIZES = (0, 1, 7, 8, 9, -1, 1 << 20, "less", "more")
NUMBERS = (-1, 0, 1, 2**31 - 1, -2**31, 2**62, -2**63)


def functions():
    """name, and type and name of each parameter, of the header's functions that give a status or nothing."""
    text = re.sub(r"/\*.*?\*/", " ", HEADER.read_text(encoding="utf-8"), flags=re.S)
    for name, parameters in re.findall(r"OCTAVO_API (?:octavo_status|void) (\w+)\(([^;]*)\);", text):
        words = [" ".join(word.split()) for word in parameters.split(",")]
        yield name, [re.fullmatch(r"(.*?)\s*(\w+)", word).groups() for word in words if word != "void"]


class Caller:
    """In a process of its own: says what it is about to call, calls it, and looks at what came of it."""

    def __init__(self, scratch):
        import octavo
        from octavo import _abi
        from octavo._library import lib

        self.lib, self.abi, self.scratch = lib, _abi, scratch
        self.calls = 0
        self.handles, self.kept = {}, []
        make = self.make
        model = make("octavo_model", lib.octavo_model_open, str(MODEL).encode())
        make("octavo_messages", lib.octavo_messages_create)
        ids = (ctypes.c_int32 * 3)(5, 6, 7)
        make("octavo_prompt", lib.octavo_prompt_from_ids, ids, 3)
        make("octavo_session", lib.octavo_session_create, model, None)
        make("octavo_sampler", lib.octavo_sampler_create, None)
        make("octavo_batch", lib.octavo_batch_create, model, None)
        make("octavo_cancel", lib.octavo_cancel_create)
        make("octavo_prefix_cache", lib.octavo_prefix_cache_create, 0, 0)
        form = make("octavo_output_form", lib.octavo_output_form_pattern, b"a+")
        make("octavo_form_state", lib.octavo_form_state_create, model, form, ids, 1)
        make("octavo_text_stream", lib.octavo_text_stream_create, model, 1)
        make("octavo_thread_pool", lib.octavo_thread_pool_create, 1, 0)
        make("octavo_kv_cache", lib.octavo_kv_cache_create, 1, 1, 4, 8)
        make("octavo_hessian", lib.octavo_hessian_create, 4)
        dims = (ctypes.c_int64 * 2)(2, 4)
        make("octavo_tensor", lib.octavo_tensor_create, 0, dims, 2)
        bytes8 = make("octavo_tensor", lib.octavo_tensor_create, 3, dims, 2)
        scales = make("octavo_tensor", lib.octavo_tensor_create, 0, dims, 1)
        make("octavo_linear", lib.octavo_linear_w8a8_create, bytes8, scales, None)
        make("octavo_tensor", lib.octavo_tensor_create, 0, dims, 2)
        blocks = make("octavo_blocks", lib.octavo_blocks_create, model)
        make("octavo_block", lib.octavo_block_load, blocks, 1, 0)
        make("octavo_block_state", lib.octavo_blocks_begin_language, blocks, self.handles["octavo_prompt"], None)
        make("octavo_writer", lib.octavo_writer_create, str(MODEL).encode(), f"{scratch}/out".encode(), None)
        pixels, layout = (ctypes.c_uint8 * 3072)(), _abi.octavo_pixel_layout(ctypes.sizeof(_abi.octavo_pixel_layout), 32, 32)
        make("octavo_image", lib.octavo_image_from_pixels, pixels, 3072, ctypes.byref(layout))
        del octavo

    def make(self, kind, create, *arguments):
        out = ctypes.c_void_p()
        status = create(*arguments, ctypes.byref(out))
        assert status == 0, (kind, self.lib.octavo_last_error())
        self.handles[kind] = out
        return out

    def struct(self, kind):
        """A struct with its size set, and room behind it."""
        structure = getattr(self.abi, kind)
        memory = ctypes.create_string_buffer(ctypes.sizeof(structure) + 64)
        self.kept.append(memory)
        value = structure.from_buffer(memory)
        value.struct_size = ctypes.sizeof(structure)
        return value

    def valid(self, kind):
        """What a careful caller could hand in for a parameter of that type."""
        base, stars = kind.replace("const", "").replace(" ", "").rstrip("*"), kind.count("*")
        base = base.replace("struct", "", 1) if base.startswith("structDL") else base
        if stars == 0:
            return None if base.endswith("_fn") else 1
        if stars == 1 and base in self.handles:
            return self.handles[base]
        if stars == 1 and base == "char":
            return f"{self.scratch}/none".encode()
        if stars == 1 and self.is_sized(base):
            return ctypes.byref(self.struct(base))
        memory = ctypes.create_string_buffer(1 << 16)  # arrays and out-parameters
        self.kept.append(memory)
        return ctypes.cast(memory, ctypes.c_void_p)

    def is_sized(self, base):
        structure = getattr(self.abi, base, None)
        return isinstance(structure, type) and issubclass(structure, ctypes.Structure) and structure._fields_[0][0] == "struct_size"

    def call(self, name, arguments, note):
        print(name, note, flush=True)
        function = getattr(self.lib, name)
        status = function(*[self.converted(value, kind) for value, kind in zip(arguments, function.argtypes)])
        self.calls += 1
        del self.kept[:]
        if status is None or status == 0:
            return
        message = self.lib.octavo_last_error()
        if status == self.abi.OCTAVO_INTERNAL or self.lib.octavo_status_name(status) == b"unknown":
            sys.exit(f"{name} {note}: status {status}, {message}")
        if status != self.abi.OCTAVO_NOT_FOUND and not message:
            sys.exit(f"{name} {note}: status {status} without a message")

    @staticmethod
    def converted(value, kind):
        if value is None and hasattr(kind, "_restype_"):  # a callback that is NULL
            return kind()
        return ctypes.cast(value, kind) if isinstance(value, ctypes.c_void_p) and hasattr(kind, "contents") else value

    def run(self):
        for name, parameters in functions():
            kinds = [kind for kind, _ in parameters]
            for number in NUMBERS:
                self.call(name, [None if "*" in kind or kind.endswith("_fn") else self.fitted(name, i, number)
                                 for i, kind in enumerate(kinds)], f"all NULL, {number}")
            if name in SKIPPED or name.endswith("_release"):
                continue
            for at, kind in enumerate(kinds):
                if "*" in kind:
                    arguments = [self.valid(other) for other in kinds]
                    arguments[at] = None
                    self.call(name, arguments, f"{parameters[at][1]} NULL")
                    base = kind.replace("const", "").strip(" *")
                    if kind.count("*") == 1 and self.is_sized(base):
                        self.sizes(name, kinds, at, base)
                elif not kind.endswith("_fn") and kind != "size_t":  # a wrong size_t would be believed
                    for number in NUMBERS:
                        arguments = [self.valid(other) for other in kinds]
                        arguments[at] = self.fitted(name, at, number)
                        self.call(name, arguments, f"{parameters[at][1]} {number}")

    def sizes(self, name, kinds, at, base):
        whole = ctypes.sizeof(getattr(self.abi, base))
        for size in SIZES:
            arguments = [self.valid(other) for other in kinds]
            value = self.struct(base)
            if size == "more":  # a field of a newer header, which is set
                ctypes.memset(ctypes.addressof(value) + whole, 1, 8)
            given = {"less": whole - 8, "more": whole + 8}.get(size, size)
            value.struct_size = ctypes.c_size_t(given).value
            arguments[at] = ctypes.byref(value)
            self.call(name, arguments, f"struct_size {given}")

    def fitted(self, name, at, number):
        kind = getattr(self.lib, name).argtypes[at]
        return number if kind in (ctypes.c_double, ctypes.c_float) else kind(number).value


class CarelessTest(unittest.TestCase):
    def test_every_function(self):
        with tempfile.TemporaryDirectory() as scratch:
            done = subprocess.run([sys.executable, __file__, scratch], capture_output=True, text=True, timeout=280)
            last = done.stdout.splitlines()[-1:]
            self.assertEqual((done.returncode, done.stderr), (0, ""), f"after {last}")
            self.assertGreater(int(last[0]), 2000)
            self.assertFalse([path for path in pathlib.Path(scratch).iterdir() if path.name == "out"])


if __name__ == "__main__":
    if len(sys.argv) == 2 and pathlib.Path(sys.argv[1]).is_dir():
        caller = Caller(sys.argv[1])
        caller.run()
        caller.lib.octavo_writer_release(caller.handles["octavo_writer"])
        print(caller.calls)
    else:
        unittest.main()
