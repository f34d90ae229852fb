#!/usr/bin/env python3
"""The programs that the pages show are those of examples, which tests/examples runs.  programs.py SOURCE_DIR"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
programs = {file.read_text(): file.name for file in (root / "examples" / "c").glob("*.c")}
failures = 0
shown = set()
for page in sorted((root / "docs").glob("c_*.md")):
    blocks = re.findall(r"^```c\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    if not blocks:
        print(f"{page.name} shows no program")
        failures += 1
    for block in blocks:
        if block in programs:
            shown.add(programs[block])
        else:
            print(f"{page.name}: the program that begins with {block.splitlines()[0]!r} is no file of examples/c")
            failures += 1
if "```cpp\n" + (root / "examples/cpp/own_architecture.cpp").read_text() + "```" not in \
        (root / "docs/architectures.md").read_text():
    print("docs/architectures.md does not show examples/cpp/own_architecture.cpp as it is")
    failures += 1
for name in sorted(set(programs.values()) - shown):
    print(f"examples/c/{name} stands on no page")
    failures += 1
sys.exit(failures > 0)
