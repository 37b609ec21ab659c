#!/usr/bin/env python3
"""What the bundled tagger yamnet hears in the sample sounds: the table in README.md, or one file's windows.

    pip install numpy==2.4.6 scipy==1.17.1 soundfile==0.14.0 onnxruntime==1.32.0   # and ffmpeg
    python index-data/measure.py                 # the table; exit 1 if a clip is marked wrongly
    python index-data/measure.py --windows dog-in   # every window of the files that match

A clip counts as recognised if, of the model's 521 classes (`BROAD` ones aside), one of the
clip's own is among the three with the highest mean probability, and that mean is at least 0.2.
The front end here is written apart from the Rust one, in NumPy.
"""

import argparse
import csv
import math
import sys

import numpy as np
import onnxruntime
from scipy.signal import resample_poly

from clips import CLIPS, EVENTS, Clip
from synthesise import HERE, SOUNDS, decode

MODELS = HERE.parent / "models"
RATE, WIN, HOP, N_FFT = 16_000, 400, 160, 512
WINDOW, WINDOW_HOP = 15_600, 7_680
LEAST = 0.2
# Classes so broad that being right about them says little.
BROAD = {
    "Music",
    "Animal",
    "Pets",
    "Wild animals",
    "Livestock",
    "Alarm",
    "Vehicle",
    "Noise",
    "Musical instrument",
}
# The events' labels in the model's words.
EVENT_CLASSES = {
    "dog bark": ["Dog", "Bark"],
    "telephone ringing": ["Telephone ringing"],
    "church bell": ["Church bell"],
    "siren": ["Siren"],
    "speech": ["Speech"],
}


def mel_filters() -> np.ndarray:
    """`[257, 64]`, HTK mels from 125 to 7500 Hz, triangles straight in mel, DC left out (tf.signal)."""

    def mel(hz):
        return 1127.0 * np.log1p(np.asarray(hz, float) / 700.0)

    bins = mel(np.arange(N_FFT // 2 + 1) * RATE / N_FFT)[:, None]
    edges = np.linspace(mel(125.0), mel(7500.0), 66)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    filters[0] = 0
    return filters


FILTERS = mel_filters()
HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIN) / WIN)


class Model:
    def __init__(self):
        graph = MODELS / "yamnet" / "audio.onnx"
        self.session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        # Classes by mini's shorter names for them.
        with open(MODELS / "mini" / "classes.tsv", encoding="utf-8", newline="") as file:
            axes = {r["name"]: r["axis"] for r in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
        self.names = [axes[name] for name in (MODELS / "yamnet" / "classes.txt").read_text().splitlines()]

    def hear(self, clip: Clip) -> np.ndarray:
        """`[windows, 521]` probabilities of the file as it lies in `sounds/`."""
        x = np.frombuffer(decode(SOUNDS / clip.file), "<f4").astype(float)
        if clip.stereo:
            x = x.reshape(-1, 2).mean(1)
        g = math.gcd(clip.sample_rate, RATE)
        x = resample_poly(x, RATE // g, clip.sample_rate // g)
        count = 1 + math.ceil(max(len(x) - WINDOW, 0) / WINDOW_HOP)
        x = np.pad(x, (0, (count - 1) * WINDOW_HOP + WINDOW - len(x)))
        patches = []
        for i in range(count):
            frames = np.lib.stride_tricks.sliding_window_view(x[i * WINDOW_HOP :][:WINDOW], WIN)[::HOP]
            patches.append(np.log(np.abs(np.fft.rfft(frames * HANN, N_FFT)) @ FILTERS + 0.001))
        feed = {self.session.get_inputs()[0].name: np.stack(patches).astype(np.float32)}
        return self.session.run(None, feed)[0]

    def top(self, p: np.ndarray, k: int = 3) -> str:
        return ", ".join(f"{self.names[i]} {p[i]:.2f}" for i in np.argsort(-p)[:k])


def event_scores(model: Model, clip: Clip, p: np.ndarray) -> list[str]:
    """For each event: its class in the windows that touch it, and anywhere else."""
    starts = np.arange(len(p)) * WINDOW_HOP / RATE
    ends = starts + WINDOW / RATE
    lines = []
    for file, start_s, end_s, label in EVENTS:
        for name in EVENT_CLASSES[label] if file == clip.file else []:
            q = p[:, model.names.index(name)]
            touch = (starts < end_s) & (ends > start_s)
            when = f"{start_s:.2f}–{end_s:.2f} s"
            lines.append(f"| `{file}` | {when} | {name} | {q[touch].max():.2f} | {q[~touch].max():.2f} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--windows", metavar="PART", help="print each window of the files whose path has PART in it"
    )
    args = parser.parse_args()
    model = Model()
    if args.windows is not None:
        for clip in CLIPS:
            if args.windows in clip.file:
                print(clip.file)
                for i, p in enumerate(model.hear(clip)):
                    print(f"{i * WINDOW_HOP / RATE:7.2f} s  {model.top(p)}")
        return 0

    wrong, events = [], []
    print("| clip | caption | the model's top three (mean over windows) |\n|---|---|---|")
    for clip in CLIPS:
        p = model.hear(clip)
        mean = p.mean(0)
        print(f"| `{clip.file}` | {clip.caption} | {model.top(mean)} |")
        if clip.file.startswith("events/"):
            events += event_scores(model, clip, p)
            continue
        ranked = [i for i in np.argsort(-mean) if model.names[i] not in BROAD][:3]
        heard = any(model.names[i] in clip.classes and mean[i] >= LEAST for i in ranked)
        if heard != clip.recognised:
            mark = "recognised" if clip.recognised else "not recognised"
            wrong.append(f"{clip.file}: marked {mark}; the model hears {model.top(mean)}")
    print("\n| scene | event | class | best window that touches it | best window elsewhere |")
    print("|---|---|---|---|---|")
    print("\n".join(events))
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
