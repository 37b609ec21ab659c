#!/usr/bin/env python3
"""Makes earmark's sample sounds: `sounds/`, `captions.csv` and `events.csv`.

    apt-get install espeak-ng ffmpeg          # Debian 12: espeak-ng 1.51, ffmpeg 5.1
    pip install numpy==2.4.6 scipy==1.17.1 soundfile==0.14.0
    python index-data/synthesise.py           # writes everything; a minute on one core
    python index-data/synthesise.py --only dog   # only files whose path has this in it
    python index-data/synthesise.py --check   # size, formats, lengths, CSVs, and the PCM made again

Nothing here is recorded: strings, bells, engines and animals are modelled in `synthesis/`, and speech
is espeak-ng's. Every clip has its own generator, seeded by its recipe's name, so a clip's samples
depend on nothing but its own entry in `clips.py`.
"""

import argparse
import csv
import json
import math
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from clips import CLIPS, EVENTS, Clip
from synthesis.dsp import finish, place, swell

HERE = Path(__file__).parent
SOUNDS = HERE / "sounds"
MAX_TOTAL_BYTES = 3_000_000

# How ffmpeg is fed and what it makes. Lossless clips are rounded here, so ffmpeg only packs them.
ENCODERS = {
    "wav16": ("s16le", ["-c:a", "pcm_s16le"]),
    "wav24": ("s32le", ["-c:a", "pcm_s24le"]),
    "wavf32": ("f32le", ["-c:a", "pcm_f32le"]),
    "aiff16": ("s16le", ["-c:a", "pcm_s16be"]),
    "flac16": ("s16le", ["-c:a", "flac", "-compression_level", "8"]),
    "mp3": ("f32le", ["-c:a", "libmp3lame"]),
    "vorbis": ("f32le", ["-c:a", "libvorbis"]),
    "opus": ("f32le", ["-c:a", "libopus"]),
    "aac": ("f32le", ["-c:a", "aac"]),
}


def generator(name: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def take(clip: Clip) -> np.ndarray:
    """The clip as it was made, at `clip.made_at` Hz: `[n]` or `[n, 2]`."""
    rate = clip.made_at or clip.sample_rate
    # A recipe run for a lower rate and played at `rate` is the same thing, smaller and faster.
    y = clip.recipe(int(rate / clip.speed), generator(clip.recipe.__name__))
    if clip.recording:
        y = finish(rate, generator("t"), y, **clip.recording)
    for part in clip.parts:
        source = next(c for c in CLIPS if c.file == part.file)
        piece = take(source)[round(part.since * rate) : round(part.until * rate)]
        piece = piece * swell(rate, len(piece) / rate, 0.01, part.fade_out)
        place(y, piece, rate, part.at, part.gain)
    return y


def render(clip: Clip) -> np.ndarray:
    """The clip's samples at its own rate, before any rounding."""
    y = take(clip)
    rate = clip.made_at or clip.sample_rate
    if rate != clip.sample_rate:
        g = math.gcd(rate, clip.sample_rate)
        y = resample_poly(y, clip.sample_rate // g, rate // g, axis=0)
    return y


def pcm(clip: Clip) -> bytes:
    """What the encoder is fed, interleaved little-endian."""
    y = np.clip(render(clip), -1, 1)
    kind = ENCODERS[clip.encoding][0]
    if kind == "s16le":
        return np.round(y * 32767).astype("<i2").tobytes()
    if kind == "s32le":
        return (np.round(y * 8388607).astype("<i4") * 256).tobytes()
    return y.astype("<f4").tobytes()


def encode(clip: Clip, samples: bytes) -> None:
    path = SOUNDS / clip.file
    path.parent.mkdir(parents=True, exist_ok=True)
    kind, codec = ENCODERS[clip.encoding]
    channels = 2 if clip.stereo else 1
    exact = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    rate = ["-b:a", clip.bit_rate] if clip.bit_rate else []
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-y",
            "-f",
            kind,
            "-ar",
            str(clip.sample_rate),
            "-ac",
            str(channels),
            "-i",
            "pipe:0",
            *codec,
            *rate,
            *exact,
            str(path),
        ],
        input=samples,
        check=True,
    )


def decode(path: Path, kind: str = "f32le") -> bytes:
    return subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-f", kind, "-c:a", "pcm_" + kind, "pipe:1"],
        check=True,
        capture_output=True,
    ).stdout


def write_tables() -> None:
    with open(HERE / "captions.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["file", "caption", "labels", "recognised"])
        for c in CLIPS:
            out.writerow(["sounds/" + c.file, c.caption, ";".join(c.labels), "yes" if c.recognised else "no"])
    with open(HERE / "events.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["file", "start_s", "end_s", "label"])
        for file, start_s, end_s, label in EVENTS:
            out.writerow(["sounds/" + file, f"{start_s:.2f}", f"{end_s:.2f}", label])


def check(only: str) -> list[str]:
    """Everything that is wrong, one sentence each."""
    wrong = []
    here = {p.relative_to(SOUNDS).as_posix() for p in SOUNDS.rglob("*") if p.is_file()}
    want = {c.file for c in CLIPS}
    wrong += [f"{f}: missing" for f in sorted(want - here)] + [
        f"{f}: not in clips.py" for f in sorted(here - want)
    ]
    total = sum((SOUNDS / f).stat().st_size for f in here)
    if total >= MAX_TOTAL_BYTES:
        wrong.append(f"sounds/ has {total} bytes; the limit is {MAX_TOTAL_BYTES}")
    for c in CLIPS:
        if c.file not in here or only not in c.file:
            continue
        probe = json.loads(
            subprocess.run(
                ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(SOUNDS / c.file)],
                check=True,
                capture_output=True,
            ).stdout
        )["streams"][0]
        if (int(probe["sample_rate"]), probe["channels"]) != (c.sample_rate, 2 if c.stereo else 1):
            wrong.append(f"{c.file}: {probe['sample_rate']} Hz, {probe['channels']} channels")
        seconds = len(decode(SOUNDS / c.file)) / 4 / c.sample_rate / (2 if c.stereo else 1)
        if not 1 <= seconds <= (25 if c.file.startswith("events/") else 10):
            wrong.append(f"{c.file}: {seconds:.2f} s long")
        kind = ENCODERS[c.encoding][0]
        if c.encoding[-2:] in ("16", "24", "32"):
            # Another CPU's FFT may differ in the last bit, and rounding can carry that to one step.
            width = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4"}[kind]
            a, b = (np.frombuffer(x, width).astype(float) for x in (decode(SOUNDS / c.file, kind), pcm(c)))
            step = {"s16le": 1, "s32le": 256, "f32le": 2**-22}[kind]
            if len(a) != len(b) or np.max(np.abs(a - b)) > step:
                wrong.append(f"{c.file}: the recipe makes other samples now")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="only files whose path has this in it")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if anything is wrong")
    args = parser.parse_args()
    if args.check:
        wrong = check(args.only)
        print("\n".join(wrong) or "sounds: all well")
        return 1 if wrong else 0
    for clip in CLIPS:
        if args.only in clip.file:
            encode(clip, pcm(clip))
    write_tables()
    total = sum(p.stat().st_size for p in SOUNDS.rglob("*") if p.is_file())
    print(f"{len(CLIPS)} clips, {total} of {MAX_TOTAL_BYTES} bytes")
    return 0 if total < MAX_TOTAL_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
