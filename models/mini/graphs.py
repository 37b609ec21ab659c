"""Builds the two shipped ONNX graphs node by node.

Weights are stored small (int8 with a float scale, or float16) and widened to float32 when the graph is loaded. So a
result does not depend on the other rows of its batch, on padding, or on the processor having int8 instructions, as it
would with dynamically quantised activations.

Not here: deciding what the weights are (recipe.py), or checking the result (ced.py, reference.py).
"""

import numpy as np
import onnx
from onnx import TensorProto

from ced import BLOCK_EPS, HEAD_EPS, HEADS, LAYERS, PATCH, WIDTH, Ced
from minilm import HEADS as TEXT_HEADS
from minilm import LAYER_NORM_EPS, Int8Rows, TextWeights
from minilm import LAYERS as TEXT_LAYERS
from onnx_graph import Graph
from space import CLASS_SHARE, QUERY_CLASS_SHARE, TEMPERATURE, QuerySpace, SoundSpace, TextSpace


def audio_graph(ced: Ced, space: SoundSpace) -> onnx.ModelProto:
    """`log_mel [batch, frames, 64]` in decibels -> `row [batch, 527 + axes]` and `scores [batch, 527]`.

    `scores` are CED's own probabilities, for the tagger models/ced-tiny. `row` is a window's unit vector in mini's
    space, as `SoundSpace.rows` says. 16 to 1023 frames: the positions of 63 steps of 16 are known.
    """
    g = Graph()
    embedding, scores = _encoder(g, ced)
    last_axis, tiny = g.ints("last_axis", -1), g.f32("tiny", 1e-12)

    def l2(x: str, length: float) -> str:
        norm = g.op("Max", g.op("ReduceL2", x, last_axis, keepdims=1), tiny)
        return g.op("Mul", g.op("Div", x, norm), g.f32(f"length.{x}", length))

    classes = l2(g.op("Mul", g.op("Sqrt", scores), g.f32("gains", space.gains)), np.sqrt(CLASS_SHARE))
    # (e - mean) P = e P - mean P, so that the mean costs nothing.
    timbre = g.op("Gemm", embedding, g.f32("timbre", space.projection),
                  g.f32("timbre.bias", -space.mean @ space.projection))
    g.op("Concat", classes, l2(timbre, np.sqrt(1.0 - CLASS_SHARE)), axis=-1, name="row")
    return g.model(
        "mini", {"log_mel": ["batch", "frames", 64]},
        {"row": ["batch", len(space.gains) + space.projection.shape[1]], "scores": ["batch", len(space.gains)]},
        "CED-tiny, from a log-mel spectrogram to the probabilities of 527 AudioSet classes, and to mini's space.",
    )


def ced_graph(ced: Ced) -> onnx.ModelProto:
    """`log_mel [batch, frames, 64]` in decibels -> `embedding [batch, 192]` and `scores [batch, 527]`; not shipped."""
    g = Graph()
    embedding, _ = _encoder(g, ced)
    g.op("Identity", embedding, name="embedding")
    return g.model("mini", {"log_mel": ["batch", "frames", 64]},
                   {"embedding": ["batch", WIDTH], "scores": ["batch", len(ced.small["head.bias"])]}, "CED-tiny.")


