"""A second, slow implementation of everything the shipped graphs and the Rust front end do.

NumPy in float64, so that what it computes is the same on every machine after rounding to float32.
The recipe makes the text side's last layer with it, and the golden fixtures; ONNX Runtime takes no part in either.
"""

import math

import numpy as np

from sources import Tensors, YamNet

SAMPLE_RATE = 16_000
N_FFT = 512
WIN_LENGTH = 400
HOP_LENGTH = 160
N_MELS = 64
F_MIN, F_MAX = 125.0, 7500.0
LOG_OFFSET = 0.001
WINDOW_SAMPLES = 15_600  # 96 frames: 95 hops of 160 and a window of 400
WINDOW_HOP = 7_680  # 48 frames
FRAMES = 96

# A silent window, often only the padding of the last one, says little about what a clip is: it counts
# for a twentieth in the mean over windows. Not for nothing, or a silent clip would have no direction.
SILENCE_DISCOUNT = 0.95

# The share of the timbre axes in the squared length of a window's row; the classes have the rest.
TIMBRE_SHARE = 0.8
# Added to the trunk's features before the root, whose slope at 0 would magnify rounding.
FEATURE_OFFSET = 0.001

LAYERS = 6
HEADS = 12
LAYER_NORM_EPS = 1e-12


