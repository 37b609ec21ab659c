"""A second, slow implementation of YAMNet and its front end, in NumPy and float64, for the golden fixtures."""

import math

import numpy as np

from signals import Mel, mono_at_model_rate, sigmoid, spectra
from weights import YamNet

WINDOW_SAMPLES = 15_600  # 96 frames: 95 hops of 160 and a window of 400
WINDOW_HOP = 7_680  # 48 frames
LOG_OFFSET = 0.001
BANK = Mel(n_fft=512, bands=64, f_min=125.0, f_max=7500.0, straight_in_mel=True).bank()


def log_mel(samples: np.ndarray) -> np.ndarray:
    """`[frames, 64]`, uncentred: a signal of 15600 samples gives 96 frames."""
    return np.log(spectra(samples, 400, 512, 160) @ BANK + LOG_OFFSET)


def windows(samples: np.ndarray) -> np.ndarray:
    """`[windows, 15600]`: 1 + ceil(max(n - 15600, 0) / 7680) of them, the last filled with zeros."""
    count = 1 + math.ceil(max(len(samples) - WINDOW_SAMPLES, 0) / WINDOW_HOP)
    padded = np.zeros((count - 1) * WINDOW_HOP + WINDOW_SAMPLES)
    padded[: len(samples)] = samples
    return np.stack([padded[i * WINDOW_HOP :][:WINDOW_SAMPLES] for i in range(count)])


def patches(audio: np.ndarray, rate: int) -> np.ndarray:
    """`audio` is `[samples, channels]` or `[samples]` in -1..1; gives `[windows, 96, 64]`."""
    return np.stack([log_mel(w) for w in windows(mono_at_model_rate(audio, rate))])


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
    return sigmoid(features @ net.classifier_weight.astype(np.float64).T + net.classifier_bias)
