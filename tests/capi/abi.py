#!/usr/bin/env python3
"""Holds the C ABI: what programs were built against must go on working.

  tests/capi/abi.py check [SCRATCH]   compares capi/octavo.h and octavo.map with every recorded version
  tests/capi/abi.py self-test         shows that the comparison refuses what breaks programs and lets pass what does not
  tests/capi/abi.py record NAME       records today's header and map under tests/capi/abi/NAME

A recorded version is its header and its map. Both sides are made into a library of empty functions by one compiler, so
that the comparison, by abidiff (Debian's abigail-tools), sees the exported symbols, signatures and layouts that a C
program sees, and no difference of compilers. That liboctavo.so exports what the map says, and defines what the header
declares, is held by tests/capi/exports.sh and by the compiler.

Allowed: new functions, new constants, and new members at the end of a struct that begins with struct_size. Anything else
needs a higher OCTAVO_ABI_VERSION, which is the library's SOVERSION, too.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests/capi/abi"
CC = os.environ.get("CC", "cc")


class Incompatible(Exception):
    pass


def preprocessed(header):
    return subprocess.run([CC, "-std=c99", "-E", "-P", str(header)], check=True, capture_output=True, text=True).stdout


def of_octavo(text):
    """What follows the system's headers."""
    return text[text.index("octavo_"):]


def functions(text):
    """Name -> declaration, without the attribute."""
    found = {}
    for declaration in re.findall(r'__attribute__\s*\(\(visibility\("default"\)\)\)\s*([^;]*);', text):
        found[re.search(r"\b(octavo_\w+)\s*\(", declaration)[1]] = " ".join(declaration.split())
    return found


GROWS = re.compile(r"typedef struct (\w+) \{(\s*size_t struct_size;[^}]*)\}")


def members(body):
    """["size_t struct_size", "int32_t a, b", ...]"""
    return [" ".join(member.split()) for member in body.split(";") if member.strip()]


def without_new_members(old_text, new_text):
    """The new header with each struct that may grow cut to as many members as it had, and where the new ones begin:
    [(struct, name of its first new member)]."""
    known = {name: len(members(body)) for name, body in GROWS.findall(old_text)}
    grown = []

    def cut(match):
        name, now = match[1], members(match[2])
        count = known.get(name, len(now))
        if len(now) > count:
            grown.append((name, re.findall(r"\w+", now[count].split(",")[0])[-1]))
        return f"typedef struct {name} {{ " + " ".join(f"{member};" for member in now[:count]) + " }"

    return GROWS.sub(cut, new_text), grown


def numbers(text, expressions, scratch):
    """Name -> value of C expressions, by the compiler."""
    lines = "".join(f'  printf("{name} %lld\\n", (long long)({value}));\n' for name, value in expressions.items())
    source = scratch / "numbers.c"
    source.write_text(f"{text}\nint printf(const char*, ...);\nint main(void) {{\n{lines}  return 0;\n}}\n")
    subprocess.run([CC, "-std=c99", source, "-o", scratch / "numbers"], check=True)
    printed = subprocess.run([scratch / "numbers"], check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in (line.split() for line in printed.splitlines())}


def constants(text, scratch):
    names = []
    for body in re.findall(r"enum\s*\{([^}]*)\}", of_octavo(text)):
        names += [item.split("=")[0].strip() for item in body.split(",") if item.strip()]
    return numbers(text, {name: name for name in names}, scratch)


def abi_version(header):
    stated = re.search(r"^#define OCTAVO_ABI_VERSION (\d+)$", header.read_text(), re.MULTILINE)
    return int(stated[1]) if stated else 0


def read(header, version_map):
    """The header's text, after the preprocessor; the map must name what it declares."""
    text = preprocessed(header)
    declared = set(functions(text))
    mapped = set(re.findall(r"^ *(octavo_\w+);$", version_map.read_text(), re.MULTILINE))
    if declared != mapped:
        raise Incompatible(f"{header} and {version_map} differ in {sorted(declared ^ mapped)}")
    return text


def library_of(text, to):
    """A library of empty functions with the header's types as debugging information."""
    source = to.with_suffix(".c")
    source.write_text(text + "".join(f"{declaration} {{ __builtin_abort(); }}\n" for declaration in functions(text).values()))
    subprocess.run([CC, "-std=c99", "-g", "-O0", "-fPIC", "-shared", "-w", source, "-o", to, "-Wl,-soname,liboctavo.so"], check=True)