def l2(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# --- audio front end -------------------------------------------------------------------------


def resample(x: np.ndarray, rate: int) -> np.ndarray:
    """A Kaiser-windowed sinc of 256 zero crossings, evaluated directly: ceil(n * 16000 / rate) samples."""
    if rate == SAMPLE_RATE:
        return x
    cutoff = 0.97 * min(1.0, SAMPLE_RATE / rate)
    reach = 256 / cutoff
    taps = np.arange(-math.ceil(reach), math.ceil(reach) + 1)
    common = math.gcd(rate, SAMPLE_RATE)
    step, phases = rate // common, SAMPLE_RATE // common

    def kernel(phase: int) -> np.ndarray:
        t = phase / phases - taps
        window = np.i0(14.0 * np.sqrt(np.maximum(1.0 - (t / reach) ** 2, 0.0))) / np.i0(14.0)
        return np.where(np.abs(t) <= reach, cutoff * np.sinc(cutoff * t) * window, 0.0)

    kernels = [kernel(phase) for phase in range(phases)]
    padded = np.pad(x, len(taps))
    out = np.empty(-(-len(x) * SAMPLE_RATE // rate))
    for m in range(len(out)):
        start = m * step // phases + taps[0] + len(taps)
        out[m] = padded[start : start + len(taps)] @ kernels[m * step % phases]
    return out


def mel_filterbank() -> np.ndarray:
    """`[257, 64]`: triangles that are straight in mel, and nothing in the DC bin (tf.signal)."""

    def mel(hz):
        return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)

    bins = mel(np.arange(N_FFT // 2 + 1) * SAMPLE_RATE / N_FFT)[:, None]
    edges = np.linspace(mel(F_MIN), mel(F_MAX), N_MELS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.maximum(
        0.0, np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
    )
    triangles[0] = 0.0
    return triangles


def log_mel(samples: np.ndarray) -> np.ndarray:
    """`[frames, 64]`, uncentred: a signal of 15600 samples gives 96 frames."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIN_LENGTH) / WIN_LENGTH)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WIN_LENGTH)[::HOP_LENGTH]
    magnitude = np.abs(np.fft.rfft(frames * window, N_FFT))
    return np.log(magnitude @ mel_filterbank() + LOG_OFFSET)


def windows(samples: np.ndarray) -> np.ndarray:
    """`[windows, 15600]`: 1 + ceil(max(n - 15600, 0) / 7680) of them, the last filled with zeros."""
    count = 1 + math.ceil(max(len(samples) - WINDOW_SAMPLES, 0) / WINDOW_HOP)
    padded = np.zeros((count - 1) * WINDOW_HOP + WINDOW_SAMPLES)
    padded[: len(samples)] = samples
    return np.stack([padded[i * WINDOW_HOP :][:WINDOW_SAMPLES] for i in range(count)])


def patches(audio: np.ndarray, rate: int) -> np.ndarray:
    """`audio` is `[samples, channels]` or `[samples]` in -1..1; gives `[windows, 96, 64]`."""
    mono = audio if audio.ndim == 1 else audio.mean(axis=1)
    return np.stack([log_mel(w) for w in windows(resample(mono.astype(np.float64), rate))])


# --- YAMNet ----------------------------------------------------------------------------------


def trunk(net: YamNet, batch: np.ndarray) -> np.ndarray:
    """`[batch, 96, 64]` -> YAMNet's inner features `[batch, 1024]`, none below 0."""
    x = batch.astype(np.float64)[:, None]
    for weight, bias, stride, (top, left, bottom, right), _groups in net.convs:
        weight = weight.astype(np.float64)
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
        kernel = weight.shape[2]
        if kernel == 1:
            x = np.einsum("bchw,oc->bohw", x, weight[:, :, 0, 0], optimize=True)
        else:
            high = (x.shape[2] - kernel) // stride + 1
            wide = (x.shape[3] - kernel) // stride + 1
            y = 0.0
            for i in range(kernel):
                for j in range(kernel):
                    part = x[:, :, i : i + high * stride : stride, j : j + wide * stride : stride]
                    # Depthwise, or the first layer's single input channel: no sum over channels.
                    y = y + part[:, :, :high, :wide] * weight[:, 0, i, j][:, None, None]
            x = y
        x = np.maximum(x + bias.astype(np.float64)[:, None, None], 0.0)
    return x.mean(axis=(2, 3))


def probabilities(net: YamNet, features: np.ndarray) -> np.ndarray:
    """What `trunk` gives -> YAMNet's own probabilities `[batch, 521]`."""
    logits = features @ net.classifier_weight.astype(np.float64).T + net.classifier_bias
    return 0.5 * (1.0 + np.tanh(0.5 * logits))  # the sigmoid, without an overflow


def loudness(scores: np.ndarray, silence: int) -> np.ndarray:
    """`[windows, 1]`: what each window counts for in a clip."""
    return 1.0 - SILENCE_DISCOUNT * scores[:, silence : silence + 1]


def window_rows(scores: np.ndarray, features: np.ndarray, silence: int, gains: np.ndarray,
                timbre: np.ndarray) -> np.ndarray:
    """Windows' probabilities `[windows, 521]` and features `[windows, 1024]` -> rows `[windows, 521 + axes]`.

    `gains` `[521]` say what an amplitude of each class is worth; `timbre` `[1 + axes, 1024]` is a mean and what the
    features less the mean are multiplied with.
    """
    amplitudes = np.sqrt(scores) * gains * loudness(scores, silence)
    likeness = (np.sqrt(features + FEATURE_OFFSET) - timbre[0]) @ timbre[1:].T
    length = np.linalg.norm(amplitudes, axis=1, keepdims=True)
    return np.concatenate([np.sqrt(1.0 - TIMBRE_SHARE) * amplitudes,
                           np.sqrt(TIMBRE_SHARE) * length * l2(likeness)], axis=1)


def embed_rows(rows: np.ndarray) -> np.ndarray:
    """Windows' rows -> one clip's embedding."""
    return l2(rows.mean(axis=0))


# --- MiniLM ----------------------------------------------------------------------------------


def _layer_norm(x, weights: Tensors, name: str):
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + LAYER_NORM_EPS)
    return centred / scale * weights[name + ".weight"] + weights[name + ".bias"]


_erf = np.vectorize(math.erf, otypes=[np.float64])


def minilm(weights: Tensors, ids: list[int]) -> np.ndarray:
    """One text's token ids -> its unit sentence vector `[384]`. `weights` should be float64."""

    def dense(x, name):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    x = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = _layer_norm(x, weights, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            dense(x, f"{at}attention.self.{part}").reshape(len(ids), HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        mixed = softmax(query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])) @ value
        mixed = mixed.swapaxes(0, 1).reshape(len(ids), -1)
        x = _layer_norm(x + dense(mixed, at + "attention.output.dense"), weights,
                        at + "attention.output.LayerNorm")
        inner = dense(x, at + "intermediate.dense")
        inner = 0.5 * inner * (1.0 + _erf(inner / math.sqrt(2.0)))
        x = _layer_norm(x + dense(inner, at + "output.dense"), weights, at + "output.LayerNorm")
    return l2(x.mean(axis=0))


def embed_text(sentence: np.ndarray, weights: np.ndarray, biases: np.ndarray, temperature: float,
               spread: np.ndarray) -> np.ndarray:
    """A unit sentence vector, `weights` `[classes, 384]` and `biases` whose sum is nearly a cosine, and who is a
    kind of whom, `[classes, dim]` -> the shared space `[dim]`."""
    return l2(softmax((sentence @ weights.T + biases) / temperature) @ spread)
