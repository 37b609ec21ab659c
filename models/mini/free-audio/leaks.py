"""Finds fitted and unlabelled clips that look like another encoding of a held-out clip of set deb or sonic.

    python leaks.py FOLDER

prints rows in the form of twins.tsv. Two clips look alike if their lengths differ by less than 12 ms, their
ratios of peak to RMS by less than 3 %, and their envelopes and spectra each correlate by more than
0.97. Other cuts, loudness changes within a clip and mixes are not found.
"""

import argparse
import bisect
import functools
import math
from pathlib import Path

import numpy as np

from clips import Meter, decode
from tables import HERE, read_table, recorded

RATE = 8000
ENVELOPE, BANDS = 40, 64  # values compared
LENGTH, CREST, ALIKE = 0.012, 0.03, 0.97


def standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() + 1e-6)


def look(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Envelope and spectrum, logarithmic and standardised; None for what is shorter than 50 ms."""
    samples = decode(path, RATE) * 32768
    if len(samples) < 400:
        return None
    step = len(samples) // ENVELOPE
    envelope = np.log(np.abs(samples[:step * ENVELOPE].reshape(ENVELOPE, step)).mean(axis=1) + 1)
    spectrum = np.abs(np.fft.rfft(samples[:25 * RATE]))
    bands = np.log(np.array([part.mean() for part in np.array_split(spectrum, BANDS)]) + 1)
    return standard(envelope), standard(bands)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the collection's folder")
    root = parser.parse_args().folder
    meter = Meter(root)
    rows = read_table(HERE / "labelled.tsv.gz")
    unlabelled = recorded("unlabelled.lst.gz").decode().splitlines()
    searched = [(row["path"], row["label"]) for row in rows if row["set"] in ("new", "ex")]
    searched += [(path, "-") for path in unlabelled]
    held_out = [row["path"] for row in rows if row["set"] in ("deb", "sonic")]
    held_out = sorted((meter(path).seconds, path) for path in held_out)
    lengths = [seconds for seconds, _ in held_out]
    look_at = functools.cache(lambda path: look(root / path))

    def crest(path: str) -> float:
        measures = meter(path)
        return math.log(measures.peak / max(measures.rms, 1e-5) + 1e-9)

    print("path", "label", "held_out", "envelope", "spectrum", sep="\t")
    for path, label in searched:
        seconds = meter(path).seconds
        first = bisect.bisect_left(lengths, seconds - LENGTH)
        last = bisect.bisect_left(lengths, seconds + LENGTH)
        for _, other in held_out[first:last]:
            if abs(crest(other) - crest(path)) >= CREST:
                continue
            ours, theirs = look_at(path), look_at(other)
            if ours is None or theirs is None:
                continue
            envelope, spectrum = (ours[0] * theirs[0]).mean(), (ours[1] * theirs[1]).mean()
            if envelope > ALIKE and spectrum > ALIKE:
                print(path, label, other, f"{envelope:.3f}", f"{spectrum:.3f}", sep="\t", flush=True)
                break


if __name__ == "__main__":
    main()
