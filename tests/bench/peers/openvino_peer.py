"""OpenVINO: the language layers as a Qwen2 model with int8 weights, and one linear layer.

    python openvino_peer.py --convert TEXT_DIR TARGET_DIR      (by optimum-intel and NNCF)
    python openvino_peer.py CONVERTED_DIR THREADS
"""

import sys

if sys.argv[1] == "--convert":
    from optimum.intel import OVModelForCausalLM, OVWeightQuantizationConfig

    config = OVWeightQuantizationConfig(bits=8, sym=True)
    model = OVModelForCausalLM.from_pretrained(sys.argv[2], export=True, compile=False, quantization_config=config)
    model.save_pretrained(sys.argv[3])
    sys.exit()

import numpy  # noqa: E402
import openvino  # noqa: E402
import serve  # noqa: E402
from openvino import opset13 as opset  # noqa: E402

directory, threads = sys.argv[1], int(sys.argv[2])
core = openvino.Core()
random = numpy.random.default_rng(1)
peer = serve.Peer("openvino", openvino.__version__, "Qwen2, int8 weights by NNCF (lm_head and embedding too), rows "
                  "quantized as it runs (DYNAMIC_QUANTIZATION_GROUP_SIZE), logits of the last position alone")
PLAIN = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
INT8 = {**PLAIN, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 1 << 20}  # one group a row


def int8_linear(out, width):
    x = opset.parameter([512, width], numpy.float32)
    weight = opset.constant(random.integers(-127, 128, (out, width), dtype=numpy.int8))
    scale = opset.constant(random.random((out, 1), dtype=numpy.float32) * 0.01)
    wide = opset.multiply(opset.convert(weight, numpy.float32), scale)
    compiled = core.compile_model(openvino.Model([opset.matmul(x, wide, False, True)], [x]), "CPU", INT8)
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(random.standard_normal((512, width), dtype=numpy.float32)))
    return lambda: serve.median_seconds(request.infer)


def last_logits_alone(model):
    """As OpenVINO GenAI does: the head's input is cut to its last row."""
    head = model.output("logits").get_node().input_value(0).get_node()
    while head.get_type_name() != "MatMul":
        head = head.input_value(0).get_node()
    last, end, step, axis = (opset.constant(numpy.array([value], numpy.int64)) for value in (-1, 1 << 60, 1, 1))
    head.input(0).replace_source_output(opset.slice(head.input_value(0), last, end, step, axis).output(0))
    model.validate_nodes_and_infer_types()


class Language:
    def __init__(self):
        model = core.read_model(f"{directory}/openvino_model.xml")
        last_logits_alone(model)
        self.request = core.compile_model(model, "CPU", INT8).create_infer_request()
        self.names = {name for port in model.inputs for name in port.get_names()}
        self.past = 0

    def feed(self, ids):
        inputs = {"input_ids": numpy.array([ids], numpy.int64),
                  "attention_mask": numpy.ones((1, self.past + len(ids)), numpy.int64),
                  "position_ids": numpy.arange(self.past, self.past + len(ids), dtype=numpy.int64)[None],
                  "beam_idx": numpy.zeros(1, numpy.int32)}
        self.request.infer({name: value for name, value in inputs.items() if name in self.names})
        self.past += len(ids)

    def prefill(self, count):
        self.request.reset_state()
        self.past = 0
        return serve.seconds(lambda: self.feed(serve.tokens(count)))

    def decode(self, past):
        self.prefill(past)
        new = serve.tokens(serve.NEW_TOKENS)
        return serve.seconds(lambda: [self.feed([token]) for token in new]) / len(new)


language = Language()
for count in (512, 2048):
    peer.row(f"prefill {count}", lambda count=count: language.prefill(count))
for past in (16, 2048):
    peer.row(f"decode at {past}", lambda past=past: language.decode(past))
for name, (out, width) in serve.LINEARS.items():
    peer.row(f"int8 linear {name}", int8_linear(out, width))
peer.serve()
