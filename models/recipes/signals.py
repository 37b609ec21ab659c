"""Signal processing in NumPy, float64: what the reference implementations of the bundled models share.

It shares no code with the Rust front end, which is tested against it.
"""

import math
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 16_000  # of all bundled models, in Hz
# crates/audio/src/resample.rs
REJECTION_DB = 120.41
PASSBAND_END = 0.91365


def l2(x: np.ndarray) -> np.ndarray:
    """`x` scaled to unit length along the last axis; zeros stay zeros."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # without an overflow


_erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x: np.ndarray) -> np.ndarray:
    """The exact GELU, `x Φ(x)`."""
    return 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0)))


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, epsilon: float) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)
    return centred / scale * weight + bias


def resample(x: np.ndarray, rate: int) -> np.ndarray:
    """The low-pass of soxr's HQ (crates/audio/src/resample.rs), evaluated directly: ceil(n * 16000 / rate) samples."""
    if rate == SAMPLE_RATE:
        return x
    nyquist = min(1.0, SAMPLE_RATE / rate)
    cutoff = nyquist * (1 + PASSBAND_END) / 2
    reach = math.ceil((REJECTION_DB - 7.95) / (2.285 * math.pi * nyquist * (1 - PASSBAND_END)) / 2)
    beta = 0.1102 * (REJECTION_DB - 8.7)
    taps = np.arange(-math.ceil(reach), math.ceil(reach) + 1)
    common = math.gcd(rate, SAMPLE_RATE)
    step, phases = rate // common, SAMPLE_RATE // common

    def kernel(phase: int) -> np.ndarray:
        t = phase / phases - taps
        window = np.i0(beta * np.sqrt(np.maximum(1.0 - (t / reach) ** 2, 0.0))) / np.i0(beta)
        return np.where(np.abs(t) <= reach, cutoff * np.sinc(cutoff * t) * window, 0.0)

    kernels = [kernel(phase) for phase in range(phases)]
    padded = np.pad(x, len(taps))
    out = np.empty(-(-len(x) * SAMPLE_RATE // rate))
    for m in range(len(out)):
        start = m * step // phases + taps[0] + len(taps)
        out[m] = padded[start : start + len(taps)] @ kernels[m * step % phases]
    return out


def mono_at_model_rate(audio: np.ndarray, rate: int) -> np.ndarray:
    """`[samples, channels]` or `[samples]` in -1..1 at `rate` -> `[samples]` at SAMPLE_RATE, float64."""
    mono = audio if audio.ndim == 1 else audio.mean(axis=1)
    return resample(mono.astype(np.float64), rate)


@dataclass(frozen=True)
class Mel:
    """A bank of triangular HTK mel filters over `n_fft // 2 + 1` bins, as `front_end` of a manifest says it."""

    n_fft: int
    bands: int
    f_min: float  # Hz
    f_max: float  # Hz
    straight_in_mel: bool  # the flanks are straight in mel, and the DC bin is left out (tf.signal); else in Hz (torch)

    def bank(self) -> np.ndarray:
        """`[bins, bands]`."""

        def mel(hz):
            return 2595.0 * np.log10(1.0 + np.asarray(hz, np.float64) / 700.0)

        def hz(mels):
            return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)

        bins = np.arange(self.n_fft // 2 + 1) * SAMPLE_RATE / self.n_fft
        edges = np.linspace(mel(self.f_min), mel(self.f_max), self.bands + 2)
        bins, edges = (mel(bins), edges) if self.straight_in_mel else (bins, hz(edges))
        lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
        bins = bins[:, None]
        triangles = np.maximum(0.0, np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)))
        if self.straight_in_mel:
            triangles[0] = 0.0
        return triangles


def spectra(samples: np.ndarray, window_length: int, n_fft: int, hop: int) -> np.ndarray:
    """Magnitudes `[frames, n_fft // 2 + 1]` of frames that begin every `hop` samples, under a periodic Hann window."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_length) / window_length)
    frames = np.lib.stride_tricks.sliding_window_view(samples, window_length)[::hop]
    return np.abs(np.fft.rfft(frames * window, n_fft))
