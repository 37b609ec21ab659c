#!/usr/bin/env python3
"""Draws contact sheets of spectrograms: sheet.py OUT.png FOLDER GLOB...

Each picture is 0.05 to 12 kHz on a log scale over the whole file (at most the first 6 s), 70 dB deep.
The label gives the seconds, the package and the file. Needs numpy, soundfile and Pillow.
"""
import glob
import os
import sys

import numpy as np
import soundfile
from PIL import Image, ImageDraw

W, H, COLUMNS = 170, 90, 9


def spectrogram(path):
    sound, rate = soundfile.read(path, always_2d=True, dtype="float32")
    seconds = len(sound) / rate
    mono = sound[: rate * 6].mean(axis=1)
    size = 1024 if rate >= 32000 else 512
    hop = max(1, min(size // 4, len(mono) // W + 1))
    mono = np.pad(mono, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(mono, size)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    hertz = np.geomspace(12000, 50, H)
    bins = np.clip((hertz * size / rate).round().astype(int), 0, size // 2)
    picture = power[:, bins].T
    picture[hertz > rate / 2] = 0
    picture = 10 * np.log10(picture + 1e-12)
    picture = np.clip((picture - picture.max() + 70) / 70, 0, 1)
    picture = Image.fromarray((picture * 255).astype(np.uint8)).resize((W, H))
    return picture, seconds


def main():
    out, folder, patterns = sys.argv[1], sys.argv[2], sys.argv[3:]
    files = []
    for pattern in patterns:
        found = sorted(glob.glob(os.path.join(glob.escape(folder), pattern), recursive=True))
        files += [f for f in found if os.path.isfile(f)]
    files = list(dict.fromkeys(files))
    rows = -(-len(files) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * (W + 4), rows * (H + 26)), 255)
    draw = ImageDraw.Draw(sheet)
    for i, path in enumerate(files):
        x, y = i % COLUMNS * (W + 4), i // COLUMNS * (H + 26)
        name = os.path.relpath(path, folder)
        label = os.path.join(*name.split(os.sep)[-2:])[-27:]
        try:
            picture, seconds = spectrogram(path)
            sheet.paste(picture, (x, y))
        except Exception as error:
            seconds, label = 0, str(error)[:27]
        draw.text((x, y + H), f"{seconds:.2f}s {name[:20]}", fill=0)
        draw.text((x, y + H + 11), label, fill=0)
    sheet.save(out)
    print(len(files), "files in", out)


main()
