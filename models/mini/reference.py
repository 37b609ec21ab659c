"""The whole model in NumPy and float64, for the golden fixtures: clips and texts to vectors in mini's space."""

import numpy as np

import ced
from ced import Ced
from minilm import MiniLM
from space import QuerySpace, SoundSpace, TextSpace

SEGMENT = 80_000  # `window.length_samples` of the manifest: 5 s
DETECT = 16_000  # `detect.length_samples`: 1 s


class Reference:
    def __init__(self, net: Ced, sounds: SoundSpace, minilm: MiniLM, texts: TextSpace,
                 queries: QuerySpace):
        self.net, self.sounds, self.minilm = net, sounds, minilm
        self.texts, self.queries = texts, queries

    def patches(self, audio: np.ndarray, rate: int, length: int = SEGMENT) -> np.ndarray:
        """`[windows, frames, 64]`, in decibels."""
        return np.stack([ced.log_mel(window) for window in ced.windows(audio, rate, length)])

    def hear(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows `[windows, 623]` and scores `[windows, 527]`."""
        embeddings = np.stack([ced.encode(self.net, patch) for patch in patches])
        scores = ced.probabilities(self.net, embeddings)
        return self.sounds.rows(scores, embeddings), scores

    def text(self, text: str) -> np.ndarray:
        return self.texts.rows(self.minilm.embed(text))

    def query(self, text: str) -> np.ndarray:
        return self.queries.rows(self.text(text))

    def familiarity(self, text: str) -> float:
        return float(self.texts.familiarity(self.minilm.embed(text)))
