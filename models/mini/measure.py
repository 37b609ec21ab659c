"""Measures the committed model on a folder of labelled sounds: the tables of the model card.

    python models/mini/measure.py labels.csv

The CSV has the columns `file` (relative to it) and `label`, or `labels` separated by `;` of which
the first counts. Needs ffmpeg to decode. Not part of the build, and nothing is fitted here.
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "recipes"))

import reference
from reference import l2

PROMPTS = {
    "{}": ["{}"],
    "the sound of {}": ["the sound of {}"],
    "a recording of {}": ["a recording of {}"],
    "this is a sound of {}": ["this is a sound of {}"],
    "mean of the four": ["{}", "the sound of {}", "a recording of {}", "this is a sound of {}"],
}
POOLINGS = {
    "mean p, sqrt (as shipped)": lambda p: np.sqrt(p.mean(axis=0)),
    "max p, sqrt": lambda p: np.sqrt(p.max(axis=0)),
    "mean of the top 3, sqrt": lambda p: np.sqrt(np.sort(p, axis=0)[-3:].mean(axis=0)),
    "weighted by each window's highest p, sqrt":
        lambda p: np.sqrt((p * p.max(axis=1, keepdims=True)).mean(axis=0)),
    "sqrt, then mean": lambda p: np.sqrt(p).mean(axis=0),
    "mean p, no sqrt": lambda p: p.mean(axis=0),
}


class Mini:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.audio = onnxruntime.InferenceSession(HERE / "audio.onnx", options)
        self.text = onnxruntime.InferenceSession(HERE / "text.onnx", options)
        self.tokenizer = Tokenizer.from_file(str(HERE / "tokenizer.json"))

    def probabilities(self, path: Path) -> np.ndarray:
        decoded = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", str(path), "-ac", "1", "-ar", "16000", "-f", "f32le", "-"],
            check=True, capture_output=True).stdout
        patches = reference.patches(np.frombuffer(decoded, np.float32), reference.SAMPLE_RATE)
        return self.audio.run(None, {"log_mel": patches.astype(np.float32)})[0].astype(np.float64)

    def embed(self, text: str) -> np.ndarray:
        ids = np.array([self.tokenizer.encode(text).ids[:128]], np.int64)
        return self.text.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]


def scores(clips: np.ndarray, texts: np.ndarray, truth: np.ndarray) -> str:
    """Classification, text search and example search, as one row of a table."""
    cosines = clips @ texts.T
    top1 = (cosines.argmax(axis=1) == truth).mean()
    average_precision, precision10 = [], []
    for label in range(len(texts)):
        hits = truth[np.argsort(-cosines[:, label], kind="stable")] == label
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        average_precision.append(precision[hits].mean())
        precision10.append(hits[:10].mean())
    alike = clips @ clips.T
    np.fill_diagonal(alike, -np.inf)
    examples = np.mean([(truth[np.argsort(-row)[:5]] == own).mean() for row, own in zip(alike, truth)])
    return (f"| {top1:.3f} | {np.mean(average_precision):.3f} | {np.mean(precision10):.3f} "
            f"| {examples:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    table = parser.parse_args().csv
    with open(table, encoding="utf-8", newline="") as file:
        rows = [(r["file"], r.get("label") or r["labels"].split(";")[0]) for r in csv.DictReader(file)]
    model = Mini()
    windows = [model.probabilities(table.parent / file) for file, _ in rows]
    labels = sorted({label for _, label in rows})
    truth = np.array([labels.index(label) for _, label in rows])
    print(f"{len(rows)} clips, {len(labels)} labels\n\n| | top-1 | mAP | precision@10 | examples, precision@5 |")
    print("| --- | --- | --- | --- | --- |")
    pool = POOLINGS["mean p, sqrt (as shipped)"]
    clips = l2(np.stack([pool(p) for p in windows]))
    for name, templates in PROMPTS.items():
        texts = l2(sum(np.stack([model.embed(t.format(label)) for label in labels]) for t in templates))
        print(f"| prompt: {name} {scores(clips, texts, truth)}")
    texts = np.stack([model.embed(label) for label in labels])
    for name, pool in POOLINGS.items():
        print(f"| pooling: {name} {scores(l2(np.stack([pool(p) for p in windows])), texts, truth)}")


if __name__ == "__main__":
    sys.exit(main())
