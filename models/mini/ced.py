"""CED-tiny: where its weights come from, and what it computes, in NumPy and float64.

CED-tiny is a Vision Transformer of 5.5 M parameters for AudioSet's 527 classes (Dinkel et al., "CED: Consistent
ensemble distillation for audio tagging", arXiv 2308.11957). The crate `soundevents` carries it as ONNX with int8 weights,
one scale a tensor. `Ced` reads them as plain data; no code of the crate is compiled or run. The functions are the
reference that the shipped graph (graphs.py) and the Rust front end are tested against; they share no code with either.
"""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

from packages import Crate, read_crate
from signals import Mel, gelu, layer_norm, mono_at_model_rate, sigmoid, softmax, spectra

GRAPH = Crate("soundevents", "0.2.0", "d142fb0c33244af60638515a327863f70e6409d212dd3f88da08c262d1bf305c",
              {"models/tiny.onnx": "3890f227660be71886ff48633d11a731993e0206db8a486781412c28a0873435"})
LABELS = Crate("soundevents-dataset", "0.2.0", "9a6ba90e7b0d97f15dbb178566689e8b22494a4b6d02426311f4683c0dda4f2c",
               {"assets/class_labels_indices.csv": "cdd1049833c4b86127c2773ac0d14a2754b6a6d0d1798002ed5c66e699708429"})

# Front end, as the graph in the crate has it (torchaudio's MelSpectrogram): the package's own int8 Hann window and
# filter bank, whose rounding leaks a tone into all bands at -64 dB, are replaced by exact ones.
N_FFT = 512
HOP = 160
BANK = Mel(n_fft=N_FFT, bands=64, f_min=0.0, f_max=8000.0, straight_in_mel=False).bank()
POWER_FLOOR = 1e-10

WIDTH = 192
LAYERS = 12
HEADS = 3
PATCH = 16  # frames and bands of a patch
BLOCK_EPS = 1e-6
HEAD_EPS = 1e-5  # of the batch norm over bands and of the head's layer norm


class Quantised(NamedTuple):
    """An int8 matrix and its scale."""

    values: np.ndarray
    scale: np.float32

    def widened(self) -> np.ndarray:
        return self.values.astype(np.float64) * np.float64(self.scale)


class Ced:
    """The weights: `matrices` as int8 with a scale, `small` as float64, by short names such as `3.fc1.weight`."""

    def __init__(self, packages: Path | None = None):
        """`packages`: a folder that holds the crate; None fetches it with cargo."""
        graph = onnx.load_from_string(read_crate(GRAPH, packages)["models/tiny.onnx"]).graph
        floats = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        dequantised = {n.output[0]: n for n in graph.node if n.op_type == "DequantizeLinear"}

        def quantised(name: str) -> Quantised:
            node = dequantised[name]
            if floats[node.input[2]] != 0:
                raise SystemExit(f"{name}: expected the zero point 0")
            return Quantised(floats[node.input[0]], np.float32(floats[node.input[1]]))

        def small(name: str) -> np.ndarray:
            return floats[name].astype(np.float64) if name in floats else quantised(name + "_dq").widened()

        products = [n.input[1] for n in graph.node if n.op_type == "MatMul" and n.input[1] in dequantised
                    and not n.input[1].startswith("mel_transform")]
        if len(products) != 4 * LAYERS:
            raise SystemExit(f"CED-tiny's graph has {len(products)} products with weights, expected {4 * LAYERS}")
        self.matrices: dict[str, Quantised] = {}
        self.small: dict[str, np.ndarray] = {}
        for layer in range(LAYERS):
            at = f"model.encoder.blocks.{layer}."
            for part, product in zip(["qkv", "proj", "fc1", "fc2"], products[4 * layer:]):
                self.matrices[f"{layer}.{part}.weight"] = quantised(product)  # [in, out]
            for part, place in {"qkv": "attn.qkv", "proj": "attn.proj", "fc1": "mlp.fc1", "fc2": "mlp.fc2"}.items():
                self.small[f"{layer}.{part}.bias"] = small(f"{at}{place}.bias")
            for norm in ("norm1", "norm2"):
                for kind in ("weight", "bias"):
                    self.small[f"{layer}.{norm}.{kind}"] = small(f"{at}{norm}.{kind}")
        for kind in ("weight", "bias"):
            self.small[f"norm.{kind}"] = small(f"model.encoder.norm.{kind}")
            self.small[f"head.norm.{kind}"] = small(f"model.outputlayer.0.{kind}")
        self.matrices["head.weight"] = quantised("model.outputlayer.1.weight_dq")  # [527, 192]
        self.matrices["patch.weight"] = quantised("model.encoder.patch_embed.proj.weight_dq")  # [192, 1, 16, 16]
        self.small["head.bias"] = small("model.outputlayer.1.bias")
        self.small["patch.bias"] = small("model.encoder.patch_embed.proj.bias")
        self.small["time"] = small("model.encoder.time_pos_embed")  # [1, 192, 1, 63]
        self.small["frequency"] = quantised("alias_dq").widened()  # [1, 192, 4, 1]
        norm = {kind: small(f"model.encoder.init_bn.{kind}")
                for kind in ("weight", "bias", "running_mean", "running_var")}
        self.small["bands.weight"] = norm["weight"] / np.sqrt(norm["running_var"] + HEAD_EPS)
        self.small["bands.bias"] = norm["bias"] - norm["running_mean"] * self.small["bands.weight"]

    def matrix(self, name: str) -> np.ndarray:
        return self.matrices[name].widened()


