"""Builds musicnn's ONNX graph from the variables of its checkpoint.

After models.py of the package: `build_musicnn` with the front end "7774timbraltemporal". Its layers made
the variables in the order in which the code calls them, so they are `conv2d`, `conv2d_1`, … here too.
Weights are stored as float16 and widened when the graph is loaded; biases and normalisation are float32.
"""

import numpy as np
import onnx

from onnx_graph import Graph

FRAMES = 187  # 3 s
MELS = 96
EPSILON = 1e-3  # of tf.compat.v1.layers.batch_normalization, where none is given

Variables = dict[str, np.ndarray]


def audio_graph(variables: Variables) -> onnx.ModelProto:
    """`log_mel [batch, 187, 96]` -> `probabilities [batch, 50]`."""
    g = Graph()
    time_axis, mel_axis = g.ints("time_axis", 2), g.ints("mel_axis", 3)

    def normalise(x: str, at: int, order: np.ndarray | None = None) -> str:
        """Batch normalisation over axis 1; `order` rearranges its channels."""
        name = f"batch_normalization_{at}" if at else "batch_normalization"
        parts = [variables[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")]
        if order is not None:
            parts = [part[order] for part in parts]
        stored = [g.f32(f"{name}.{i}", part) for i, part in enumerate(parts)]
        return g.op("BatchNormalization", x, *stored, epsilon=EPSILON)

    def convolve(x: str, at: int, before: int, after: int) -> str:
        """A convolution with `before` and `after` zeros in time, relu, normalisation. `[…, frames, mels]` or `[…, frames]`."""
        name = f"conv2d_{at}" if at else "conv2d"
        kernel = variables[name + "/kernel"].transpose(3, 2, 0, 1)  # [out, 1, time, mels]
        flat = at >= 5  # the middle layers span all channels at once: as [out, channels, time] they are 1-d
        if flat:
            kernel = kernel[:, 0].transpose(0, 2, 1)
        x = g.op("Conv", x, g.f16(name + ".weight", kernel), g.f32(name + ".bias", variables[name + "/bias"]),
                 kernel_shape=list(kernel.shape[2:]), pads=[before, after] if flat else [before, 0, after, 0])
        return normalise(g.op("Relu", x), at + 1)

    # Front end: timbre (a convolution high in mel) and tempo (long in time), each pooled over all of mel.
    x = normalise(g.op("Unsqueeze", "log_mel", g.ints("channel_axis", 1)), 0)
    branches = [convolve(x, 0, 3, 3), convolve(x, 1, 3, 3)]
    for at, length in ((2, 128), (3, 64), (4, 32)):
        before = (length - 1) // 2  # TensorFlow's "same" puts the odd zero after
        branches.append(convolve(x, at, before, length - 1 - before))
    front = g.op("Concat", *(g.op("ReduceMax", branch, mel_axis, keepdims=0) for branch in branches), axis=1)

    # Middle: three layers, the last two with a residual.
    first = convolve(front, 5, 3, 3)
    second = g.op("Add", convolve(first, 6, 3, 3), first)
    third = g.op("Add", convolve(second, 7, 3, 3), second)
    layers = g.op("Concat", front, first, second, third, axis=1)  # [batch, 753, frames]

    # Back end: largest and mean over time. The checkpoint has them in turns, max 0, mean 0, max 1, …
    width = len(variables["batch_normalization_9/gamma"])
    order = np.concatenate([np.arange(0, width, 2), np.arange(1, width, 2)])
    pooled = g.op("Concat", g.op("ReduceMax", layers, time_axis, keepdims=0),
                  g.op("ReduceMean", layers, time_axis, keepdims=0), axis=1)
    x = normalise(pooled, 9, order)
    x = g.op("Gemm", x, g.f16("dense.weight", variables["dense/kernel"][order]),
             g.f32("dense.bias", variables["dense/bias"]))
    x = normalise(g.op("Relu", x), 10)
    x = g.op("Gemm", x, g.f16("dense_1.weight", variables["dense_1/kernel"]),
             g.f32("dense_1.bias", variables["dense_1/bias"]))
    g.op("Sigmoid", x, name="probabilities")
    return g.model(
        "musicnn", {"log_mel": ["batch", FRAMES, MELS]}, {"probabilities": ["batch", len(variables["dense_1/bias"])]},
        "MTT_musicnn, from log-mel patches to the probabilities of 50 tags of music.",
    )
