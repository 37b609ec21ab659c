"""Finds the clips of the collection and measures them: what the other scripts share."""

import hashlib
import os
import struct
import subprocess
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

EXTENSIONS = {".wav", ".ogg", ".oga", ".flac", ".mp3", ".opus", ".aiff", ".aif", ".au", ".voc", ".m4a", ".wv"}
LEAST_BYTES = 200  # a smaller file holds no sound
LONGEST = 61  # seconds: what comes later is not measured


def clips_below(root: Path, folder: str) -> list[str]:
    """Sound files below a folder, relative to `root`, in a fixed order. Symlinks are skipped."""
    found = []
    for place, folders, names in os.walk(root / folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            if os.path.splitext(name)[1].lower() in EXTENSIONS and not os.path.islink(path):
                if os.path.getsize(path) > LEAST_BYTES:
                    found.append(os.path.relpath(path, root))
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Measures(NamedTuple):
    bytes: int
    seconds: float
    peak: float  # of full scale
    rms: float


class Meter:
    """Measures clips, and keeps the results in `measures.tsv` so that a second run is quick."""

    def __init__(self, root: Path):
        self.root = root
        self.file = root / "measures.tsv"
        self.known: dict[str, Measures] = {}
        if self.file.exists():
            for line in self.file.read_text(encoding="utf-8").splitlines():
                path, size, *numbers = line.split("\t")
                self.known[path] = Measures(int(size), *map(float, numbers))

    def __call__(self, path: str) -> Measures:
        size = (self.root / path).stat().st_size
        if path not in self.known or self.known[path].bytes != size:
            measures = Measures(size, *measure(self.root / path))
            with self.file.open("a", encoding="utf-8") as file:
                file.write("%s\t%d\t%.3f\t%.4f\t%.5f\n" % (path, *measures))
            self.known[path] = measures
        return self.known[path]


def measure(path: Path) -> tuple[float, float, float]:
    """Seconds, peak and RMS. All are 0 if ffmpeg cannot read the file."""
    quick = measure_pcm(path) if path.suffix.lower() == ".wav" else None
    if quick:
        return quick
    samples = decode(path, 16_000)
    if not len(samples):
        return 0.0, 0.0, 0.0
    return len(samples) / 16_000, float(np.abs(samples).max()), float(np.sqrt((samples * samples).mean()))


def measure_pcm(path: Path) -> tuple[float, float, float] | None:
    """Seconds, peak and RMS of a plain PCM file, without ffmpeg; None if it is something else."""
    try:
        with wave.open(str(path)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(min(file.getnframes(), LONGEST * rate))
    except (wave.Error, EOFError, struct.error):
        return None
    if width == 1:
        samples = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    elif width == 2:
        samples = np.frombuffer(data[:len(data) // 2 * 2], "<i2").astype(np.float32) / 32768
    elif width == 3:  # the upper two bytes are enough
        triples = np.frombuffer(data[:len(data) // 3 * 3], np.uint8).reshape(-1, 3)
        high = triples[:, 2].astype(np.int8).astype(np.int32) << 8
        samples = ((triples[:, 1].astype(np.int32) | high) / 32768).astype(np.float32)
    else:
        return None
    if len(samples) < 2 or not rate:
        return None
    seconds = len(samples) / channels / rate
    return seconds, float(np.abs(samples).max()), float(np.sqrt((samples * samples).mean()))


def decode(path: Path, rate: int) -> np.ndarray:
    """The clip's first 61 s in mono, of full scale 1. Empty if ffmpeg cannot read it."""
    command = ["ffmpeg", "-nostdin", "-v", "quiet", "-threads", "1", "-i", str(path), "-t", str(LONGEST),
               "-ac", "1", "-ar", str(rate), "-f", "s16le", "-"]
    run = subprocess.run(command, check=False, capture_output=True)
    return np.frombuffer(run.stdout, "<i2").astype(np.float32) / 32768
