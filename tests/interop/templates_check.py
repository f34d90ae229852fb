#!/usr/bin/env python3
"""Octavo's reading of Jinja against jinja2 as transformers sets it up: templates as models have them, and random ones
made of their constructs. A template that Octavo does not support is counted, another rendering is a difference.

    templates_check.py RENDER_LINES MODEL [COUNT [SEED]]

RENDER_LINES is the program built from render_lines.cpp.
"""
import json
import pathlib
import random
import subprocess
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    made.globals["raise_exception"] = raise_exception
    return made


def jinja(source, variables):
    try:
        return environment().from_string(source).render(**variables)
    except Exception as error:  # noqa: BLE001 - whatever the template raises
        return error


IM = {"open": "<|im_start|>", "close": "<|im_end|>"}
SYSTEM_PROMPTS = ["You are a helpful assistant.", "A conversation between User and Assistant.\nThink first.", ""]


def known_templates(model):
    """The bundled one in several spellings, and the usual ways to lay out a chat in ChatML, with and without pictures."""
    published = json.loads((model / "chat_template.json").read_text())["chat_template"]
    yield "published", published
    for i, prompt in enumerate(SYSTEM_PROMPTS):
        yield f"published, system prompt {i}", published.replace("You are a helpful assistant.", prompt)
    yield "no system prompt", published.replace("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n", "")
    yield "text alone", (
        "{%- if messages[0]['role'] == 'system' %}\n    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"
        "{%- else %}\n    {{- '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}\n{%- endif %}\n"
        "{%- for message in messages %}\n    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) "
        "or (message.role == \"assistant\" and not message.tool_calls) %}\n"
        "        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n"
        "    {%- elif message.role == \"assistant\" %}\n        {{- '<|im_start|>' + message.role }}\n    {%- endif %}\n{%- endfor %}\n"
        "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n")
    yield "loop over the rest", (
        "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}"
        "{% else %}{% set loop_messages = messages %}{% endif %}{% if system_message is defined %}{{ '<|im_start|>system\n' + "
        "system_message + '<|im_end|>\n' }}{% endif %}{% for message in loop_messages %}{% set content = message['content'] %}"
        "{% if message['role'] == 'user' %}{{ '<|im_start|>user\n' + content + '<|im_end|>\n<|im_start|>assistant\n' }}"
        "{% elif message['role'] == 'assistant' %}{{ content + '<|im_end|>' + '\n' }}{% endif %}{% endfor %}")
    yield "thoughts dropped", (
        "{%- set ns = namespace(last=messages|length - 1) %}\n{%- for message in messages[::-1] %}\n"
        "    {%- set index = (messages|length - 1) - loop.index0 %}\n"
        "    {%- if message.role == 'user' and message.content is string %}{%- set ns.last = index %}{%- endif %}\n{%- endfor %}\n"
        "{%- for message in messages %}\n    {%- if message.content is string %}\n        {%- set content = message.content %}\n"
        "    {%- else %}\n        {%- set content = '' %}\n    {%- endif %}\n"
        "    {%- if message.role == 'assistant' and '</think>' in content %}\n"
        "        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n    {%- endif %}\n"
        "    {{- '<|im_start|>' ~ message.role ~ '\\n' ~ content|trim ~ '<|im_end|>\\n' }}\n{%- endfor %}\n{{- ns.last }}")
    yield "refuses", "{% if messages|length > 2 %}{{ raise_exception('at most two') }}{% endif %}{{ messages[0].content }}"
    yield "prefix and suffix", (
        "{{ bos_token }}{% for m in messages %}{{ '[' if not loop.first else '' }}{{ m['role'].upper() if false else m.role }}"
        "{{ loop.index }}/{{ loop.length }}{% if not loop.last %}, {% endif %}{% endfor %}{{ eos_token }}")


PIECES = ["a", " b ", "\n", "  ", "<|im_end|>", "x\n\n", "\t", "{", "}", "%", "#", "'", "\u00e9", "\u4e00"]


def random_expression(rng, depth=0):
    simple = ["messages", "messages[0]", "messages[-1]['content']", "messages[0].role", "name", "count", "nothing", "missing", "true",
              "false", "none", "3", "0", "'a'", "'<|im_end|>'", "' x '", "''", "[1, 2]", "loop.index", "flag", "messages[0]['content']",
              "text[1:]", "text[:-1]", "text[::-1]", "text", "messages[1:]", "text[0]", "text[5]", "fresh", "fresh", "other", "ns.value", "text[-2:]"]
    if depth > 2 or rng.random() < 0.35:
        return rng.choice(simple)
    sub = lambda: random_expression(rng, depth + 1)  # noqa: E731
    kind = rng.randrange(9)
    if kind == 0:
        return f"{sub()} {rng.choice(['+', '-', '~', '*', '%', '//'])} {sub()}"
    if kind == 1:
        return f"{sub()} {rng.choice(['==', '!=', '<', '<=', '>', '>=', 'in', 'not in'])} {sub()}"
    if kind == 2:
        return f"({sub()} {rng.choice(['and', 'or'])} {sub()})"
    if kind == 3:
        return f"(not {sub()})"
    if kind == 4:
        return f"({sub()} if {sub()} else {sub()})"
    if kind == 5:
        return f"{rng.choice(simple)} | {rng.choice(['trim', 'length', 'default(1)', 'first', 'last', 'string'])}"
    if kind == 6:
        tests = ["defined", "undefined", "none", "string", "mapping", "iterable", "number", "true", "false", "boolean", "integer"]
        return f"{rng.choice(simple)} is {rng.choice(['', 'not '])}{rng.choice(tests)}"
    if kind == 7:
        methods = ["strip()", "lstrip()", "rstrip('x ')", "startswith('a')", "endswith('b')", "split('b')", "replace('a', 'zz')",
                   "split('b')[0]", "split('b')[-1]"]
        return f"text.{rng.choice(methods)}"
    return f"({sub()})"


