"""Renders General MIDI instruments and drum notes with fluidsynth.

    python gm.py FOLDER

writes FOLDER/gm, FOLDER/gm_sonivox and FOLDER/gm_opl3 (fitted: 4 clips a program, 2 a drum note) and
FOLDER/gm_test (held out: 2 of each, from timgm6mb-soundfont). Phrases depend on a seed. The held-out clips
have another seed and another sound font than the fitted ones. Files already there are kept.
"""

import argparse
import random
import struct
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

FONTS = Path("/usr/share/sounds/sf2")  # where Debian's packages put them
NPM_FONTS = Path("npm/coderline-alphatab/dist/soundfont")  # inside the collection
DRUMS = 9  # the MIDI channel
SECONDS = 5  # at most

SCALES = [
    [0, 2, 4, 5, 7, 9, 11],
    [0, 2, 3, 5, 7, 8, 10],
    [0, 2, 4, 7, 9],
    [0, 3, 5, 6, 7, 10],
    [0, 2, 3, 5, 7, 9, 10],
]
CENTRE = {  # the middle note of a program, if it is not 62
    **{program: 40 for program in range(32, 40)},
    9: 79, 10: 76, 14: 64, 42: 48, 43: 38, 47: 45, 57: 52, 58: 40, 66: 53, 67: 46, 70: 48, 72: 79, 78: 76,
    79: 74,
}


class Render(NamedTuple):
    folder: str
    font: str
    seed: str
    phrases: int  # a program; a drum note has two at most
    # fluidsynth then loads only what a clip needs, which moves some of its samples by 1 or 2 of 32768.
    lazily: bool = True


RENDERS = [
    Render("gm", "FluidR3_GM.sf2", "fluid", 4, lazily=False),
    Render("gm_sonivox", "sonivox.sf2", "sonivox", 4),
    Render("gm_opl3", "OPL-3_FM_128M.sf2", "opl3", 4),
    Render("gm_test", "TimGM6mb.sf2", "test", 2, lazily=False),
]


class Note(NamedTuple):
    start: float  # seconds
    length: float
    pitch: int
    velocity: int


def phrase(draws: random.Random, program: int, kind: int) -> list[Note]:
    """Kind 0: a melody; 1: chords, or another melody for basses; 2: one to three low notes; 3: high ones."""
    scale = draws.choice(SCALES)
    root = CENTRE.get(program, 62) + draws.randint(-4, 4) + {2: -12, 3: 12}.get(kind, 0)
    if program >= 120 or kind >= 2:
        return long_notes(draws, root, scale)
    if kind == 1 and not 32 <= program < 40:
        return chords(draws, root, scale)
    return melody(draws, root, scale)


def long_notes(draws: random.Random, root: int, scale: list[int]) -> list[Note]:
    notes, now = [], 0.05
    count = draws.choice([1, 2, 3])
    for _ in range(count):
        length = 3.0 / count
        pitch = min(108, max(24, root + draws.choice(scale)))
        notes.append(Note(now, length * 0.85, pitch, draws.randint(70, 118)))
        now += length
    return notes


