"""Makes a tiny Gemma 2 of random weights, and what transformers computes with it: for an architecture whose embedding is
scaled, whose norms multiply by 1 + weight, and whose logits are capped (tests/architecture/gemma2_test.cpp).

    VENV/bin/python tests/golden/gemma2/make.py        (writes beside itself; versions go to versions.json)

Needs torch and transformers 5. Scores of attention are not capped, and every layer sees all positions. The weights are
stored in bfloat16, read back, and run in float32; they are large enough for the cap to matter.
"""
import json
import pathlib

import safetensors.torch
import torch
import transformers
from transformers import Gemma2Config, Gemma2ForCausalLM

HERE = pathlib.Path(__file__).parent


def main():
    torch.manual_seed(5)
    config = Gemma2Config(hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
                          num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=16, vocab_size=160,
                          max_position_embeddings=64, attn_logit_softcapping=None, final_logit_softcapping=2.5,
                          sliding_window=64, layer_types=["full_attention", "full_attention"],
                          attn_implementation="eager")
    model = Gemma2ForCausalLM(config)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            tensor.normal_(0, 0.4 if "norm" in name or "embed" in name else 0.15)
    model.to(torch.bfloat16).save_pretrained(HERE)
    (HERE / "generation_config.json").unlink(missing_ok=True)

    model = Gemma2ForCausalLM.from_pretrained(HERE, dtype=torch.float32, attn_implementation="eager")
    model.eval()
    ids = torch.randint(0, config.vocab_size, (29,))
    with torch.no_grad():
        result = model(input_ids=ids[None], output_hidden_states=True)
    assert (result.logits.abs() > 2).any() and result.logits.abs().max() < 2.5
    golden = {"ids": ids, "embedded": result.hidden_states[0][0].contiguous(),
              "layer0": result.hidden_states[1][0].contiguous(), "normed": result.hidden_states[2][0].contiguous(),
              "logits": result.logits[0].contiguous()}
    safetensors.torch.save_file(golden, HERE / "golden.safetensors")
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
