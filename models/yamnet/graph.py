"""Builds YAMNet's graph node by node. Weights are stored as float16 and widened when the graph is loaded."""

import onnx

from onnx_graph import Graph
from weights import YamNet


def audio_graph(net: YamNet) -> onnx.ModelProto:
    """`log_mel [batch, 96, 64]` -> `scores [batch, 521]`, YAMNet's own probabilities."""
    g = Graph()
    x = g.op("Unsqueeze", "log_mel", g.ints("channel_axis", 1))
    for i, (weight, bias, stride, pads, groups) in enumerate(net.convs):
        x = g.op(
            "Conv", x, g.f16(f"conv{i}.weight", weight), g.f32(f"conv{i}.bias", bias),
            kernel_shape=list(weight.shape[2:]), strides=[stride, stride], pads=list(pads), group=groups,
        )
        x = g.op("Relu", x)
    features = g.op("Flatten", g.op("GlobalAveragePool", x))
    logits = g.op("Gemm", features, g.f16("classifier.weight", net.classifier_weight),
                  g.f32("classifier.bias", net.classifier_bias), transB=1)
    g.op("Sigmoid", logits, name="scores")
    return g.model("yamnet", {"log_mel": ["batch", 96, 64]}, {"scores": ["batch", len(net.classifier_bias)]},
                   "YAMNet, from log-mel patches to the probabilities of 521 AudioSet classes.")
