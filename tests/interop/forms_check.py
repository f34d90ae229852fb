"""Forms against others' readings of them: what random bytes of a schema write must be valid for Python's jsonschema;
what hypothesis-jsonschema makes of a schema must have the form; texts of a pattern must match by Python's re, and
the other way round.

    forms_check.py build/release/tests/form_lines [schemas]     400 random ones
"""
import copy
import importlib.metadata
import json
import random
import re
import subprocess
import sys

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis_jsonschema import from_schema

program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 400
rng = random.Random(5)
KEYS = ["a", "b", "ab", "key", "é", 'q"', "n\n", "x y", ""]


def run(jobs):
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    done = subprocess.run([program], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(answers) == len(jobs)
    return answers


def schema(depth, inside=False):
    kind = rng.randrange(11 if depth else 7)
    if kind == 0:
        return {"type": rng.choice(["null", "boolean", ["null", "boolean"], ["integer", "string"]])}
    if kind == 1:
        low = rng.randrange(-2000, 2000)
        made = {"type": "integer"}
        if rng.random() < 0.6:
            made[rng.choice(["minimum", "exclusiveMinimum"])] = low
        if rng.random() < 0.6:
            made[rng.choice(["maximum", "exclusiveMaximum"])] = low + rng.randrange(2, 3000)
        return made
    if kind == 2:
        low = rng.choice([rng.randrange(-200, 200), round(rng.uniform(-20, 20), rng.randrange(1, 5))])
        made = {"type": "number"}
        if rng.random() < 0.6:
            made[rng.choice(["minimum", "exclusiveMinimum"])] = low
        if rng.random() < 0.6:
            made[rng.choice(["maximum", "exclusiveMaximum"])] = low + rng.choice([1, 0.25, 130.5])
        return made
    if kind == 3:
        if rng.random() < 0.3:
            return {"type": "string", "pattern": rng.choice(PATTERNS)}
        low = rng.randrange(4)
        return {"type": "string", "minLength": low, "maxLength": low + rng.randrange(5)}
    if kind == 4:
        return {"enum": rng.sample(["a", "b\n", 1, 2.5, None, True, ["x", 1], {"k": "é"}], rng.randrange(1, 5))}
    if kind == 5:
        return rng.choice([{}, True, {"title": "t", "description": "d"}])
    if kind == 6:
        return {"$ref": rng.choice(["#/$defs/x", "#/$defs/y"])} if inside else {"const": rng.choice(KEYS)}
    if kind == 7:
        return {"anyOf": [schema(depth - 1, inside) for _ in range(rng.randrange(1, 4))]}
    if kind == 8:
        low = rng.randrange(3)
        made = {"type": "array", "items": schema(depth - 1, low == 0)}
        if low:
            made["minItems"] = low
        if rng.random() < 0.5:
            made["maxItems"] = low + rng.randrange(4)
        if rng.random() < 0.4:
            made["prefixItems"] = [schema(depth - 1) for _ in range(rng.randrange(1, 3))]
        return made
    names = rng.sample(KEYS, rng.randrange(1, 5))
    required = [name for name in names if rng.random() < 0.4]
    made = {"type": "object", "properties": {n: schema(depth - 1, n not in required) for n in names}, "required": required}
    if rng.random() < 0.3:
        made["additionalProperties"] = rng.choice([False, True, schema(0)])
    return made


PATTERNS = [r"^[a-z]{2,5}$", r"^\d{4}-\d{2}$", r"a|b+c", r"^(foo|bar)?$", r"[^a\\\"]\.$", r"^\w+@\w+\.(com|org)$", r"\S{3}",
            r"^é[à-ÿ]*", r"^.{1,3}$", r"^[\x20-\x7e]{4}$"]


def complete(texts, schema_):
    validator = jsonschema.Draft202012Validator(schema_)
    for text in texts:
        validator.validate(json.loads(text))


schemas = []
while len(schemas) < count:
    made = schema(3)
    if isinstance(made, dict):
        schemas.append({**made, "$defs": {"x": schema(2), "y": schema(2)}})
answers = run([{"schema": json.dumps(s, ensure_ascii=rng.random() < 0.5), "walks": 8} for s in schemas])
walks = 0
for made, answer in zip(schemas, answers):
    assert "error" not in answer, (made, answer)
    walks += len(answer["walks"])
    try:
        complete(answer["walks"], made)
    except Exception:
        print(json.dumps(made), answer["walks"], sep="\n")
        raise
assert walks > 6 * count, walks
print(f"{walks} texts of {count} random schemas are valid for jsonschema {importlib.metadata.version('jsonschema')}")

# As people and pydantic write them; values by hypothesis, members in the schema's order.
WRITTEN = [
    {"type": "object", "title": "Box", "required": ["bbox_2d", "label"], "additionalProperties": False,
     "properties": {"bbox_2d": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9999},
                                "minItems": 4, "maxItems": 4}, "label": {"type": "string", "title": "Label"}}},
    {"type": "array", "items": {"anyOf": [{"type": "integer", "minimum": -(10**17), "maximum": 10**17}, {"type": "null"},
                                          {"type": "string", "minLength": 1, "maxLength": 3}]}, "maxItems": 4},
    {"$defs": {"Leaf": {"type": "object", "additionalProperties": False, "required": ["name"],
                        "properties": {"name": {"type": "string"}, "size": {"type": ["integer", "null"], "minimum": 1,
                                                                              "maximum": 10**6}}}},
     "type": "array", "items": {"$ref": "#/$defs/Leaf"}, "maxItems": 3},  # no circles: hypothesis-jsonschema has none
    {"type": "string", "enum": ["red", "gr\"een", "blé"]},
    {"type": "object", "properties": {"on": {"type": "boolean"}, "kind": {"const": "lamp"}}, "additionalProperties": False},
]