def _encoder(g: Graph, ced: Ced) -> tuple[str, str]:
    """CED from `log_mel` to the embedding that its head reads, and to `scores`."""
    def matrix(name: str) -> str:
        """An int8 matrix, widened; ONNX Runtime folds both nodes when it loads the graph."""
        wide = g.op("Cast", g.constant(name, ced.matrices[name].values), to=TensorProto.FLOAT)
        return g.op("Mul", wide, g.f32(name + ".scale", ced.matrices[name].scale), name=name + ".f32")

    def small(name: str) -> str:
        return g.f32(name, ced.small[name])

    def layer_norm(x: str, name: str, epsilon: float) -> str:
        return g.op("LayerNormalization", x, small(name + ".weight"), small(name + ".bias"), axis=-1, epsilon=epsilon)

    def dense(x: str, name: str) -> str:
        return g.op("Add", g.op("MatMul", x, matrix(name + ".weight")), small(name + ".bias"))

    x = g.op("Add", g.op("Mul", "log_mel", small("bands.weight")), small("bands.bias"))
    x = g.op("Unsqueeze", g.op("Transpose", x, perm=[0, 2, 1]), g.ints("channel_axis", 1))
    x = g.op("Conv", x, matrix("patch.weight"), small("patch.bias"), kernel_shape=[PATCH, PATCH], strides=[PATCH, PATCH])
    steps = g.op("Shape", x, start=3, end=4)
    time = g.op("Slice", small("time"), g.ints("first", 0), steps, g.ints("time_axis", 3))
    x = g.op("Add", g.op("Add", x, time), small("frequency"))
    x = g.op("Transpose", g.op("Reshape", x, g.ints("tokens", 0, WIDTH, -1)), perm=[0, 2, 1])

    split_heads = g.ints("split_heads", 0, 0, HEADS, WIDTH // HEADS)
    join_heads = g.ints("join_heads", 0, 0, WIDTH)
    scale = g.f32("attention_scale", (WIDTH // HEADS) ** -0.5)
    for layer in range(LAYERS):
        qkv = dense(layer_norm(x, f"{layer}.norm1", BLOCK_EPS), f"{layer}.qkv")
        q, k, v = (g.op("Reshape", part, split_heads)
                   for part in g.op("Split", qkv, outputs=3, axis=-1, num_outputs=3))
        q = g.op("Mul", g.op("Transpose", q, perm=[0, 2, 1, 3]), scale)
        k = g.op("Transpose", k, perm=[0, 2, 3, 1])
        v = g.op("Transpose", v, perm=[0, 2, 1, 3])
        mixed = g.op("MatMul", g.op("Softmax", g.op("MatMul", q, k), axis=-1), v)
        mixed = g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), join_heads)
        x = g.op("Add", x, dense(mixed, f"{layer}.proj"))
        inner = g.op("Gelu", dense(layer_norm(x, f"{layer}.norm2", BLOCK_EPS), f"{layer}.fc1"))
        x = g.op("Add", x, dense(inner, f"{layer}.fc2"))
    mean = g.op("ReduceMean", layer_norm(x, "norm", BLOCK_EPS), g.ints("token_axis", 1), keepdims=0)
    embedding = layer_norm(mean, "head.norm", HEAD_EPS)
    logits = g.op("Gemm", embedding, matrix("head.weight"), small("head.bias"), transB=1)
    return embedding, g.op("Sigmoid", logits, name="scores")


def text_graph(minilm: TextWeights, space: TextSpace, queries: QuerySpace) -> onnx.ModelProto:
    """`input_ids`, `attention_mask` `[batch, tokens]` -> unit `embedding [batch, dim]`, `query [batch, dim]`,
    `sentence [batch, 384]` and `familiarity [batch, 1]`.

    `embedding` names a sound, `query` looks for sounds, as `QuerySpace.rows` says.

    `sentence` is MiniLM's own vector, with which other taggers compare a text and the names of their classes.
    `familiarity` says how near the text comes to any concept, as `TextSpace.familiarity` does.
    """
    g = Graph()
    last_axis = g.ints("last_axis", -1)
    tiny = g.f32("tiny", 1e-12)
    rows, small = minilm.rows, minilm.small
    width = space.weights.shape[1]

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

    split_heads = g.ints("split_heads", 0, 0, TEXT_HEADS, width // TEXT_HEADS)
    join_heads = g.ints("join_heads", 0, 0, width)
    for layer in range(TEXT_LAYERS):
        at = f"encoder.layer.{layer}."
        own = at + "attention.self."
        names, factors = ["query", "key", "value"], [(width // TEXT_HEADS) ** -0.5, 1.0, 1.0]
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

    def table(name: str, stored: Int8Rows) -> str:
        wide = g.op("Cast", g.constant(name, stored.values), to=TensorProto.FLOAT)
        return g.op("Mul", wide, g.f32(name + ".scale", stored.scale), name=name + ".f32")

    classes = g.op("Add", g.op("MatMul", sentence, g.f16("classes", space.weights.T)), g.f32("biases", space.biases))
    names = g.op("Gemm", sentence, table("names", space.keys), transB=1)
    closeness = g.op("Concat", classes, names, axis=-1)
    g.op("ReduceMax", closeness, last_axis, keepdims=1, name="familiarity")
    temperature = g.f32("temperature", TEMPERATURE)
    blocks = []
    for block, (name, stored) in enumerate({"spread": space.classes, "timbre": space.timbre}.items()):
        offset = g.op("Add", closeness, g.f32(name + ".offsets", space.offsets(block)))
        likely = g.op("Softmax", g.op("Div", offset, temperature), axis=-1)
        blocks.append(l2(g.op("MatMul", likely, table(name, stored)), name=name + ".mixed"))
    beyond = g.op("Gemm", sentence, g.f16("linear", space.linear), g.f32("linear.bias", space.linear_bias))
    timbre = l2(g.op("Add", blocks[1], beyond), name="timbre.block")
    classes = g.op("Mul", blocks[0], g.f32("classes.length", np.sqrt(CLASS_SHARE)))
    timbre = g.op("Mul", timbre, g.f32("timbre.length", np.sqrt(1.0 - CLASS_SHARE)))
    row = g.op("Concat", classes, timbre, axis=-1)
    # What all sounds have in common tells nothing apart.
    shared = g.op("MatMul", row, g.f32("common", space.common[:, None]))
    embedding = l2(g.op("Sub", row, g.op("Mul", shared, g.f32("common.row", space.common[None]))), name="embedding")
    sizes = g.ints("blocks", len(queries.classes), len(queries.timbre))
    parts = g.op("Split", embedding, sizes, outputs=2, axis=-1)
    shares = {"classes": QUERY_CLASS_SHARE, "timbre": 1.0 - QUERY_CLASS_SHARE}
    looked_for = []
    for part, (name, share) in zip(parts, shares.items()):
        weighed = l2(g.op("MatMul", part, g.f16(f"query.{name}", getattr(queries, name))), name=f"query.{name}.unit")
        looked_for.append(g.op("Mul", weighed, g.f32(f"query.{name}.length", np.sqrt(share))))
    g.op("Concat", *looked_for, axis=-1, name="query")

    tokens = ["batch", "tokens"]
    return g.model(
        "mini", {"input_ids": tokens, "attention_mask": tokens},
        {"embedding": ["batch", len(space.common)], "query": ["batch", len(space.common)],
         "sentence": ["batch", width], "familiarity": ["batch", 1]},
        "all-MiniLM-L6-v2, and concepts: 527 classes and the names of sounds that were heard.",
    )