def compare(old_header, old_map, new_header, new_map, scratch):
    """Counts the functions of both. @raises Incompatible  with what abidiff says, or the constants that changed."""
    old_text, new_text = read(old_header, old_map), read(new_header, new_map)
    old, new = constants(old_text, scratch), constants(new_text, scratch)
    changed = [f"{name} was {value}, is {new.get(name, 'gone')}" for name, value in old.items() if new.get(name) != value]
    if changed:
        raise Incompatible("constants: " + "; ".join(changed))
    as_known, grown = without_new_members(old_text, new_text)
    sizes = numbers(old_text, {name: f"sizeof({name})" for name, _ in grown}, scratch)
    offsets = numbers(new_text, {name: f"__builtin_offsetof({name}, {first})" for name, first in grown}, scratch)
    for name, _ in grown:
        if re.search(rf"[;{{]\s*{name} \w+", new_text):
            raise Incompatible(f"{name} grew, and another struct holds it by value")
    for name, first in grown:  # an older program leaves padding unset
        if offsets[name] < sizes[name]:
            raise Incompatible(f"{name}.{first} lies in what was padding: of {sizes[name]} bytes, at {offsets[name]}")
    old_library, new_library = scratch / "old.so", scratch / "new.so"
    library_of(old_text, old_library)
    library_of(as_known, new_library)
    result = subprocess.run(["abidiff", "--no-added-syms", old_library, new_library], capture_output=True, text=True)
    if result.returncode:
        raise Incompatible(result.stdout + result.stderr)
    return len(functions(old_text)), len(functions(new_text))


def check(scratch, header=ROOT / "capi/octavo.h", version_map=ROOT / "capi/octavo.map"):
    today = abi_version(header)
    for recorded in sorted(path for path in RECORDED.iterdir() if path.is_dir()):
        if abi_version(recorded / "octavo.h") < today:
            print(f"{recorded.name}: of an older ABI version, not compared")
            continue
        try:
            before, now = compare(recorded / "octavo.h", recorded / "octavo.map", header, version_map, scratch)
        except Incompatible as broken:
            raise Incompatible(f"{recorded.name}: programs built against it would break.\n{broken}\n"
                               "Keep what they know, or raise OCTAVO_ABI_VERSION and the library's SOVERSION with it.") from None
        print(f"{recorded.name}: its {before} functions, their types and the constants are as they were; {now} functions today")


CHANGES = [  # name, pattern, replacement, allowed
    ("a new function", r"(OCTAVO_API int32_t octavo_abi_version\(void\);)",
     r"\1\nOCTAVO_API int32_t octavo_added(int32_t a);", True),
    ("a new member at the end of an options struct", r"\n\} octavo_model_options;", "\n  int64_t added;\n} octavo_model_options;", True),
    ("a new constant", r"(enum \{ OCTAVO_METHOD_GPTQ = 0, OCTAVO_METHOD_RTN = 1)", r"\1, OCTAVO_METHOD_ADDED = 2", True),
    ("a new member at the end of a struct that is held in arrays", r"\n\} octavo_picture_size;", "\n  int64_t added;\n} octavo_picture_size;", False),
    ("a new member in the middle", r"int32_t vision_math;", "int32_t added; int32_t vision_math;", False),
    ("two members that change places", r"(int32_t language_math;[^\n]*\n)(\s*int32_t lm_head;[^\n]*\n)", r"\2\1", False),
    ("another type of a parameter", r"octavo_set_num_threads\(int32_t count\)", "octavo_set_num_threads(int64_t count)", False),
    ("another signature of a callback", r"\(\*octavo_token_fn\)\(int32_t token,", "(*octavo_token_fn)(int64_t token,", False),
    ("a function that is gone", r"OCTAVO_API octavo_status octavo_set_num_threads\(int32_t count\);", "", False),
    ("another value of a constant", r"OCTAVO_METHOD_GPTQ = 0, OCTAVO_METHOD_RTN = 1", "OCTAVO_METHOD_GPTQ = 1, OCTAVO_METHOD_RTN = 0", False),
    ("a constant that is gone", r", OCTAVO_METHOD_RTN = 1", "", False),
]


def self_test(scratch):
    header, version_map = ROOT / "capi/octavo.h", ROOT / "capi/octavo.map"
    for name, pattern, replacement, allowed in CHANGES:
        text, count = re.subn(pattern, replacement, header.read_text(), count=1)
        if count != 1:
            raise SystemExit(f"abi: self-test: {name}: octavo.h has no {pattern}")
        changed, changed_map = scratch / "octavo.h", scratch / "octavo.map"
        changed.write_text(text)
        declared = sorted(functions(preprocessed(changed)))
        mapped = "".join(f"    {each};\n" for each in declared)
        changed_map.write_text(re.sub(r"(global:\n).*(  local:)", rf"\1{mapped}\2", version_map.read_text(), flags=re.DOTALL))
        try:
            compare(header, version_map, changed, changed_map, scratch)
            passed = True
        except Incompatible:
            passed = False
        if passed != allowed:
            raise SystemExit(f"abi: self-test: {name} was {'let pass' if passed else 'refused'}")
        print(f"{'allowed' if allowed else 'refused'}: {name}")


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "record" and len(sys.argv) == 3:
        to = RECORDED / sys.argv[2]
        to.mkdir(parents=True, exist_ok=True)
        for name in ("octavo.h", "octavo.map"):
            shutil.copy(ROOT / "capi" / name, to / name)
        print(f"recorded: {to.relative_to(ROOT)}")
        return
    if command not in ("check", "self-test"):
        raise SystemExit(__doc__)
    if shutil.which("abidiff") is None:
        raise SystemExit("abi: abidiff is not installed: Debian's package abigail-tools has it")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            (check if command == "check" else self_test)(pathlib.Path(scratch))
        except Incompatible as broken:
            raise SystemExit(f"abi: {broken}") from None


if __name__ == "__main__":
    main()