def ordered(value, made, root):
    if "$ref" in made:
        made = root["$defs"][made["$ref"].split("/")[-1]]
    for choice in made.get("anyOf", []):
        if jsonschema.Draft202012Validator({**choice, "$defs": root.get("$defs", {})}).is_valid(value):
            return ordered(value, choice, root)
    if isinstance(value, dict):
        return {k: ordered(value[k], made["properties"][k], root) for k in made["properties"] if k in value}
    return value


values = 0
for made in WRITTEN:
    texts = []

    @settings(max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(from_schema(copy.deepcopy(made)))  # which writes into it
    def collect(value):
        value = ordered(value, made, made)
        texts.append(json.dumps(value))
        if not isinstance(value, str):  # enum: one spelling, the one with ensure_ascii off
            texts.append(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        else:
            texts[-1] = json.dumps(value, ensure_ascii=False)

    collect()
    [answer] = run([{"schema": json.dumps(made), "texts": texts}])
    assert "error" not in answer, answer
    assert all(answer["matches"]), [t for t, ok in zip(texts, answer["matches"]) if not ok][:3]
    values += len(texts)
print(f"{values} values of {len(WRITTEN)} schemas by hypothesis-jsonschema have the form")

alphabet = "aabc foo bar.@-0123456789\"\\é\n_"
texts = ["".join(rng.choice(alphabet) for _ in range(rng.randrange(8))) for _ in range(3000)]
texts += ["foo", "bar", "a@b.com", "2024-05", "abc", ""]
answers = run([{"pattern": p.strip("^$") if p.startswith("^") else p, "walks": 200, "texts": texts} for p in PATTERNS])
for pattern, answer in zip(PATTERNS, answers):
    whole = re.compile(pattern.strip("^$") if pattern.startswith("^") else pattern)
    for text in answer["walks"]:
        assert whole.fullmatch(text), (pattern, text)
    for text, matches in zip(texts, answer["matches"]):
        # Octavo's \w and \S are ASCII's.
        expected = bool(re.compile(whole.pattern, re.ASCII if "\\S" not in pattern else 0).fullmatch(text))
        if "\\S" in pattern and "é" in text:
            expected = False
        assert matches == expected, (pattern, text, matches)
print(f"{len(PATTERNS)} patterns agree with Python's re on {len(texts)} texts each")
