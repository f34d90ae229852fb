"""Makes a tiny Qwen3 that answers forty questions, and what transformers computes with it: for the architecture that
tests and examples/cpp/own_architecture.cpp register.

    VENV/bin/python tests/golden/qwen3/make.py        (writes beside itself; versions go to versions.json)

Needs torch and transformers 5. The model is trained for some two minutes on the questions alone, so that its norms'
weights are not 1 and its answers mean something; it is stored in bfloat16, read back, and run in float32. head_dim is
stated and is not hidden_size / num_attention_heads. The tokenizer is the bundled model's.
"""
import json
import pathlib
import shutil

import safetensors.torch
import torch
import transformers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

HERE = pathlib.Path(__file__).parent
TOKENIZER = HERE.parents[2] / "examples" / "models" / "octavo-tiny-vl" / "tokenizer.json"
NUMBERS = ("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
           "seventeen eighteen nineteen twenty twenty-one").split()
QUESTIONS = [(f"What comes after {a}?", b) for a, b in zip(NUMBERS, NUMBERS[1:])] + \
            [(f"What comes before {b}?", a) for a, b in zip(NUMBERS, NUMBERS[1:])]
TEMPLATE = ("{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def main():
    torch.manual_seed(3)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER), chat_template=TEMPLATE)
    stop = tokenizer.convert_tokens_to_ids("<|im_end|>")
    config = Qwen3Config(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, head_dim=24, vocab_size=len(tokenizer), max_position_embeddings=128,
                         rms_norm_eps=1e-6, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
                         tie_word_embeddings=True, bos_token_id=None, eos_token_id=stop, pad_token_id=None)
    model = Qwen3ForCausalLM(config)

    def prompt(question):
        messages = [{"role": "user", "content": question}]
        return tokenizer.encode(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    prompts = [prompt(question) for question, _ in QUESTIONS]
    whole = [ids + tokenizer.encode(answer) + [stop] for ids, (_, answer) in zip(prompts, QUESTIONS)]
    length = max(map(len, whole))
    ids = torch.tensor([row + [stop] * (length - len(row)) for row in whole])
    labels = torch.tensor([[-100] * len(asked) + row[len(asked):] + [-100] * (length - len(row))
                           for asked, row in zip(prompts, whole)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    steps = 600
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for step in range(steps):
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            print(step, loss.item(), flush=True)
    print("loss", loss.item())

    model.to(torch.bfloat16).save_pretrained(HERE)
    (HERE / "generation_config.json").write_text(json.dumps({"eos_token_id": stop, "do_sample": False}) + "\n")
    shutil.copy(TOKENIZER, HERE / "tokenizer.json")
    (HERE / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "<|im_end|>", "chat_template": TEMPLATE}, indent=1) + "\n")
    (HERE / "calibration.jsonl").write_text("".join(
        json.dumps({"id": f"{i:02}", "prompt": question, "answer": answer}) + "\n"
        for i, (question, answer) in enumerate(QUESTIONS)))

    model = Qwen3ForCausalLM.from_pretrained(HERE, dtype=torch.float32)
    model.eval()
    golden = {}
    with torch.no_grad():
        for name, asked in (("prompt", prompts[6]), ("random", torch.randint(0, len(tokenizer), (47,)).tolist())):
            result = model(input_ids=torch.tensor([asked]), output_hidden_states=True)
            golden[f"{name}.ids"] = torch.tensor(asked)
            golden[f"{name}.logits"] = result.logits[0].contiguous()
            golden[f"{name}.layer0"] = result.hidden_states[1][0].contiguous()
        right = 0
        for asked, (question, answer) in zip(prompts, QUESTIONS):
            made = model.generate(torch.tensor([asked]), max_new_tokens=16, do_sample=False)[0, len(asked):]
            right += tokenizer.decode(made, skip_special_tokens=True) == answer
    print("right answers:", right, "of", len(QUESTIONS))
    assert right == len(QUESTIONS)
    safetensors.torch.save_file(golden, HERE / "golden.safetensors")
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
