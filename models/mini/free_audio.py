"""What mini learns from free audio: heard.npz and names.txt, which the recipe reads.

    python models/mini/free_audio.py FOLDER

FOLDER holds the unpacked packages (free-audio/README.md says how it is filled), and the two lists name the clips in it:
free-audio/labelled.tsv.gz and free-audio/unlabelled.lst.gz. Nothing of the sounds is kept but these statistics. Needs
ffmpeg to decode, and about half an hour on two cores. It is no part of the build: another version of ffmpeg may round
differently.

Not here: what the recipe makes of the two files (space.py).
"""

import argparse
import csv
import gzip
import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads only get in the way

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "recipes"))

import space
from ced import Ced, log_mel, windows
from graphs import ced_graph
from minilm import Int8Rows
from signals import SAMPLE_RATE, l2

FITTED_SETS = ("new", "ex", "gm")  # of the labelled clips; the others are held out
SEGMENT = 80_000  # samples: 5 s
SECONDS = {"labelled": 20, "unlabelled": 10}  # of a clip at most
FAINT = 1e-4  # a peak below this is silence
AXES = 96
# Directions of timbre tell clips of different names apart: variance within a name is made white, mixed with
# the total variance and with the identity, in these shares.
TOTAL_SHARE, IDENTITY_SHARE = 0.6, 0.1


class Clip(NamedTuple):
    scores: np.ndarray  # [segments, 527]
    embeddings: np.ndarray  # [segments, 192]


class Lists(NamedTuple):
    labelled: list[tuple[Path, str]]  # paths and names of the clips that are fitted
    instruments: set[str]  # names that several sound fonts have
    unlabelled: list[Path]


def read_lists(root: Path) -> Lists:
    with gzip.open(HERE / "free-audio" / "labelled.tsv.gz", "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        rows = [row for row in reader if row["set"] in FITTED_SETS]
    fonts = {(row["label"], row["package"]) for row in rows if row["set"] == "gm"}
    counts = Counter(label for label, _ in fonts)
    text = gzip.decompress((HERE / "free-audio" / "unlabelled.lst.gz").read_bytes()).decode()
    return Lists([(root / row["path"], row["label"]) for row in rows],
                 {label for label, count in counts.items() if count > 1},
                 [root / line for line in text.splitlines()])


class Listener:
    """Hears files, one at a time."""

    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        graph = ced_graph(Ced()).SerializeToString()
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, job: tuple[Path, int]) -> Clip | None:
        """The clip at a path, of so many seconds at most; None for silence and for what ffmpeg cannot read."""
        path, seconds = job
        run = subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "quiet", "-i", str(path), "-t", str(seconds), "-ac", "1",
             "-ar", str(SAMPLE_RATE), "-f", "f32le", "-"], check=False, capture_output=True)
        samples = np.frombuffer(run.stdout, np.float32)
        if len(samples) == 0 or not np.abs(samples).max() >= FAINT:
            return None
        heard = [self.session.run(["scores", "embedding"], {"log_mel": log_mel(w).astype(np.float32)[None]})
                 for w in windows(samples, SAMPLE_RATE, SEGMENT)]
        return Clip(*(np.concatenate(part) for part in zip(*heard)))


def summarise(labelled: list[tuple[str, Clip]], instruments: set[str],
              unlabelled: Iterable[Clip]) -> tuple[list[str], dict[str, np.ndarray]]:
    """Names, and the arrays of heard.npz."""
    clips = [*unlabelled, *(clip for _, clip in labelled)]
    weights = np.concatenate([np.full(len(c.scores), 1.0 / len(c.scores)) for c in clips])
    weights /= weights.sum()  # each clip counts the same
    prior = weights @ np.concatenate([c.scores for c in clips]).astype(np.float64)
    embeddings = np.concatenate([c.embeddings for c in clips]).astype(np.float64)
    mean = weights @ embeddings
    total = ((embeddings - mean) * weights[:, None]).T @ (embeddings - mean)
    names = sorted({name for name, _ in labelled})
    groups = [[clip for own, clip in labelled if own == name] for name in names]
    projection = timbre_directions([np.stack([c.embeddings.mean(axis=0) for c in group]) for group in groups], total)

    # The class that is never heard is not known here; one axis of 527 does not matter to what follows.
    sounds = space.SoundSpace(np.maximum(prior, space.LEAST_PRIOR) ** -space.PRIOR_POWER, mean, projection)
    rows = [np.stack([l2(sounds.rows(c.scores.astype(np.float64), c.embeddings).mean(axis=0)) for c in group])
            for group in groups]
    timbre = [l2(group[:, -AXES:]) for group in rows]
    centre = np.mean([group.mean(axis=0) for group in timbre], axis=0)
    covariance = sum((group - centre).T @ (group - centre) / len(group) for group in timbre) / len(timbre)
    means = Int8Rows(np.stack([group.mean(axis=0) for group in rows]))
    return names, {
        "prior": prior.astype(np.float32),
        "mean": mean.astype(np.float32),
        "projection": projection.astype(np.float32),
        "clips": np.array([len(group) for group in groups], np.uint16),
        "name_rows": means.values,
        "name_scales": means.scale[:, 0],
        "instruments": np.array([name in instruments for name in names]),
        "timbre_covariance": covariance.astype(np.float32),
    }


def timbre_directions(groups: list[np.ndarray], total: np.ndarray) -> np.ndarray:
    """`[192, AXES]`: linear discriminants of the names. `groups`: clips' embeddings, `[clips, 192]` a name."""
    several = [group - group.mean(axis=0) for group in groups if len(group) > 1]
    within = sum(group.T @ group / (len(group) - 1) for group in several) / len(several)
    mixed = (1.0 - TOTAL_SHARE) * within / np.trace(within) + TOTAL_SHARE * total / np.trace(total)
    mixed = (1.0 - IDENTITY_SHARE) * mixed + IDENTITY_SHARE * np.eye(len(mixed)) / len(mixed)
    variances, vectors = np.linalg.eigh(mixed)
    white = vectors / np.sqrt(variances)
    variances, vectors = np.linalg.eigh(white.T @ total @ white)
    axes = white @ vectors[:, np.argsort(-variances)[:AXES]]
    # An eigenvector is as good as its negative: let the largest component be positive.
    return axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(AXES)])


def write(names: list[str], arrays: dict[str, np.ndarray]) -> None:
    (HERE / "names.txt").write_text("".join(name + "\n" for name in names), encoding="utf-8")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    (HERE / "heard.npz").write_bytes(buffer.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the packages were unpacked")
    args = parser.parse_args()
    lists = read_lists(args.folder)
    jobs = [(path, SECONDS["labelled"]) for path, _ in lists.labelled]
    jobs += [(path, SECONDS["unlabelled"]) for path in lists.unlabelled]
    with Pool(initializer=_start) as pool:
        clips = pool.map(_hear, jobs, chunksize=8)
    named = [(name, clip) for (_, name), clip in zip(lists.labelled, clips) if clip is not None]
    others = [clip for clip in clips[len(lists.labelled):] if clip is not None]
    names, arrays = summarise(named, lists.instruments, others)
    write(names, arrays)
    print(f"{len(named)} clips of {len(names)} names, {len(others)} others")


def _start() -> None:
    global _hear_one
    _hear_one = Listener()


def _hear(job: tuple[Path, int]) -> Clip | None:
    return _hear_one(job)


if __name__ == "__main__":
    sys.exit(main())