def chords(draws: random.Random, root: int, scale: list[int]) -> list[Note]:
    notes, now = [], 0.05
    for _ in range(draws.choice([2, 3, 4])):
        length = draws.choice([0.6, 0.9, 1.2])
        base = draws.randrange(len(scale))
        for step in (base, base + 2, base + 4):
            pitch = root + scale[step % len(scale)] + 12 * (step // len(scale))
            notes.append(Note(now, length * 0.95, pitch, draws.randint(70, 110)))
        now += length
        if now > 3.4:
            break
    return notes


def melody(draws: random.Random, root: int, scale: list[int]) -> list[Note]:
    """A walk along the scale."""
    notes, now = [], 0.05
    beat = draws.choice([0.18, 0.24, 0.3, 0.4])
    step = draws.randrange(len(scale))
    while now < 3.2:
        length = beat * draws.choice([1, 1, 2])
        pitch = root + scale[step % len(scale)] + 12 * (step // len(scale))
        notes.append(Note(now, length * 0.92, pitch, draws.randint(72, 116)))
        step = max(0, min(2 * len(scale) - 1, step + draws.choice([-2, -1, 1, 1, 2])))
        now += length
    return notes


def hits(draws: random.Random, pitch: int, kind: int) -> list[Note]:
    """Hits of one drum. Kind 0: far apart; 1: a rhythm."""
    notes, now = [], 0.05
    if kind == 0:
        distance = draws.choice([0.5, 0.7, 1.0])
        while now < 2.8:
            notes.append(Note(now, 0.3, pitch, draws.randint(70, 122)))
            now += distance
    else:
        beat = draws.choice([0.125, 0.167, 0.25])
        while now < 2.8:
            if draws.random() < 0.6:
                notes.append(Note(now, beat * 0.9, pitch, draws.randint(60, 122)))
            now += beat
    return notes or [Note(0.05, 0.3, pitch, 100)]


def variable_length(number: int) -> bytes:
    out = [number & 127]
    while number > 127:
        number >>= 7
        out.append(number & 127 | 128)
    return bytes(reversed(out))


def midi(notes: list[Note], program: int | None) -> bytes:
    """A MIDI file with 960 ticks a second. Without a program the notes are drums."""
    events = []
    for note in notes:
        events.append((note.start, 1, note.pitch, note.velocity))
        events.append((note.start + note.length, 0, note.pitch, 0))
    events.sort(key=lambda event: event[:2])
    channel = DRUMS if program is None else 0
    body = b"" if program is None else bytes([0, 0xC0, program])
    before = 0
    for seconds, on, pitch, velocity in events:
        ticks = round(seconds * 960)
        body += variable_length(ticks - before) + bytes([(0x90 if on else 0x80) | channel, pitch, velocity])
        before = ticks
    body += variable_length(480) + b"\xff\x2f\0"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480)
    return header + b"MTrk" + struct.pack(">I", len(body)) + body


def trim(file: Path) -> None:
    """Cuts a render to 5 s, with a fade of 50 ms."""
    with wave.open(str(file)) as source:
        channels, rate = source.getnchannels(), source.getframerate()
        if source.getnframes() <= SECONDS * rate:
            return
        data = source.readframes(SECONDS * rate)
    samples = np.frombuffer(data, "<i2").reshape(-1, channels).astype(np.float32)
    last = rate // 20
    samples[-last:] *= np.linspace(1, 0, last)[:, None]
    with wave.open(str(file), "wb") as target:
        target.setparams((channels, 2, rate, 0, "NONE", ""))
        target.writeframes(samples.astype("<i2").tobytes())


def render(root: Path, plan: Render) -> None:
    font = next(folder / plan.font for folder in (FONTS, root / NPM_FONTS) if (folder / plan.font).exists())
    options = ["-o", "synth.dynamic-sample-loading=1"] if plan.lazily else []
    (root / plan.folder).mkdir(parents=True, exist_ok=True)
    programs = [("p", number, kind) for number in range(128) for kind in range(plan.phrases)]
    drums = [("d", number, kind) for number in range(27, 88) for kind in range(2)]
    for letter, number, kind in programs + drums:
        file = root / plan.folder / f"{letter}{number:03}_{kind}.wav"
        if file.exists():
            continue
        draws = random.Random(f"{plan.seed}{letter}{number}-{kind}")
        if letter == "p":
            song = midi(phrase(draws, number, kind), number)
        else:
            song = midi(hits(draws, number, kind), None)
        with tempfile.NamedTemporaryFile(suffix=".mid") as score:
            score.write(song)
            score.flush()
            command = ["fluidsynth", "-ni", "-q", *options, "-g", "0.7", "-r", "44100", "-F", str(file),
                       "-T", "wav", "-O", "s16", str(font), score.name]
            subprocess.run(command, check=True, capture_output=True)
        trim(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the collection's folder")
    root = parser.parse_args().folder
    for plan in RENDERS:
        render(root, plan)


if __name__ == "__main__":
    main()