def class_names(packages: Path | None = None) -> list[str]:
    """AudioSet's 527 display names in the order of the outputs."""
    text = read_crate(LABELS, packages)["assets/class_labels_indices.csv"].decode()
    return [row["display_name"] for row in csv.DictReader(io.StringIO(text))]


def log_mel(samples: np.ndarray) -> np.ndarray:
    """`[samples]` at 16 kHz -> decibels `[1 + samples // 160, 64]`; frames are centred, the ends mirrored."""
    padded = np.pad(samples, N_FFT // 2, mode="reflect")
    power = spectra(padded, N_FFT, N_FFT, HOP) ** 2 @ BANK
    return 10.0 * np.log10(np.maximum(power, POWER_FLOOR))


def windows(audio: np.ndarray, rate: int, length: int) -> np.ndarray:
    """`[windows, length]` at 16 kHz without overlap: the last ends with the sound; a short sound is repeated."""
    samples = mono_at_model_rate(audio, rate)
    if len(samples) <= length:
        return np.resize(samples, length)[None]
    starts = [min(start, len(samples) - length) for start in range(0, len(samples), length)]
    return np.stack([samples[start : start + length] for start in starts])


def encode(ced: Ced, mel: np.ndarray) -> np.ndarray:
    """Decibels `[frames, 64]` -> the embedding `[192]` that CED's head reads."""
    x = mel * ced.small["bands.weight"] + ced.small["bands.bias"]
    steps = len(x) // PATCH
    # [frequency, time] patches, each [band, frame] as the convolution sees it.
    patches = x[: steps * PATCH].reshape(steps, PATCH, 4, PATCH).transpose(2, 0, 3, 1).reshape(4 * steps, PATCH * PATCH)
    x = patches @ ced.matrix("patch.weight").reshape(WIDTH, -1).T + ced.small["patch.bias"]
    place = ced.small["time"][0, :, :, :steps] + ced.small["frequency"][0]
    x = x + place.reshape(WIDTH, -1).T

    def norm(x: np.ndarray, name: str, epsilon: float) -> np.ndarray:
        return layer_norm(x, ced.small[name + ".weight"], ced.small[name + ".bias"], epsilon)

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ ced.matrix(name + ".weight") + ced.small[name + ".bias"]

    for layer in range(LAYERS):
        qkv = dense(norm(x, f"{layer}.norm1", BLOCK_EPS), f"{layer}.qkv")
        q, k, v = qkv.reshape(len(x), 3, HEADS, -1).transpose(1, 2, 0, 3)
        mixed = softmax(q @ k.swapaxes(1, 2) / np.sqrt(WIDTH // HEADS)) @ v
        x = x + dense(mixed.swapaxes(0, 1).reshape(len(x), WIDTH), f"{layer}.proj")
        x = x + dense(gelu(dense(norm(x, f"{layer}.norm2", BLOCK_EPS), f"{layer}.fc1")), f"{layer}.fc2")
    return norm(norm(x, "norm", BLOCK_EPS).mean(axis=0), "head.norm", HEAD_EPS)


def probabilities(ced: Ced, embedding: np.ndarray) -> np.ndarray:
    """`[..., 192]` -> probabilities of the classes `[..., 527]`."""
    return sigmoid(embedding @ ced.matrix("head.weight").T + ced.small["head.bias"])
