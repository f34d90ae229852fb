"""The ctypes declarations are those of capi/octavo.h: written from it, and of the layout that a C compiler gives."""
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from octavo import _abi
from octavo._library import lib
from support import ROOT

COMPILER = os.environ.get("CC") or shutil.which("cc")


class Abi(unittest.TestCase):
    def test_written_from_the_header(self):
        done = subprocess.run([sys.executable, ROOT / "capi" / "python" / "make_abi.py", "--check"], capture_output=True,
                              text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_exported_function_is_declared(self):
        exported = (ROOT / "capi" / "octavo.map").read_text().split("global:")[1].split("local:")[0]
        self.assertEqual(sorted(_abi.FUNCTIONS), sorted(line.strip(" ;") for line in exported.split("\n") if line.strip()))
        for name in _abi.FUNCTIONS:
            self.assertIsNotNone(getattr(lib, name).argtypes)

    def test_a_name_that_is_no_field_is_an_error(self):
        with self.assertRaises(AttributeError):
            _abi.octavo_generate_options().no_such_field = 1

    @unittest.skipUnless(COMPILER, "no C compiler")
    def test_layout_is_the_compiler_s(self):
        structs = {name: value for name, value in vars(_abi).items()
                   if isinstance(value, type) and issubclass(value, ctypes.Structure) and value is not ctypes.Structure}
        constants = {name: value for name, value in vars(_abi).items() if name.startswith("OCTAVO_")}
        self.assertTrue(structs and constants)
        lines = ["#include <stdio.h>", '#include "octavo.h"', "int main(void) {"]
        expected = []
        for name, struct in structs.items():
            lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
            expected.append(f"{name} {ctypes.sizeof(struct)}")
            for field, _ in struct._fields_:
                member = f"{name}.{field} %zu %zu\\n"
                lines.append(f'printf("{member}", offsetof({name}, {field}), sizeof((({name}*)0)->{field}));')
                expected.append(f"{name}.{field} {getattr(struct, field).offset} {getattr(struct, field).size}")
        for name, value in constants.items():
            lines.append(f'printf("{name} %d\\n", {name});')
            expected.append(f"{name} {value}")
        with tempfile.TemporaryDirectory() as scratch:
            source, program = os.path.join(scratch, "layout.c"), os.path.join(scratch, "layout")
            with open(source, "w") as file:
                file.write("\n".join([*lines, "return 0; }", ""]))
            subprocess.run([COMPILER, "-I", ROOT / "capi", source, "-o", program], check=True)
            self.assertEqual(subprocess.run([program], capture_output=True, text=True, check=True).stdout.split("\n")[:-1],
                             expected)


if __name__ == "__main__":
    unittest.main()
