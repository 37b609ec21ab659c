"""Builds an ONNX graph node by node, for the recipes of the bundled models.

Weights are stored small (float16, or what the recipe makes of int8) and widened by ordinary nodes over
constants, which ONNX Runtime folds when it loads the graph; so the arithmetic is float32 throughout.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu
IR_VERSION = 9


class Graph:
    """Nodes and constants, in order. Every method returns the name of what it made."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def op(self, kind: str, *inputs: str, outputs: int = 1, name: str | None = None, **attributes):
        base = name or f"{kind.lower()}_{len(self.nodes)}"
        names = [base] if outputs == 1 else [f"{base}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=base, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, name: str, array) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def f32(self, name: str, array) -> str:
        return self.constant(name, np.asarray(array, np.float32))

    def ints(self, name: str, *values: int) -> str:
        return self.constant(name, np.asarray(values, np.int64))

    def f16(self, name: str, array: np.ndarray) -> str:
        stored = self.constant(name, array.astype(np.float16))
        return self.op("Cast", stored, name=name + ".f32", to=TensorProto.FLOAT)

    def model(self, name: str, inputs: dict[str, list], outputs: dict[str, list], doc: str) -> onnx.ModelProto:
        """`inputs` and `outputs`: the shape of each tensor. An input named *ids or *mask is int64, all else float32."""

        def info(tensor: str, shape: list):
            integers = tensor.endswith(("ids", "mask"))
            return helper.make_tensor_value_info(tensor, TensorProto.INT64 if integers else TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self.nodes, name, [info(*i) for i in inputs.items()], [info(*o) for o in outputs.items()],
            self.constants, doc_string=doc)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name=f"earmark models/{name}/recipe.py",
        )
        onnx.checker.check_model(model, full_check=True)
        return model
