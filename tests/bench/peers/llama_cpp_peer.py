"""llama.cpp by llama-cpp-python: the language layers as a Qwen2 model in Q8_0, lm_head and embedding included.

    python llama_cpp_peer.py --convert TEXT_DIR FILE.gguf
    python llama_cpp_peer.py FILE.gguf THREADS
"""

import sys


def convert(source, target):
    import json
    import pathlib

    import gguf
    import numpy
    import text_checkpoint

    source = pathlib.Path(source)
    config = json.loads((source / "config.json").read_text())
    writer = gguf.GGUFWriter(target, "qwen2")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")
    short = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    for name, (file, dtype, shape, begin, size) in text_checkpoint.tensors(source).items():
        assert dtype == "BF16", name
        stored = numpy.fromfile(file, numpy.uint16, size // 2, offset=begin).reshape(shape)
        values = (stored.astype(numpy.uint32) << 16).view(numpy.float32)
        if name not in whole:
            _, _, layer, rest = name.split(".", 3)  # model.layers.0.mlp.up_proj.weight
            module, kind = rest.rsplit(".", 1)
            ours = f"blk.{layer}.{short[module]}.{kind}"
        else:
            ours = whole[name]
        if len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(ours, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(ours, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if sys.argv[1] == "--convert":
    convert(sys.argv[2], sys.argv[3])
    sys.exit()

import ctypes  # noqa: E402

import llama_cpp as llama  # noqa: E402
import serve  # noqa: E402

path, threads = sys.argv[1], int(sys.argv[2])
llama.llama_backend_init()
model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
params = llama.llama_context_default_params()
params.n_ctx, params.n_batch, params.n_ubatch = 2304, 2048, 512
params.n_threads = params.n_threads_batch = threads
context = llama.llama_init_from_model(model, params)
system = llama.llama_print_system_info().decode()
peer = serve.Peer("llama.cpp", f"llama-cpp-python {llama.__version__}", "Qwen2 in Q8_0, lm_head too; " + system)


def feed(ids):
    array = (ctypes.c_int32 * len(ids))(*ids)  # the batch points to it
    status = llama.llama_decode(context, llama.llama_batch_get_one(array, len(ids)))
    if status != 0:
        raise RuntimeError(f"llama_decode: {status}")


def prefill(count):
    llama.llama_memory_clear(llama.llama_get_memory(context), True)
    return serve.seconds(lambda: feed(serve.tokens(count)))


def decode(past):
    prefill(past)
    return serve.seconds(lambda: [feed([token]) for token in serve.tokens(serve.NEW_TOKENS)]) / serve.NEW_TOKENS


for count in (512, 2048):
    peer.row(f"prefill {count}", lambda count=count: prefill(count))
for past in (16, 2048):
    peer.row(f"decode at {past}", lambda past=past: decode(past))
peer.serve()
