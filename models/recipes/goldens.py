"""The clips and texts on which the golden fixtures of all bundled models are computed.

Clips are synthetic, made from a fixed seed, and lie in tests/fixtures/mini as 16-bit WAV.
"""

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SEED = 20240

TEXTS = [
    "dog",
    "a dog barking in the distance",
    "Rooster",
    "heavy rain on a tin roof",
    "thunder",
    "someone typing on a keyboard",
    "the sound of a church bell",
    "sirène d'ambulance",
    "glass breaking",
    "an electric guitar solo with distortion",
    "baby crying",
    "people clapping and cheering in a stadium",
    "helicopter flying overhead",
    "silence",
    "waves crashing on the shore, seagulls calling",
    "café ambience with espresso machine and hushed conversation",
    "12-bar blues in E",
    "cat",
    "鳥の声",
    "no dogs, just the wind",
    "quarterly tax report",
    "A very long description of a recording made early in the morning near a farm, in which a "
    "rooster crows, hens cluck, a tractor starts and idles, a dog barks twice at a passing car, "
    "church bells ring far away, and a light wind moves through the leaves of the trees.",
]


def clips():
    """Yields (name, sample rate, samples); stereo is `[samples, 2]`."""
    noise = np.random.default_rng(SEED)

    def time(rate, seconds):
        return np.arange(round(rate * seconds)) / rate

    def tone(rate, seconds, hz):
        return np.sin(2 * np.pi * hz * time(rate, seconds))

    def sweep(rate, seconds, low, high):
        t = time(rate, seconds)
        ratio = np.log(high / low) / seconds
        return np.sin(2 * np.pi * low * (np.exp(ratio * t) - 1) / ratio)

    def bursts(rate, seconds, per_second):
        t = time(rate, seconds)
        return noise.standard_normal(len(t)) * 0.2 * np.exp(-12 * (t * per_second % 1.0))

    yield "silence-1s", 16_000, np.zeros(16_000)
    yield "click-50ms", 16_000, 0.8 * tone(16_000, 0.05, 1000) * np.exp(-60 * time(16_000, 0.05))
    yield "noise-300ms", 16_000, 0.1 * noise.standard_normal(4_800)
    yield "one-window", 16_000, 0.3 * tone(16_000, 0.975, 440)
    yield "one-sample-more", 16_000, 0.3 * tone(16_000, 0.975 + 1 / 16_000, 440)
    yield "chord-1s", 16_000, sum(0.15 * tone(16_000, 1.0, hz) for hz in (261.63, 329.63, 392.0))
    yield "bursts-3s3", 16_000, bursts(16_000, 3.3, 3)
    left, right = 0.4 * tone(16_000, 1.2, 600), 0.1 * noise.standard_normal(19_200)
    yield "stereo-1s2", 16_000, np.stack([left, right], axis=1)
    yield "siren-44100", 44_100, 0.3 * np.sin(
        2 * np.pi * 900 * time(44_100, 2.0) - 200 * np.cos(2 * np.pi * 1.0 * time(44_100, 2.0)))
    left, right = 0.3 * sweep(48_000, 1.5, 60, 16_000), 0.2 * tone(48_000, 1.5, 330)
    yield "sweep-stereo-48000", 48_000, np.stack([left, right], axis=1)
    yield "bursts-22050", 22_050, bursts(22_050, 1.7, 5)


def stored_clips() -> Iterator[tuple[str, int, np.ndarray]]:
    """(name, sample rate, samples) of each clip as a reader gets it back from 16-bit PCM, in -1..1."""
    for name, rate, audio in clips():
        yield name, rate, pcm16(audio) / 32768.0


def pcm16(audio: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(audio * 32767), -32768, 32767).astype("<i2")


def write_wav(path: Path, rate: int, audio: np.ndarray) -> None:
    """Writes 16-bit PCM."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if audio.ndim == 1 else audio.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm16(audio).tobytes())
