"""Measures the committed model: the tables of the model card.

    python models/mini/measure.py labels.csv         # labelled sounds
    python models/mini/measure.py --paraphrases      # phrases that the text side was not trained on
    python models/mini/measure.py --queries FOLDER   # sonic-pi-queries.tsv on Debian's sonic-pi-samples

The CSV has the columns `file` (relative to it) and `label`, or `labels` separated by `;` of which
the first counts. Needs ffmpeg to decode. Not part of the build, and nothing is fitted here.
"""

import argparse
import csv
import fnmatch
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "recipes"))

import ced
from signals import SAMPLE_RATE, l2
from text_head import read_paraphrases

PROMPTS = {
    "{}": ["{}"],
    "the sound of {}": ["the sound of {}"],
    "a recording of {}": ["a recording of {}"],
    "this is a sound of {}": ["this is a sound of {}"],
    "mean of the four": ["{}", "the sound of {}", "a recording of {}", "this is a sound of {}"],
}
SEGMENT = 80_000  # `window.length_samples` of the manifest


class Mini:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.audio = onnxruntime.InferenceSession(HERE / "audio.onnx", options)
        self.text = onnxruntime.InferenceSession(HERE / "text.onnx", options)
        self.tokenizer = Tokenizer.from_file(str(HERE / "tokenizer.json"))

    def hear(self, path: Path) -> np.ndarray:
        """The file's embedding: the mean of its segments."""
        decoded = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", str(path), "-ac", "1", "-ar", "16000", "-f", "f32le", "-"],
            check=True, capture_output=True).stdout
        samples = np.frombuffer(decoded, np.float32)
        mel = np.stack([ced.log_mel(window) for window in ced.windows(samples, SAMPLE_RATE, SEGMENT)])
        rows = [self.audio.run(["row"], {"log_mel": one[None].astype(np.float32)})[0][0] for one in mel]
        return l2(np.mean(rows, axis=0, dtype=np.float64))

    def embed(self, text: str, output: str = "embedding") -> np.ndarray:
        ids = np.array([self.tokenizer.encode(text).ids[:128]], np.int64)
        return self.text.run([output], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]


def scores(clips: np.ndarray, texts: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> str:
    """Classification, text search and example search, as one row of a table."""
    cosines = clips @ texts.T
    top1 = (cosines.argmax(axis=1) == truth).mean()
    average_precision, precision10 = [], []
    found = clips @ queries.T
    for label in range(len(texts)):
        hits = truth[np.argsort(-found[:, label], kind="stable")] == label
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        average_precision.append(precision[hits].mean())
        precision10.append(hits[:10].mean())
    alike = clips @ clips.T
    np.fill_diagonal(alike, -np.inf)
    examples = np.mean([(truth[np.argsort(-row)[:5]] == own).mean() for row, own in zip(alike, truth)])
    return (f"| {top1:.3f} | {np.mean(average_precision):.3f} | {np.mean(precision10):.3f} "
            f"| {examples:.3f} |")


def labelled_sounds(model: Mini, table: Path) -> None:
    with open(table, encoding="utf-8", newline="") as file:
        rows = [(r["file"], r.get("label") or r["labels"].split(";")[0]) for r in csv.DictReader(file)]
    clips = np.stack([model.hear(table.parent / file) for file, _ in rows])
    labels = sorted({label for _, label in rows})
    truth = np.array([labels.index(label) for _, label in rows])
    print(f"{len(rows)} clips, {len(labels)} labels\n\n| | top-1 | mAP | precision@10 | examples, precision@5 |")
    print("| --- | --- | --- | --- | --- |")
    for name, templates in PROMPTS.items():
        texts, queries = (
            l2(sum(np.stack([model.embed(t.format(label), output) for label in labels]) for t in templates))
            for output in ("embedding", "query"))
        print(f"| {name} {scores(clips, texts, queries, truth)}")


def paraphrases(model: Mini) -> None:
    """How often the class with the largest component is the one that a held-out phrase was written for."""
    with open(HERE / "classes.tsv", encoding="utf-8", newline="") as file:
        axes = [r["axis"] for r in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    held_out = [p for p in read_paraphrases(axes) if p.held_out]
    best = [np.argsort(-model.embed(p.phrase)[: len(axes)], kind="stable")[:5] for p in held_out]
    for kind in sorted({p.kind for p in held_out}):
        rows = [(p.index, row) for p, row in zip(held_out, best) if p.kind == kind]
        top1, top5 = (np.mean([index in row[:n] for index, row in rows]) for n in (1, 5))
        print(f"{len(rows)} {kind} phrases: top-1 {top1:.3f}, top-5 {top5:.3f}")


def queries(model: Mini, folder: Path) -> None:
    """Precision among the first five, or among as many as are relevant where those are fewer."""
    files = sorted(folder.glob("*.flac"))
    clips = np.stack([model.hear(file) for file in files])
    with open(HERE / "sonic-pi-queries.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    precisions = []
    for row in rows:
        patterns = row["relevant"].split("; ")
        relevant = np.array([any(fnmatch.fnmatch(f.stem, p) for p in patterns) for f in files])
        first = np.argsort(-(clips @ model.embed(row["query"], "query")), kind="stable")[:5]
        precisions.append(relevant[first].sum() / min(5, relevant.sum()))
        print(f"{precisions[-1]:.2f}  {row['query']}")
    print(f"mean of {len(rows)}: {np.mean(precisions):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path, nargs="?")
    parser.add_argument("--paraphrases", action="store_true")
    parser.add_argument("--queries", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    model = Mini()
    if args.csv:
        labelled_sounds(model, args.csv)
    if args.paraphrases:
        paraphrases(model)
    if args.queries:
        queries(model, args.queries)


if __name__ == "__main__":
    sys.exit(main())
