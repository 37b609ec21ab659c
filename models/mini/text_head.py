"""Trains the last layer of the text side: from MiniLM's sentence vector to the 527 classes.

A multinomial logistic regression in float64 on paraphrases.tsv, on the names and descriptions of classes.tsv, and on
concepts.txt, whose phrases are about several classes at once; held near the anchors, which are what it starts from. The loss is convex and everything runs in a fixed order, so
the result, once rounded to float16, is the same on every machine.

Not here: where sentence vectors come from (reference.py) and what becomes of the logits (reference.embed_text).
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
HELD_OUT = 3  # every third paraphrase of each class and kind is never trained on
# Softer than the softmax the model runs with: a sharper one learns its few phrases by heart.
TRAINING_TEMPERATURE = 0.06
PULL = 0.0015  # of the squared distance from the anchors
BIAS_PULL = 1.0
CONCEPT_WEIGHTS = [1.0, 0.5, 0.4, 0.3, 0.25, 0.2, 0.2, 0.2]  # of the first, second, … class that a phrase is about
STEPS = 60
MEMORY = 10


class Paraphrase(NamedTuple):
    index: int  # of the class
    phrase: str
    kind: str  # "plain", as people search and caption; "allusive", as a quiz would put it; "added", of the six new classes
    held_out: bool


def read_paraphrases(axes: list[str]) -> list[Paraphrase]:
    """paraphrases.tsv; refused unless it fits the classes."""
    with open(HERE / "paraphrases.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    wrong = [r["phrase"] for r in rows if axes[int(r["index"])] != r["axis"] or not r["phrase"]]
    if wrong or len({r["phrase"].lower() for r in rows}) != len(rows):
        raise SystemExit(f"paraphrases.tsv: {wrong or 'a phrase'} under another axis, or used twice")
    seen: dict[tuple[str, str], int] = {}
    paraphrases = []
    for r in rows:
        place = (r["index"], r["kind"])
        seen[place] = seen.get(place, 0) + 1
        held_out = seen[place] % HELD_OUT == 0
        paraphrases.append(Paraphrase(int(r["index"]), r["phrase"], r["kind"], held_out))
    return paraphrases


def read_concepts(axes: list[str]) -> list[tuple[str, np.ndarray]]:
    """concepts.txt: phrases, each with what it is about, `[527]`, which sums to 1."""
    index = {axis: i for i, axis in enumerate(axes)}
    concepts = []
    for line in (HERE / "concepts.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        phrases, about = line.split("=")
        target = np.zeros(len(axes))
        for place, part in enumerate(about.split(",")):
            axis, _, weight = (piece.strip() for piece in part.partition(":"))
            if axis not in index:
                raise SystemExit(f"concepts.txt: {axis!r} is not an axis, in {line!r}")
            weight = float(weight) if weight else CONCEPT_WEIGHTS[place]
            target[index[axis]] = max(target[index[axis]], weight)
        concepts += [(phrase.strip(), target / target.sum()) for phrase in phrases.split(";") if phrase.strip()]
    return concepts


def train(sentences: np.ndarray, targets: np.ndarray, anchors: np.ndarray, offsets: np.ndarray,
          unknown: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors `[texts, 384]` and what they are about, `[texts, 527]` -> weights `[527, 384]` and biases `[527]`,
    rounded to float16.

    They take the place of `anchors` and `offsets`, where they start. Class `unknown` stays as it is: no direction,
    the same logit for every text.
    """
    shape, size = anchors.shape, anchors.size
    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, biases = flat[:size].reshape(shape), flat[size:]
        logits = (sentences @ weights.T + biases) / TRAINING_TEMPERATURE
        logits -= logits.max(axis=1, keepdims=True)
        error = np.exp(logits)
        total = error.sum(axis=1, keepdims=True)
        value = (np.log(total[:, 0]) - (targets * logits).sum(axis=1)).mean()
        error = error / total - targets
        error[:, unknown] = 0.0
        error /= len(targets) * TRAINING_TEMPERATURE
        away, shifted = weights - anchors, biases - offsets
        value += PULL * (away**2).sum() + BIAS_PULL * (shifted**2).sum()
        slope = [(error.T @ sentences + 2.0 * PULL * away).ravel(),
                 error.sum(axis=0) + 2.0 * BIAS_PULL * shifted]
        return value, np.concatenate(slope)

    best = _minimise(loss, np.concatenate([anchors.ravel(), offsets])).astype(np.float16).astype(np.float64)
    return best[:size].reshape(shape), best[size:]


def _minimise(loss, x: np.ndarray) -> np.ndarray:
    """L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.5) with halved steps, STEPS times."""
    moves, turns = [], []
    value, slope = loss(x)
    for _ in range(STEPS):
        direction, parts = slope.copy(), []
        for move, turn in zip(reversed(moves), reversed(turns)):
            part = (move @ direction) / (move @ turn)
            direction -= part * turn
            parts.append(part)
        if moves:
            direction *= (moves[-1] @ turns[-1]) / (turns[-1] @ turns[-1])
        for move, turn, part in zip(moves, turns, reversed(parts)):
            direction += (part - (turn @ direction) / (move @ turn)) * move
        step = 1.0
        while True:
            new = x - step * direction
            new_value, new_slope = loss(new)
            if new_value <= value - 1e-4 * step * (slope @ direction) or step < 1e-6:
                break
            step /= 2.0
        if (new - x) @ (new_slope - slope) > 0.0:
            moves, turns = [*moves, new - x][-MEMORY:], [*turns, new_slope - slope][-MEMORY:]
        x, value, slope = new, new_value, new_slope
    return x
