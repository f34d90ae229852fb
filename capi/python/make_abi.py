#!/usr/bin/env python3
"""Writes octavo/_abi.py, the ctypes declarations of everything in capi/octavo.h: make_abi.py [--check]

With --check nothing is written: exits 1 when the file is not what the header gives. tests/python/test_abi.py runs that,
and holds sizes and offsets against a C compiler's.
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE.parent / "octavo.h"
TARGET = HERE / "octavo" / "_abi.py"

SCALARS = {
    "int": "c_int", "float": "c_float", "double": "c_double", "size_t": "c_size_t", "uint64_t": "c_uint64",
    "int64_t": "c_int64", "uint32_t": "c_uint32", "int32_t": "c_int32", "uint16_t": "c_uint16", "int16_t": "c_int16",
    "uint8_t": "c_uint8", "int8_t": "c_int8", "char": "c_char",
}
PYTHON = {"c_float": "float", "c_double": "float", "c_char_p": "bytes | None", "c_void_p": "int | None"}


class Header:
    """Declarations in their order: constants, structs with fields, callback types, functions."""

    def __init__(self, text):
        self.constants, self.structs, self.callbacks, self.functions = {}, {}, {}, {}
        self.aliases = {}
        self.order = []  # structs and callback types as they come, so that each comes after what it uses
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        for name, value in re.findall(r"^#define (OCTAVO_\w+) (-?\d+)$", text, flags=re.M):
            self.constants[name] = int(value)
        text = re.sub(r"^\s*#(?:.*\\\n)*.*$", "", text, flags=re.M)
        text = re.sub(r'extern "C" \{', "", text)
        for declaration in self.split(text):
            self.read(" ".join(declaration.split()))

    @staticmethod
    def split(text):
        """The declarations of a file, which end with a semicolon outside of braces."""
        depth, begin = 0, 0
        for at, character in enumerate(text):
            depth += {"{": 1, "}": -1}.get(character, 0)
            if character == ";" and depth <= 0:
                yield text[begin:at].strip().lstrip("}").strip()
                begin = at + 1

    def read(self, text):
        if match := re.fullmatch(r"enum \{(.*)\}", text):
            for item in match[1].strip().rstrip(",").split(","):
                name, value = re.fullmatch(r"(\w+) = (-?\d+)", item.strip()).groups()
                self.constants[name] = int(value)
        elif re.fullmatch(r"(typedef )?struct (\w+)( \2)?", text):
            pass  # an opaque handle
        elif match := re.fullmatch(r"typedef (\w+) (\w+)", text):
            self.aliases[match[2]] = SCALARS[match[1]]
        elif match := re.fullmatch(r"typedef struct (\w+) \{(.*)\} \1", text):
            self.order.append(match[1])
            self.structs[match[1]] = [field for line in match[2].split(";") if line.strip() for field in self.fields(line)]
        elif match := re.fullmatch(r"typedef (.*?)\(\*(\w+)\)\((.*)\)", text):
            self.order.append(match[2])
            self.callbacks[match[2]] = [self.type(match[1]), *self.arguments(match[3])]
        elif match := re.fullmatch(r"OCTAVO_API (.*?)(\w+)\((.*)\)", text):
            self.functions[match[2]] = (self.type(match[1]), self.arguments(match[3]))
        else:
            raise SystemExit(f"make_abi.py does not understand: {text}")

    def fields(self, line):
        """`int64_t width, height` and `double box[4]` as (name, type) pairs."""
        first, *more = line.strip().split(",")
        base, name = re.fullmatch(r"(.*?)(\w+(?:\[\w+\])?)", first.strip()).groups()
        for field in [name, *(word.strip() for word in more)]:
            array = re.fullmatch(r"(\w+)\[(\w+)\]", field)
            kind = self.type(base)
            yield (array[1], f"{kind} * {self.constants.get(array[2], array[2])}") if array else (field, kind)

    def arguments(self, text):
        if text.strip() == "void":
            return []
        return [self.type(re.fullmatch(r"(.*?)\w*", word.strip())[1]) for word in text.split(",")]

    def type(self, text):
        """The ctypes name of a C type. A `char*` that Octavo gives away stays a pointer, so that it can be released."""
        constant = text.strip().startswith("const")
        base, stars = re.sub(r"\bconst\b|\bstruct\b", "", text).replace(" ", ""), 0
        while base.endswith("*"):
            base, stars = base[:-1], stars + 1
        if base == "void" and stars == 0:
            return "None"
        if base in self.callbacks:
            kind = base
        elif base == "char" and stars > 0:
            kind, stars = ("c_char_p" if constant else "c_void_p"), stars - 1
        elif base in self.aliases or base in SCALARS:
            kind = self.aliases.get(base) or SCALARS[base]
        elif base in self.structs:
            kind = base
        elif stars > 0:  # void and opaque handles
            kind, stars = "c_void_p", stars - 1
        else:
            raise SystemExit(f"make_abi.py does not know the type {text}")
        return "POINTER(" * stars + kind + ")" * stars


def annotation(kind):
    if kind.startswith("POINTER") or " * " in kind or not kind.startswith("c_"):
        return "Any"
    return PYTHON.get(kind, "int")


def write(header):
    used = sorted(set(re.findall(r"\bc_\w+", str([header.structs, header.callbacks, header.functions]))))
    lines = ['"""What capi/octavo.h declares, for ctypes. Written by make_abi.py; run it again when the header changes."""',
             "from __future__ import annotations", "",
             f"from ctypes import CDLL, CFUNCTYPE, POINTER, Structure, {', '.join(used)}",
             "from typing import Any", ""]
    lines += [f"{name} = {value}" for name, value in header.constants.items()]
    for name in header.order:
        if name in header.callbacks:
            lines += ["", "", f"{name} = CFUNCTYPE({', '.join(header.callbacks[name])})"]
            continue
        fields = header.structs[name]
        lines += ["", "", f"class {name}(Structure):"]
        lines += [f"    {field}: {annotation(kind)}" for field, kind in fields]
        lines += ['    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error']
        lines += ["    _fields_ = ["] + [f'        ("{field}", {kind}),' for field, kind in fields] + ["    ]"]
    lines += ["", "", "# Every exported function: what it returns, what it takes.", "FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {"]
    lines += [f'    "{name}": ({result}, [{", ".join(taken)}]),' for name, (result, taken) in header.functions.items()]
    lines += ["}", "", "", "def declare(library: CDLL) -> None:",
              '    """Gives every function of the library its types; AttributeError names one that it lacks."""',
              "    for name, (result, taken) in FUNCTIONS.items():", "        function = getattr(library, name)",
              "        function.restype, function.argtypes = result, taken", ""]
    return "\n".join(lines)


def main():
    text = write(Header(HEADER.read_text(encoding="utf-8")))
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{TARGET} is not what {HEADER} gives: run {HERE / 'make_abi.py'}")
    else:
        TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