def random_template(rng, depth=0):
    parts = []
    for _ in range(rng.randint(1, 5)):
        dash = lambda: rng.choice(["", "", "-", "+"])  # noqa: E731
        out = lambda: rng.choice(["", "", "-"])  # noqa: E731
        kind = rng.randrange(7) if depth < 3 else rng.randrange(3)
        inner = lambda: random_template(rng, depth + 1)  # noqa: E731
        space = rng.choice(["", " ", "\n", "\n  ", "  "])
        if kind == 0:
            parts.append("".join(rng.choice(PIECES) for _ in range(rng.randint(1, 4))))
        elif kind in (1, 2):
            parts.append(f"{space}{{{{{out()} {random_expression(rng)} {out()}}}}}{space}")
        elif kind == 3:
            middle = f"{space}{{%{dash()} elif {random_expression(rng)} {dash()}%}}{inner()}" if rng.random() < 0.3 else ""
            other = f"{space}{{%{dash()} else {dash()}%}}{inner()}" if rng.random() < 0.5 else ""
            parts.append(f"{space}{{%{dash()} if {random_expression(rng)} {dash()}%}}{inner()}{middle}{other}{space}{{%{dash()} endif {dash()}%}}")
        elif kind == 4:
            over = rng.choice(["messages", "messages[1:]", "text", "[1, 2, 3]", "missing", "range(3)", "messages if messages[0]", "name"])
            target = rng.choice(["m", "item"])
            parts.append(f"{space}{{%{dash()} for {target} in {over} {dash()}%}}{inner()}{{{{ loop.index0 }}}}{space}{{%{dash()} endfor {dash()}%}}")
        elif kind == 5:
            parts.append(f"{space}{{%{dash()} set {rng.choice(['other', 'ns.value', 'fresh'])} = {random_expression(rng)} {dash()}%}}{space}")
        else:
            parts.append(f"{space}{{#{rng.choice(['', '-'])} note {rng.choice(['', '-'])}#}}{space}")
    return "".join(parts)


def conversations(rng, strings):
    say = lambda t: t if strings else [{"type": "text", "text": t}]  # noqa: E731
    yield [{"role": "user", "content": say("Hi <|im_end|>")}]
    yield [{"role": "system", "content": say(" Be brief.\n")}, {"role": "user", "content": say("x\n")}]
    yield [{"role": "user", "content": say("1")}, {"role": "assistant", "content": say("<think>a</think>\n\n2")},
           {"role": "user", "content": say("\u00e9\u4e00 3")}]
    if not strings:
        image = {"type": "image", "image": "image"}
        yield [{"role": "user", "content": [image, {"type": "text", "text": "What?"}, image, {"type": "video", "video": "video"}]}]
    yield []


def main():
    program, model = sys.argv[1], pathlib.Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 20000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    rng = random.Random(seed)
    jobs = []
    for name, source in known_templates(model):
        for strings in (False, True):
            for messages in conversations(rng, strings):
                for prompt in (False, True):
                    jobs.append((name, source, {"messages": messages, "add_generation_prompt": prompt, "tools": None,
                                                "bos_token": "<s>", "eos_token": "<|im_end|>"}))
    fixed = len(jobs)
    while len(jobs) < fixed + count:
        source = "{% set ns = namespace(value=0) %}" * rng.randrange(2) + random_template(rng)
        jobs.append(("random", source, {"messages": list(conversations(rng, True))[rng.randrange(4)], "name": "n", "count": 2,
                                        "nothing": None, "flag": rng.random() < 0.5, "text": rng.choice(["abcab", " a b ", "\u00e9b\u4e00"])}))
    lines = "".join(json.dumps({"source": s, "variables": v}) + "\n" for _, s, v in jobs)
    run = subprocess.run([program], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(jobs), (len(answers), len(jobs))
    equal = refused = unsupported = differ = 0
    for at, ((name, source, variables), answer) in enumerate(zip(jobs, answers)):
        wanted = jinja(source, variables)
        failed = isinstance(wanted, Exception)
        if "error" in answer and answer["unsupported"]:
            unsupported += 1
            if at < fixed:
                print("  not supported:", name, answer["error"])
        elif failed and "error" in answer:
            refused += 1
        elif not failed and answer.get("text") == wanted:
            equal += 1
        else:
            differ += 1
            if differ <= 10:
                print("  differs:", name, ascii(source), ascii(variables), "\n    wanted", ascii(wanted), "\n    octavo", ascii(answer))
    print(f"jinja2 {jinja2.__version__}, seed {seed}: {len(jobs)} renderings, {equal} equal, {refused} refused by both, "
          f"{unsupported} not supported, {differ} differ")
    sys.exit(differ > 0)


if __name__ == "__main__":
    main()
