"""Trains the last layer of the text side: from MiniLM's sentence vector to the 521 classes.

A multinomial logistic regression in float64 on paraphrases.tsv and on the names and descriptions of classes.tsv,
held near the anchors, which are what it starts from. The loss is convex and everything runs in a fixed order, so
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
PULL = 0.003  # of the squared distance from the anchors
BIAS_PULL = 1.0
STEPS = 60
MEMORY = 10


class Paraphrase(NamedTuple):
    index: int  # of the class
    phrase: str
    kind: str  # "plain", as people search and caption, or "allusive", as a quiz would put it
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


def train(sentences: np.ndarray, labels: np.ndarray, anchors: np.ndarray, offsets: np.ndarray,
          unknown: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors `[texts, 384]` and their classes -> weights `[521, 384]` and biases `[521]`, rounded to float16.

    They take the place of `anchors` and `offsets`, where they start. Class `unknown` stays as it is: no direction,
    the same logit for every text.
    """
    shape, size = anchors.shape, anchors.size
    chosen = (np.arange(len(labels)), labels)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, biases = flat[:size].reshape(shape), flat[size:]
        logits = (sentences @ weights.T + biases) / TRAINING_TEMPERATURE
        logits -= logits.max(axis=1, keepdims=True)
        error = np.exp(logits)
        total = error.sum(axis=1, keepdims=True)
        value = (np.log(total[:, 0]) - logits[chosen]).mean()
        error /= total
        error[chosen] -= 1.0
        error[:, unknown] = 0.0
        error /= len(labels) * TRAINING_TEMPERATURE
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
