"""The joint space of mini: 527 axes of named classes, then 96 of timbre, and how sounds and texts come into it.

Everything here is NumPy in float64. The recipe makes the constants of the shipped graphs with it, and the golden fixtures.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ced import Ced
from minilm import Int8Rows
from signals import l2, softmax

HERE = Path(__file__).resolve().parent

CLASS_SHARE = 0.5  # of the squared length of a sound's vector, and of a text's; the axes of timbre have the rest
PRIOR_POWER = 0.2  # how far a class's amplitude is divided by its prior
LEAST_PRIOR = 1e-3  # a class that the free audio hardly has counts as this likely
TEMPERATURE = 0.05  # of the softmax over concepts
NAME_OFFSETS = (-0.2, -0.1)  # on the cosine with a name, where it competes with classes for the two blocks
INSTRUMENT_OFFSET = 0.1  # in addition, if the name is that of a General MIDI instrument, so it is certain
SPREAD_SHARE = 0.2  # of a concept's class block: what its classes imply, without what was heard
SPREAD_WEIGHT = 3.0  # of a class's own spread, beside one for each name that was heard
PRIOR_CLIPS = 0.3  # a name's own sound counts for n / (n + this) of n clips, its classes' for the rest
# The linear part: ridge on both sides as a share of the mean variance, and its length beside a text's timbre block.
RIDGE_SOUND, RIDGE_TEXT = 1.0, 1.0
LINEAR_LENGTH = 0.42
# How a search reads a text's vector. Chosen among 0.1 to 0.5 and 0.2 to 1 on benches/searches/searches-dev.csv.
QUERY_CLASS_SHARE = 0.2  # of the squared length of a query, in place of CLASS_SHARE
QUERY_POWER = 0.25  # 0.5 would whiten
QUERY_RIDGE = 1.0  # as a share of the mean variance


@dataclass(frozen=True)
class Heard:
    """What was learned from free audio (free_audio.py): statistics, no sound."""

    prior: np.ndarray  # [527]: mean probability of each class
    mean: np.ndarray  # [192]: of CED's embedding
    projection: np.ndarray  # [192, 96]: directions of timbre
    names: list[str]  # of labelled clips
    clips: np.ndarray  # [names]: how many clips have the name
    name_rows: np.ndarray  # [names, 527 + 96]: mean of their vectors
    instruments: np.ndarray  # [names], bool: heard from several General MIDI sound fonts
    timbre_covariance: np.ndarray  # [96, 96]: of the labelled clips' timbre blocks, each name weighing the same


def read_heard() -> Heard:
    with np.load(HERE / "heard.npz") as file:
        names = (HERE / "names.txt").read_text(encoding="utf-8").splitlines()
        rows = file["name_rows"].astype(np.float64) * file["name_scales"].astype(np.float64)[:, None]
        if len(names) != len(rows):
            raise SystemExit(f"names.txt has {len(names)} names, heard.npz {len(rows)} rows")
        return Heard(file["prior"].astype(np.float64), file["mean"].astype(np.float64),
                     file["projection"].astype(np.float64), names, file["clips"].astype(np.float64), rows,
                     file["instruments"], file["timbre_covariance"].astype(np.float64))


@dataclass(frozen=True)
class SoundSpace:
    """From CED's two outputs to a sound's unit vector."""

    gains: np.ndarray  # [527]: what an amplitude of each class is worth; 0 for the class that is never heard
    mean: np.ndarray  # [192]
    projection: np.ndarray  # [192, 96]

    def rows(self, scores: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """`[..., 527]` probabilities and `[..., 192]` embeddings -> `[..., 623]`, unit length."""
        return joined(l2(np.sqrt(scores) * self.gains), l2((embeddings - self.mean) @ self.projection))


def joined(classes: np.ndarray, timbre: np.ndarray, class_share: float = CLASS_SHARE) -> np.ndarray:
    """Two unit blocks as one unit vector."""
    return np.concatenate([np.sqrt(class_share) * classes, np.sqrt(1.0 - class_share) * timbre], axis=-1)


def sound_space(heard: Heard, never: int) -> SoundSpace:
    """`never`: the class that takes the place of "No known sound" and is never heard."""
    gains = np.maximum(heard.prior, LEAST_PRIOR) ** -PRIOR_POWER
    gains /= np.exp(np.log(gains).mean())
    gains[never] = 0.0
    return SoundSpace(gains, heard.mean, heard.projection)


@dataclass(frozen=True)
class TextSpace:
    """From a unit sentence vector `s [384]` to a text's unit vector.

    A concept is a class or a name. `closeness = [s · weights + biases, s · keys]` says how near each is; two softmaxes
    over concepts, in which names have an offset, mix the rows of `classes` and of `timbre`; `linear` adds to the timbre block what
    the text says beyond its concepts, such as "heavy"; and what all sounds have in common, `common`, is taken out.
    """

    weights: np.ndarray  # [527, 384], trained (text_head.py)
    biases: np.ndarray  # [527]
    keys: Int8Rows  # [names, 384]
    instruments: np.ndarray  # [names], bool
    classes: Int8Rows  # [527 + names, 527]
    timbre: Int8Rows  # [527 + names, 96]
    linear: np.ndarray  # [384, 96]
    linear_bias: np.ndarray  # [96]
    common: np.ndarray  # [623], unit length

    def closeness(self, sentences: np.ndarray) -> np.ndarray:
        """`[..., 384]` -> `[..., 527 + names]`."""
        return np.concatenate([sentences @ self.weights.T + self.biases, sentences @ self.keys.widened().T], axis=-1)

    def offsets(self, block: int) -> np.ndarray:
        """`[527 + names]`: offsets in the softmax of a block, 0 for the classes, 1 for timbre."""
        names = NAME_OFFSETS[block] + INSTRUMENT_OFFSET * self.instruments
        return np.concatenate([np.zeros(len(self.weights)), names])

    def rows(self, sentences: np.ndarray) -> np.ndarray:
        """`[..., 384]` -> `[..., 623]`, unit length."""
        near = self.closeness(sentences)
        classes, timbre = (l2(softmax((near + self.offsets(block)) / TEMPERATURE) @ table.widened())
                           for block, table in enumerate((self.classes, self.timbre)))
        row = joined(classes, l2(timbre + sentences @ self.linear + self.linear_bias))
        return l2(row - (row @ self.common)[..., None] * self.common)

    def familiarity(self, sentences: np.ndarray) -> np.ndarray:
        """`[...]`: closeness of the nearest concept. Texts about no sound, or not in English, come near none."""
        return self.closeness(sentences).max(axis=-1)


@dataclass(frozen=True)
class QuerySpace:
    """From a text's unit vector to that of a search for it.

    What the vectors of many names share tells sounds apart less than what few have: each block is multiplied by a
    negative power of the names' covariance, as query-side whitening does. And timbre, which differs within a class, has
    more weight than where a sound is to be named.
    """

    classes: np.ndarray  # [527, 527], symmetric
    timbre: np.ndarray  # [96, 96], symmetric

    def rows(self, texts: np.ndarray) -> np.ndarray:
        """`[..., 623]` -> `[..., 623]`, unit length."""
        blocks = np.split(texts, [len(self.classes)], axis=-1)
        return joined(l2(blocks[0] @ self.classes), l2(blocks[1] @ self.timbre), QUERY_CLASS_SHARE)


def query_space(names: np.ndarray, classes: int) -> QuerySpace:
    """`names [names, 623]`: vectors of the names, whose first block has so many `classes`."""
    def power(block: np.ndarray) -> np.ndarray:
        variances, axes = np.linalg.eigh(block.T @ block / len(block))
        weights = (np.maximum(variances, 0.0) + QUERY_RIDGE * variances.mean()) ** -QUERY_POWER
        matrix = (axes * (weights / weights.mean())) @ axes.T
        return matrix.astype(np.float16).astype(np.float64)

    return QuerySpace(power(names[:, :classes]), power(names[:, classes:]))


def text_space(ced: Ced, heard: Heard, spread: np.ndarray, never: int, weights: np.ndarray, biases: np.ndarray,
               keys: np.ndarray) -> TextSpace:
    """`spread [527, 527]`: what a text about a class should expect of each; `keys [names, 384]`: sentence vectors of
    the names."""
    spread = l2(spread)
    own = class_directions(ced, heard.projection)
    likely = softmax((keys @ weights.T + biases) / TEMPERATURE)
    classes, timbre = l2(heard.name_rows[:, :len(spread)]), l2(heard.name_rows[:, len(spread):])
    # Classes: what was heard of names moves each class by as much as the name is about it.
    moved = l2(SPREAD_WEIGHT * spread + likely.T @ classes)
    own = l2(own + likely.T @ timbre)
    moved[never] = own[never] = 0.0
    # Names: their own mean sound, as far as there are clips of it.
    trust = (heard.clips / (heard.clips + PRIOR_CLIPS))[:, None]
    named = l2(trust * classes + (1.0 - trust) * l2(likely @ moved))
    named_timbre = l2(trust * timbre + (1.0 - trust) * l2(likely @ own))
    still = np.concatenate([spread, l2(likely @ spread)])
    still[never] = 0.0
    table = l2(SPREAD_SHARE * still + (1.0 - SPREAD_SHARE) * np.concatenate([moved, named]))
    linear, bias = linear_part(heard, timbre, keys)
    # Where means of unit vectors are short, names have little in common: weigh each name by what it is as a whole.
    common = l2(heard.name_rows.mean(axis=0)).astype(np.float32).astype(np.float64)
    return TextSpace(weights, biases, Int8Rows(keys), heard.instruments, Int8Rows(table),
                     Int8Rows(np.concatenate([own, named_timbre])), linear, bias, common)


def class_directions(ced: Ced, projection: np.ndarray) -> np.ndarray:
    """`[527, 96]`, unit length: where the timbre of each class lies, by the weights with which CED's head reads it."""
    read = l2(ced.matrix("head.weight") @ np.linalg.pinv(projection).T)
    return l2(read - read.mean(axis=0))


