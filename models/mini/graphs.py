"""Builds the two shipped ONNX graphs node by node.

Weights are stored small (float16, or int8 with a float scale a row) and widened to float32 when the
graph is loaded. So a result does not depend on the other rows of its batch, on padding, or on the
processor having int8 instructions, as it would with dynamically quantised activations.

Not here: deciding what the weights are (recipe.py), or checking the result (reference.py).
"""

import numpy as np
import onnx
from onnx import TensorProto

from onnx_graph import Graph
from reference import FEATURE_OFFSET, HEADS, LAYER_NORM_EPS, LAYERS, SILENCE_DISCOUNT, TIMBRE_SHARE
from sources import Tensors, YamNet


class Int8Rows:
    """A matrix as int8 with one float32 scale a row."""

    def __init__(self, matrix: np.ndarray):
        matrix = matrix.astype(np.float64)
        largest = np.maximum(np.abs(matrix).max(axis=1, keepdims=True), 1e-12)
        best_error = np.full(len(matrix), np.inf)
        for clip in np.linspace(1.0, 0.7, 13):
            scale = (clip * largest / 127.0).astype(np.float32)
            values = np.clip(np.rint(matrix / scale), -127, 127)
            error = ((values * scale - matrix) ** 2).sum(axis=1)
            better = error < best_error
            if best_error[0] == np.inf:
                self.values, self.scale = values.astype(np.int8), scale
            self.values[better], self.scale[better] = values[better], scale[better]
            best_error = np.minimum(error, best_error)

    def widened(self) -> np.ndarray:
        return self.values.astype(np.float64) * self.scale


def audio_graph(net: YamNet, silence: int, gains: np.ndarray, timbre: np.ndarray) -> onnx.ModelProto:
    """`log_mel [batch, 96, 64]` -> `row [batch, 521 + axes]` and `scores [batch, 521]`. Weights are float16.

    `scores` are YAMNet's own probabilities, for the tagger models/yamnet. `row` is what mini embeds a window by:
    reference.window_rows, which says what `gains` and `timbre` are.
    """
    g = Graph()
    x = g.op("Unsqueeze", "log_mel", g.ints("channel_axis", 1))
    for i, (weight, bias, stride, pads, groups) in enumerate(net.convs):
        x = g.op(
            "Conv", x, g.f16(f"conv{i}.weight", weight), g.f32(f"conv{i}.bias", bias),
            kernel_shape=list(weight.shape[2:]), strides=[stride, stride], pads=list(pads), group=groups,
        )
        x = g.op("Relu", x)
    features = g.op("Flatten", g.op("GlobalAveragePool", x))
    x = g.op("Gemm", features, g.f16("classifier.weight", net.classifier_weight),
             g.f32("classifier.bias", net.classifier_bias), transB=1)
    p = g.op("Sigmoid", x, name="scores")

    silent = g.op("Gather", p, g.ints("silence", silence), axis=1)
    discount = g.op("Mul", silent, g.f32("silence_discount", SILENCE_DISCOUNT))
    loudness = g.op("Sub", g.f32("one", 1.0), discount)
    share = np.sqrt(1.0 - TIMBRE_SHARE)
    amplitudes = g.op("Mul", g.op("Mul", g.op("Sqrt", p), g.f32("gains", share * gains)), loudness)

    # (root - mean) V = root V - mean V, so that the mean costs nothing.
    directions = timbre[1:].astype(np.float64)
    root = g.op("Sqrt", g.op("Add", features, g.f32("feature_offset", FEATURE_OFFSET)))
    likeness = g.op("Gemm", root, g.f16("timbre", directions),
                    g.f32("timbre.bias", -directions @ timbre[0].astype(np.float64)), transB=1)
    row_axis = g.ints("row_axis", 1)
    length = g.op("Mul", g.op("ReduceL2", amplitudes, row_axis, keepdims=1),
                  g.f32("timbre.share", np.sqrt(TIMBRE_SHARE) / share))
    norm = g.op("Max", g.op("ReduceL2", likeness, row_axis, keepdims=1), g.f32("tiny", 1e-12))
    likeness = g.op("Mul", likeness, g.op("Div", length, norm))
    g.op("Concat", amplitudes, likeness, name="row", axis=1)
    return g.model(
        "mini", {"log_mel": ["batch", 96, 64]},
        {"row": ["batch", len(gains) + len(directions)], "scores": ["batch", len(gains)]},
        "YAMNet, from log-mel patches to the probabilities of 521 AudioSet classes, and from those and its features "
        "to mini's space.",
    )


