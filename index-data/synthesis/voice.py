"""Speech by espeak-ng, and a singing vowel by source and filter."""

import io
import subprocess

import numpy as np
import soundfile
from scipy.signal import resample_poly

from .dsp import *


def speak(text, sr, voice="en-gb", speed=160, pitch=50):
    """espeak-ng's own formant synthesis (22 050 Hz), resampled to `sr`. It uses no randomness."""
    wav = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text],
        check=True, capture_output=True,
    ).stdout
    x, rate = soundfile.read(io.BytesIO(wav))
    g = np.gcd(rate, sr)
    return resample_poly(x, sr // g, rate // g)


def spoken(text, voice, speed=155, pitch=50, wet=.12):
    def speech(sr, rng):
        x = np.concatenate([silence(sr, .15), speak(text, sr, voice, speed, pitch), silence(sr, .15)])
        x = x + .0005 * coloured(rng, len(x), 1)
        return peak(room(sr, rng, x, .35, wet), .7)

    return speech


VOWELS = {
    "a": ((700, 80, 1), (1150, 90, .6), (2700, 130, .35), (3300, 150, .25), (3900, 200, .1)),
    "o": ((430, 60, 1), (820, 80, .5), (2600, 120, .2), (3100, 150, .15), (3800, 200, .06)),
    "i": ((300, 50, 1), (2200, 100, .45), (2900, 130, .4), (3600, 180, .2), (4200, 200, .1)),
}


def sung(sr, rng, f, n, vowel, vib=.012):
    t = times(sr, n)
    hz = f * (1 + vib * np.clip((t - .2) * 2, 0, 1) * np.sin(2 * np.pi * 5.4 * t) + .003 * wander(sr, rng, n, 12, -1, 1))
    hz = hz * (1 - .04 * np.exp(-t / .04))
    src = saw(sr, hz, 1.0, 50) + .02 * white(rng, len(t))
    return formants(sr, src, [(a, b, c) for a, b, c in VOWELS[vowel]]) * swell(sr, n, .08, .12)


def singing(sr, rng):
    y = silence(sr, 5.5)
    for at, n, f, v in ((.1, .8, 220, "a"), (.9, .8, 246.9, "a"), (1.7, .8, 277.2, "o"), (2.5, 1.2, 329.6, "a"), (3.7, 1.6, 220, "a")):
        place(y, sung(sr, rng, f, n, v), sr, at)
    return peak(room(sr, rng, y, 1.3, .25), .75)


def choir(sr, rng):
    sec = 6.0
    y = silence(sr, sec)
    for at, n, chord, v in ((.1, 2.9, (130.8, 196, 261.6, 329.6), "a"), (2.9, 2.9, (174.6, 220, 261.6, 349.2), "o")):
        for f in chord:
            for _ in range(4):
                k = f * (1 + .006 * rng.standard_normal())
                place(y, sung(sr, rng, k, n, v, .008) * .7, sr, at + rng.uniform(0, .06))
    return peak(room(sr, rng, y, 2.8, .45), .75)


english_woman = spoken("The quick brown fox jumps over the lazy dog, and then it rests.", "en-gb+f3", 155, 55)
german_man = spoken("Guten Morgen, wie spät ist es denn jetzt?", "de", 150, 45)
french_woman = spoken("Bonjour tout le monde, il fait beau aujourd'hui.", "fr+f2", 150, 55)
spanish_man = spoken("Buenos días, hoy hace mucho sol.", "es+m3", 150, 40)
