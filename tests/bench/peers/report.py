"""docs/performance.md from what run.py wrote.

    python report.py peers.json > docs/performance.md
"""

import json
import sys

# The rows: what, unit, the row of "Octavo" and of "fast" (document, group, and what its details are or its name), the
# peers' row. Both columns of a row do the same work on the same weights, but for what "fast" may round.
PLAIN, BF16, FAST = "octavo", "octavo_bf16", "octavo_fast"


def model(name):
    return (PLAIN, "model", name), (FAST, "model", name)


def linear(out, width, weights, math=None):
    return (PLAIN, "linear", (out, width, weights, "f32")), math and (PLAIN, "linear", (out, width, weights, math))


def attention(name):
    return (PLAIN, "attention", name), (PLAIN, "attention", name + ", bf16 math")


VISION = "vision, 1024 patches"
ROWS = [
    ("prefill of 512 tokens", "tokens/s", *model("prefill of 512"), "prefill 512"),
    ("prefill of 2048 tokens", "tokens/s", *model("prefill of 2048"), "prefill 2048"),
    ("decode at 16", "tokens/s", *model("decode at 16"), "decode at 16"),
    ("decode at 2048", "tokens/s", *model("decode at 2048"), "decode at 2048"),
    ("int8 linear, 512 rows, down_proj", "ms", *linear(2048, 11008, "W8A8"), "int8 linear down_proj"),
    ("int8 linear, 512 rows, gate_proj", "ms", *linear(11008, 2048, "W8A8"), "int8 linear gate_proj"),
    ("int8 linear, 512 rows, q_proj", "ms", *linear(2048, 2048, "W8A8"), "int8 linear q_proj"),
    ("bf16 linear, 512 rows, down_proj", "ms", *linear(2048, 11008, "bf16", "bf16"), "bf16 linear down_proj"),
    ("vision tower in bf16, 1024 patches, 4 blocks", "ms", (PLAIN, "model", VISION), (BF16, "model", VISION),
     "vision 1024 patches"),
    ("the same in W8A8", "ms", None, (FAST, "model", VISION), None),
    ("attention, causal, 2048", "ms", *attention("causal prefill of 2048"), "attention causal 2048"),
    ("attention, vision, 1024 patches", "ms", *attention("vision, 1024 patches"), "attention vision 1024"),
    ("open, 6 layers and 4 blocks", "ms", *model("open, files in the page cache"), None),
]


def found(data, key):
    if key is None:
        return None
    document, group, wanted = key
    for row in data[document]["rows"]:
        if row["group"] != group:
            continue
        details = row["details"]
        if row["name"] == wanted:
            return row
        if group == "linear" and details["rows"] == 512 and wanted == (
                details["out_features"], details["in_features"], details["weights"], details["math"]):
            return row
    return None


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def shown(ms, items, unit):
    return "-" if ms is None else number(1e3 * items / ms if unit == "tokens/s" else ms)


