"""Speech by espeak-ng, and a singing vowel by source and filter."""

import io
import subprocess

import numpy as np
import soundfile
from scipy.signal import resample_poly

from .dsp import coloured, peak, room, silence


def speak(text, sr, voice="en-gb", speed=160, pitch=50):
    """espeak-ng's own formant synthesis (22 050 Hz), resampled to `sr`. It uses no randomness."""
    wav = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text],
        check=True,
        capture_output=True,
    ).stdout
    x, rate = soundfile.read(io.BytesIO(wav))
    g = np.gcd(rate, sr)
    return resample_poly(x, sr // g, rate // g)


def spoken(text, voice, speed=155, pitch=50, wet=0.12):
    def speech(sr, rng):
        x = np.concatenate([silence(sr, 0.15), speak(text, sr, voice, speed, pitch), silence(sr, 0.15)])
        x = x + 0.0005 * coloured(rng, len(x), 1)
        return peak(room(sr, rng, x, 0.35, wet), 0.7)

    return speech


english_woman = spoken("The quick brown fox jumps over the lazy dog, and then it rests.", "en-gb+f3", 155, 55)
german_man = spoken("Guten Morgen, wie spät ist es denn jetzt?", "de", 150, 45)
french_woman = spoken("Bonjour tout le monde, il fait beau aujourd'hui.", "fr+f2", 150, 55)
spanish_man = spoken("Buenos días, hoy hace mucho sol.", "es+m3", 150, 40)
