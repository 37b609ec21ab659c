"""The golden fixtures that the Rust front end and encoder are compared with.

Clips are made here from a fixed seed; what they should give comes from reference.py, not from
ONNX Runtime. golden.json says which file is which.
"""

import json
import wave
from pathlib import Path

import numpy as np

import reference

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


def write(out: Path, tokenize, features, scores, embed, sentence, embed_sentence, embed_by_names) -> None:
    """`tokenize`: text -> ids; `features`: patches -> `[windows, 1024]`; `scores`: features -> `[windows, 521]`;
    `sentence`: ids -> `[384]`. These are then embedded, `-> [617]`; sentences also as yamnet does it, by the names of
    its classes alone, `-> [521]`."""
    out.mkdir(parents=True, exist_ok=True)
    clips, clip_scores, clip_vectors = [], [], []
    for name, rate, audio in _clips():
        stored = _write_wav(out / f"{name}.wav", rate, audio)
        patches = reference.patches(stored, rate)
        clip = {
            "file": f"{name}.wav",
            "sample_rate": rate,
            "channels": 1 if audio.ndim == 1 else audio.shape[1],
            "samples": len(audio),
            "windows": len(patches),
            "mel": None,
        }
        if rate == reference.SAMPLE_RATE:
            clip["mel"] = f"{name}.mel.npy"
            np.save(out / clip["mel"], patches.astype(np.float32))
        clips.append(clip)
        inner = features(patches.astype(np.float32))
        p = scores(inner)
        clip_scores.append(p.mean(axis=0))
        clip_vectors.append(embed(p, inner))
    texts = [{"text": text, "ids": tokenize(text)} for text in TEXTS]
    sentences = [sentence(t["ids"]) for t in texts]
    text_vectors = [embed_sentence(s) for s in sentences]
    np.save(out / "clips.npy", np.asarray(clip_vectors, np.float32))
    np.save(out / "scores.npy", np.asarray(clip_scores, np.float32))
    np.save(out / "texts.npy", np.asarray(text_vectors, np.float32))
    np.save(out / "texts-yamnet.npy", np.asarray([embed_by_names(s) for s in sentences], np.float32))
    golden = {
        "about": "Made by models/mini/recipe.py. Row i of each .npy belongs to entry i. mel is float32 "
                 "[windows, 96, 64]; embeddings are float32 [617] ([521] of yamnet), unit length; scores are YAMNet's own "
                 "probabilities [521], their mean over windows.",
        "clips": clips,
        "clip_embeddings": "clips.npy",
        "clip_scores": "scores.npy",
        "texts": texts,
        "text_embeddings": "texts.npy",
        "text_embeddings_of_yamnet": "texts-yamnet.npy",
    }
    (out / "golden.json").write_text(
        json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _clips():
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


def _write_wav(path: Path, rate: int, audio: np.ndarray) -> np.ndarray:
    """Writes 16-bit PCM and returns what a reader gets back, in -1..1."""
    stored = np.clip(np.rint(audio * 32767), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if audio.ndim == 1 else audio.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(stored.tobytes())
    return stored / 32768.0