def limit_of(row, unit):
    """What the limit is, the share of it, and what binds."""
    if row is None or "limit_ms" not in row:
        return "-"
    return f"{shown(row['limit_ms'], row['items'], unit)} ({row['binds']}), {100 * row['share']:.0f} %"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def main(data):
    plain, fast, peers = data[PLAIN], data[FAST], data["peers"]
    machine = plain["machine"]
    print("# Performance\n")
    print("Written by `tests/bench/peers/run.sh measure` from one run; [bench.md](bench.md) says how limits and shares "
          "are found.\n")
    print(f"{data['date']}, {machine['processor'] or 'a processor without a name'}, {data['threads']} threads, "
          f"{data['system']}; load average of the 15 minutes before: {data['load_before']:.1f}. Octavo "
          f"{plain['build']['octavo']}, {plain['build']['compiler']}, oneDNN {plain['build']['onednn']}, int8 backend "
          f"{plain['build']['int8_backend']}. Medians of {plain['merged_rounds']} round{'s' * (plain['merged_rounds'] > 1)}; in each, every program "
          "measured every row while the others were stopped.\n")
    options = fast["options"].split(" --only model ")[1]
    print(f"""Every program runs the same synthetic weights: 6 language layers and 4 vision blocks of the exact shapes of Qwen2.5-VL-3B. Only
torch's vision tower has random weights of its own, and single linears and attention are measured on random values.

- **Octavo** is W8A8 by the default recipe of `octavo quantize`; the vision tower stays in bf16 and is computed in float32's precision.
  The lm_head is in bf16, and greedy tokens are found through an int8 copy of it, to the same bits ([model.md](model.md#greedy-tokens-through-a-copy)).
- **fast** has options that may change answers: `{options}` for the language model; `--math bf16` for the
  vision tower, for linears of bf16 weights, as torch computes them, and for attention, which torch computes in float32.
- **its limit, share**: what the machine's arithmetic or memory allows at most, with the one that binds, and how much of it is reached.
- Of the **peers**, OpenVINO, CTranslate2 and llama.cpp have the lm_head in int8, as "fast" has, and vLLM has it in bf16.
""")
    rows, wide = [], []
    for what, unit, key, fast_key, peer_row in ROWS:
        ours, faster = found(data, key), found(data, fast_key)
        times = {}
        for peer in peers:
            entry = peer["times"].get(peer_row)
            if entry:
                times[peer["peer"]] = entry["median_ms"]
        # Peers' prefill is a call of so many tokens; their decode is milliseconds per token.
        per_call = int(what.split()[2]) if what.startswith("prefill") else 1
        best = min(times, key=times.get) if times else None
        cells = [shown(row["median_ms"], row["items"], unit) if row else "-" for row in (ours, faster)]
        rows.append([what + ", " + unit, cells[0], limit_of(ours, unit), cells[1], limit_of(faster, unit),
                     f"{best} {shown(times[best], per_call, unit)}" if best else "-"])
        if times:
            wide.append([what + ", " + unit, *cells] + [shown(times.get(peer["peer"]), per_call, unit) for peer in peers])
    table(["work", "Octavo", "its limit, share", "fast", "its limit, share", "best peer"], rows)
    for name, document in (("Octavo", plain), ("fast", fast)):
        memory = document.get("memory", {})
        if "peak_bytes" in memory:
            print(f"Memory of \"{name}\", opened and answering on a picture of {memory['picture_side']} x "
                  f"{memory['picture_side']} and {memory['prompt_tokens']} tokens in all: at most {memory['peak_bytes'] / 1e9:.2f} GB for "
                  f"{memory['weight_bytes'] / 1e9:.2f} GB of weights, "
                  f"{memory['peak_bytes'] / memory['weight_bytes']:.2f} times as much, mapped files included.\n")
    print("## Every peer\n")
    table(["work", "Octavo", "fast"] + [peer["peer"] for peer in peers], wide)
    for peer in peers:
        print(f"- **{peer['peer']}** {peer['version']}: {peer['what'].strip(' |')}.")
        for left in peer["left_out"]:
            print(f"  Left out: {left['row']}: {left['why']}")
    for missing in data["missing"]:
        print(f"- **{missing['peer']}** is missing: {missing['why']}")
    print()
    if data.get("whole"):
        print("## Full depth\n")
        print("The whole 3B, 36 layers and 32 vision blocks, W8A8 with the vision tower in bf16, as Octavo runs it "
              "by default.\n")
        whole = data["whole"]
        table(["work", "median", "rate", "limit", "share", "binds"], [
            [row["name"], f"{number(row['median_ms'])} ms", f"{number(1e3 * row['items'] / row['median_ms'])} "
             f"{row['item']}/s", f"{number(row['limit_ms'])} ms" if "limit_ms" in row else "-",
             f"{100 * row['share']:.0f} %" if "share" in row else "-", row.get("binds", "-")]
            for row in whole["rows"]])
        memory = whole.get("memory", {})
        if "peak_bytes" in memory:
            print(f"Memory: at most {memory['peak_bytes'] / 1e9:.2f} GB for {memory['weight_bytes'] / 1e9:.2f} GB of "
                  "weights, mapped files included.\n")
    print("## The machine's limits\n")
    table(["multiply-adds", "one thread", "all threads"], [
        [f"{unit['kind']} by {unit['name']}", f"{unit['one_thread_gops']:.0f} GOP/s", f"{unit['all_threads_gops']:.0f} "
         "GOP/s"] if unit["measured"] else [f"{unit['kind']} by {unit['name']}", "not measured: " + unit["missing"], ""]
        for unit in machine["units"]])
    table(["reading", "one thread", "all threads"], [
        [f"{read['bytes'] >> 20} MiB" + (" (memory)" if read is machine["reads"][-1] else " again and again"),
         f"{read['one_thread_gb_s']:.1f} GB/s", f"{read['all_threads_gb_s']:.1f} GB/s"] for read in machine["reads"]])
    print("## Again\n")
    print("```\ncmake --preset release && cmake --build --preset release --target octavo_cli make_synthetic\n"
          "tests/bench/peers/run.sh\n```")


if __name__ == "__main__":
    with open(sys.argv[1]) as stream:
        main(json.load(stream))
