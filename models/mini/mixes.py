"""Test mixes for `earmark eval`: short sounds put into long backgrounds, with what is heard when.

    python models/mini/mixes.py sounds.tsv backgrounds.txt OUT --minutes 120 --seed 1
    earmark eval OUT/events.csv

sounds.tsv names a sound a line, a path and a label apart by a tab; backgrounds.txt a path a line (rain, wind,
traffic). Paths are relative to the list's folder. Use free sounds, and none that a model was made with.
OUT/mix.wav is made of sections, each over one background in turn; its sounds come at random, none over
another, each at one of the levels of --snr over the background: mean power to mean power, in decibels.
OUT/events.csv has a row a sound. The same lists, files and seed give the same mix. Needs numpy, and ffmpeg to
decode.
"""

import argparse
import csv
import subprocess
import wave
from pathlib import Path

import numpy as np

RATE = 16_000  # Hz
BACKGROUND_RMS = 0.01  # so that a sound 20 dB above it seldom clips
LONGEST_S = 10.0  # of a sound
SILENT = 0.03  # of a sound's loudest 10 ms: what is below is cut off its ends, so that onsets are true
FRAME = RATE // 100
FADE = RATE // 100  # samples


def decode(path: Path, seconds: float) -> np.ndarray:
    """At most so many seconds of a file, mono."""
    run = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-t", str(seconds), "-ac", "1", "-ar", str(RATE),
         "-f", "f32le", "-"], check=True, capture_output=True)
    return np.frombuffer(run.stdout, np.float32)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Without silence at both ends; nothing if there is no sound."""
    frames = len(samples) // FRAME
    levels = np.sqrt(np.mean(np.square(samples[:frames * FRAME].reshape(frames, FRAME)), axis=1))
    loud = np.flatnonzero(levels > SILENT * levels.max(initial=0))
    if not len(loud):
        return samples[:0]
    return samples[loud[0] * FRAME:(loud[-1] + 1) * FRAME]


def looped(samples: np.ndarray, length: int) -> np.ndarray:
    """`length` samples of a background at BACKGROUND_RMS, over and over with crossfades of equal power."""
    fade = min(RATE, len(samples) // 4)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade))
    out = np.zeros(length + len(samples))
    at = 0
    while at < length:
        piece = samples.astype(np.float64)
        piece[-fade:] *= ramp[::-1]
        if at > 0:
            piece[:fade] *= ramp
        out[at:at + len(piece)] += piece
        at += len(piece) - fade
    return out[:length] * (BACKGROUND_RMS / rms(out[:length]))


def listed(path: Path) -> list[list[str]]:
    """The cells of each line that is not empty."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line.strip()]


def section(background: np.ndarray, sounds: list, length: int, args, rng) -> tuple[np.ndarray, list]:
    """A stretch of the mix and its events: onset and offset in samples, label, level."""
    mix, events = looped(background, length), []
    at = rng.exponential(args.every)
    while True:
        path, label = sounds[rng.integers(len(sounds))]
        level = args.snr[rng.integers(len(args.snr))]
        sound = trimmed(decode(path, LONGEST_S))
        start = int(at * RATE)
        if start + len(sound) > length:
            return mix, events
        if len(sound):
            sound = sound * (BACKGROUND_RMS * 10 ** (level / 20) / rms(sound))
            fade = min(FADE, len(sound) // 2)
            sound[:fade] *= np.linspace(0, 1, fade)
            sound[len(sound) - fade:] *= np.linspace(1, 0, fade)
            mix[start:start + len(sound)] += sound
            events.append((start, start + len(sound), label, level))
        at += len(sound) / RATE + args.gap + rng.exponential(args.every)


def levels(text: str) -> list[float]:
    return [float(level) for level in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sounds", type=Path, help="a sound a line: path, tab, label")
    parser.add_argument("backgrounds", type=Path, help="a background a line")
    parser.add_argument("out", type=Path, help="folder for mix.wav and events.csv")
    parser.add_argument("--minutes", type=float, default=120.0, help="length of the mix")
    parser.add_argument("--section", type=float, default=300.0, help="seconds over one background")
    parser.add_argument("--every", type=float, default=20.0,
                        help="mean silence between sounds beyond --gap, seconds")
    parser.add_argument("--gap", type=float, default=5.0, help="least silence between sounds, seconds")
    parser.add_argument("--snr", type=levels, default=[20.0, 10.0, 0.0],
                        help="levels over the background, dB, apart by commas")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    sounds = [(args.sounds.parent / path, label) for path, label in listed(args.sounds)]
    backgrounds = [args.backgrounds.parent / path for path, *_ in listed(args.backgrounds)]
    rng = np.random.default_rng(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    total, step = int(60 * args.minutes * RATE), int(args.section * RATE)
    with (wave.open(str(args.out / "mix.wav"), "wb") as mix,
          open(args.out / "events.csv", "w", newline="", encoding="utf-8") as table):
        mix.setparams((1, 2, RATE, 0, "NONE", ""))
        rows = csv.writer(table)
        rows.writerow(["file", "onset", "offset", "label", "snr_db"])
        for number, start in enumerate(range(0, total, step)):
            background = trimmed(decode(backgrounds[number % len(backgrounds)], args.section))
            samples, events = section(background, sounds, min(step, total - start), args, rng)
            mix.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
            for onset, offset, label, level in events:
                times = [f"{(start + at) / RATE:.3f}" for at in (onset, offset)]
                rows.writerow(["mix.wav", *times, label, level])


if __name__ == "__main__":
    main()
