#!/usr/bin/env python3
"""Compares the test cases that a run of ctest passed with those that the sources hold, and says the count.

  tests/ran.py RESULTS.xml     the file of `ctest --output-junit RESULTS.xml`

A test case that was never registered, whose name was cut in two, or that ran as no test at all, would be missed by a run
that says "100% tests passed". The tests that are not Catch2's (scripts, the C programs) are counted apart.
"""
import pathlib
import re
import sys
import xml.etree.ElementTree

TEST_CASE = re.compile(r'^\s*(?:TEST_CASE|SCENARIO|TEMPLATE_TEST_CASE)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)(?:,\s*"([^"]*)")?', re.MULTILINE)
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def in_sources(tests):
    names = set()
    for source in sorted(tests.glob("*/*.cpp")):
        for match in TEST_CASE.finditer(source.read_text(encoding="utf-8")):
            name = "".join(LITERAL.findall(match[1])).replace('\\"', '"').replace("\\\\", "\\")
            if "[." in (match[2] or ""):  # run by name alone: benchmarks, exhaustive searches
                continue
            names.add(f"{source.parent.name}: {name}")
    return names


def spelt(name):
    """CMake drops or keeps the space after a test's prefix, by its release."""
    module, colon, rest = name.partition(":")
    return f"{module}: {rest.lstrip()}" if colon else name


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    expected = in_sources(pathlib.Path(__file__).resolve().parent)
    results = xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase")
    ran = {spelt(case.get("name")): case.get("status") for case in results}
    missing = sorted(name for name in expected if ran.get(name) != "run")
    modules = {name.split(": ")[0] for name in expected}
    others = sorted(name for name in ran if name not in expected)
    unknown = [name for name in others if name.split(": ")[0] in modules and name.split(": ")[0] not in SCRIPTED]
    skipped = sorted(name for name in others if ran[name] != "run")
    for name in missing[:20]:
        print(f"did not run: {name} ({ran.get(name, 'not registered')})")
    if len(missing) > 20:
        print(f"... and {len(missing) - 20} more")
    for name in unknown[:20]:
        print(f"ran, but no source holds it: {name}")
    for name in skipped:
        print(f"skipped: {name}")
    print(f"{len(expected) - len(missing)} of {len(expected)} test cases of the sources ran, and "
          f"{len(others) - len(skipped)} of {len(others)} scripts and programs")
    if not expected or missing or unknown:
        sys.exit(1)


SCRIPTED = {"capi", "cli", "docs", "install"}  # their tests are scripts and programs, registered by CMake

if __name__ == "__main__":
    main()