def text_graph(rows: dict[str, Int8Rows], small: Tensors, weights: np.ndarray,
               biases: np.ndarray, temperature: float, spread: np.ndarray) -> onnx.ModelProto:
    """`input_ids`, `attention_mask` `[batch, tokens]` -> unit `embedding [batch, dim]` and `sentence [batch, 384]`.

    `sentence` is MiniLM's own vector, with which other taggers compare a text and the names of their classes.
    `rows` holds the matrices and `small` everything else, both by their Hugging Face names.
    """
    g = Graph()
    last_axis = g.ints("last_axis", -1)
    tiny = g.f32("tiny", 1e-12)
    width = weights.shape[1]

    def l2(x: str, name: str) -> str:
        norm = g.op("ReduceL2", x, last_axis, keepdims=1)
        return g.op("Div", x, g.op("Max", norm, tiny), name=name)

    def matrix(name: str, parts: list[str], factors=(1.0,)) -> str:
        """Stacks weights `[out, in]`, each scaled by its factor, as one right-hand `[in, out]`."""
        values = g.constant(name, np.concatenate([rows[p].values for p in parts]).T)
        scale = np.concatenate([rows[p].scale * np.float32(f) for p, f in zip(parts, factors)])
        wide = g.op("Cast", values, to=TensorProto.FLOAT)
        return g.op("Mul", wide, g.f32(name + ".scale", scale.T), name=name + ".f32")

    def dense(x: str, name: str) -> str:
        product = g.op("MatMul", x, matrix(name, [name + ".weight"]))
        return g.op("Add", product, g.f32(name + ".bias", small[name + ".bias"]))

    def layer_norm(x: str, name: str) -> str:
        return g.op("LayerNormalization", x, g.f32(name + ".weight", small[name + ".weight"]),
                    g.f32(name + ".bias", small[name + ".bias"]), axis=-1, epsilon=LAYER_NORM_EPS)

    # Token embeddings stay int8 in memory: only the rows asked for are widened.
    words = rows["embeddings.word_embeddings.weight"]
    picked = g.op("Cast", g.op("Gather", g.constant("words", words.values), "input_ids"),
                  to=TensorProto.FLOAT)
    x = g.op("Mul", picked, g.op("Gather", g.f32("words.scale", words.scale), "input_ids"))
    positions = g.f16("positions", small["positions"])
    length = g.op("Shape", "input_ids", start=1, end=2)
    x = g.op("Add", x, g.op("Slice", positions, g.ints("zero", 0), length, g.ints("first_axis", 0)))
    x = layer_norm(x, "embeddings.LayerNorm")

    # Padding: minus infinity for all purposes, so a padded key gets exactly no attention.
    mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    ignored = g.op("Mul", g.op("Sub", g.f32("one", 1.0), mask), g.f32("lowest", -1e9))
    ignored = g.op("Unsqueeze", ignored, g.ints("head_axes", 1, 2))

    split_heads = g.ints("split_heads", 0, 0, HEADS, width // HEADS)
    join_heads = g.ints("join_heads", 0, 0, width)
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        own = at + "attention.self."
        names, factors = ["query", "key", "value"], [(width // HEADS) ** -0.5, 1.0, 1.0]
        weight = matrix(own + "qkv", [own + n + ".weight" for n in names], factors)
        bias = np.concatenate([small[own + n + ".bias"] * f for n, f in zip(names, factors)])
        qkv = g.op("Add", g.op("MatMul", x, weight), g.f32(own + "qkv.bias", bias))
        q, k, v = (g.op("Reshape", part, split_heads)
                   for part in g.op("Split", qkv, outputs=3, axis=-1, num_outputs=3))
        q = g.op("Transpose", q, perm=[0, 2, 1, 3])
        k = g.op("Transpose", k, perm=[0, 2, 3, 1])
        v = g.op("Transpose", v, perm=[0, 2, 1, 3])
        attention = g.op("Softmax", g.op("Add", g.op("MatMul", q, k), ignored), axis=-1)
        mixed = g.op("Transpose", g.op("MatMul", attention, v), perm=[0, 2, 1, 3])
        mixed = dense(g.op("Reshape", mixed, join_heads), at + "attention.output.dense")
        x = layer_norm(g.op("Add", mixed, x), at + "attention.output.LayerNorm")
        inner = g.op("Gelu", dense(x, at + "intermediate.dense"))
        x = layer_norm(g.op("Add", dense(inner, at + "output.dense"), x), at + "output.LayerNorm")

    # Mean over real tokens, unit length, then the class axes.
    counted = g.op("Unsqueeze", mask, last_axis)
    tokens_axis = g.ints("tokens_axis", 1)
    total = g.op("ReduceSum", g.op("Mul", x, counted), tokens_axis, keepdims=0)
    count = g.op("Max", g.op("ReduceSum", counted, tokens_axis, keepdims=0), g.f32("at_least", 1e-9))
    sentence = l2(g.op("Div", total, count), name="sentence")
    closeness = g.op("MatMul", sentence, g.f16("classes", weights.T))
    closeness = g.op("Add", closeness, g.f32("biases", biases))
    likely = g.op("Softmax", g.op("Div", closeness, g.f32("temperature", temperature)), axis=-1)
    l2(g.op("MatMul", likely, g.f16("spread", spread)), name="embedding")

    tokens = ["batch", "tokens"]
    return g.model(
        "mini", {"input_ids": tokens, "attention_mask": tokens},
        {"embedding": ["batch", spread.shape[1]], "sentence": ["batch", width]},
        "all-MiniLM-L6-v2 and a softmax over 521 classes.",
    )