def linear_part(heard: Heard, timbre: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`[384, 96]` and a bias `[96]`: a sentence vector's own say in the timbre block.

    A closed form for learning which sounds go with which descriptions (Romera-Paredes and Torr, "An embarrassingly simple
    approach to zero-shot learning", 2015): the cross-covariance of sounds and descriptions, between two ridges.
    """
    trust = heard.clips / (heard.clips + 1.0)
    sounds = heard.name_rows[:, -timbre.shape[1]:]
    sounds = trust[:, None] * (sounds - sounds.mean(axis=0))
    mean = keys.mean(axis=0)
    texts = keys - mean

    def ridge(covariance: np.ndarray, share: float) -> np.ndarray:
        return covariance + share * np.trace(covariance) / len(covariance) * np.eye(len(covariance))

    cross = sounds.T @ texts / len(keys)
    learned = np.linalg.solve(ridge(heard.timbre_covariance, RIDGE_SOUND), cross)
    learned = np.linalg.solve(ridge(texts.T @ texts / len(keys), RIDGE_TEXT), learned.T)
    learned *= LINEAR_LENGTH / np.sqrt(((texts @ learned) ** 2).sum(axis=1).mean())
    learned = learned.astype(np.float16).astype(np.float64)
    return learned, (-mean @ learned).astype(np.float32).astype(np.float64)
