"""ONNX Runtime: one linear layer, quantized per token as it runs (DynamicQuantizeLinear, MatMulInteger).

    python onnxruntime_peer.py UNUSED THREADS
"""

import sys

import numpy
import onnx
import onnxruntime
import serve
from onnx import TensorProto, helper, numpy_helper

threads = int(sys.argv[2])
random = numpy.random.default_rng(1)
peer = serve.Peer("onnxruntime", onnxruntime.__version__, "one linear: DynamicQuantizeLinear (a scale for all rows), "
                  "MatMulInteger, per-channel scales; graph optimizations on")


def int8_linear(out, width):
    weight = numpy_helper.from_array(random.integers(-127, 128, (width, out), dtype=numpy.int8), "w")
    scale = numpy_helper.from_array(random.random(out, dtype=numpy.float32), "s")
    zero = numpy_helper.from_array(numpy.zeros(out, numpy.int8), "z")
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
        helper.make_node("MatMulInteger", ["q", "w", "qz", "z"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["qs", "s"], ["both"]),
        helper.make_node("Mul", ["floats", "both"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [512, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [512, out])],
        [weight, scale, zero],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = {"x": random.standard_normal((512, width), dtype=numpy.float32)}
    return lambda: serve.median_seconds(lambda: session.run(None, x))


for name, (out, width) in serve.LINEARS.items():
    peer.row(f"int8 linear {name}", int8_linear(out, width))
peer.serve()
