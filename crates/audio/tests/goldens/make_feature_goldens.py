#!/usr/bin/env python3
"""Records what the reference implementations make of whole windows, for tests/features.rs.

    pip install numpy librosa torch torchaudio transformers && python3 make_feature_goldens.py

The references are transformers' feature extractors, torchaudio.compliance.kaldi and librosa; versions are recorded.
To stay small, the file holds some frames of each window in full, and the mean of every band over all frames.
"""

import json
from importlib.metadata import version
from pathlib import Path

import librosa
import numpy as np
import torch
import torchaudio.compliance.kaldi as kaldi
from transformers import ASTFeatureExtractor, ClapFeatureExtractor, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from make_goldens import CLAP, signal

CHUNK = 480_000
AST_STEPS = dict(frames=1024, mean=-4.2677393, std=2 * 4.5689974)
BEATS_STEPS = dict(mean=15.41663, std=2 * 6.55582)
KALDI = dict(type="kaldi_fbank", sample_rate=16000, frame_length=400, hop_length=160, window="hann_symmetric",
             n_mels=128, f_min=20.0, f_max=8000.0)
BEATS = KALDI | dict(window="povey", gain=32768.0)
CLAP = dict(type="log_mel") | CLAP
FUSED = CLAP | dict(mel_scale="htk", mel_norm="none")
WHISPER = dict(
    type="log_mel", sample_rate=16000, n_fft=400, win_length=400, hop_length=160, window="hann_periodic", center=True,
    pad_mode="reflect", spectrum="power", n_mels=80, f_min=0.0, f_max=8000.0, mel_scale="slaney", mel_norm="slaney",
    log=dict(type="log10", floor=1e-10))


def make_signal(s, rate):
    return (signal(s["n"], rate) * s.get("gain", 1.0) + s.get("offset", 0.0)).astype(np.float32)


def clap(x, truncation):
    """transformers' features; the three cuts are the first, the middle and the last that there are."""
    extractor = ClapFeatureExtractor(
        sampling_rate=48000, frequency_min=50, frequency_max=14000, truncation=truncation, padding="repeatpad")
    total = 1 + len(x) // 480
    picks = iter([0, (total - 1001) // 2, total - 1001])

    def choice(places):
        pick = next(picks)
        assert pick in places
        return pick

    drawn, np.random.choice = np.random.choice, choice
    try:
        return extractor(x.astype(np.float64), sampling_rate=48000, return_tensors="np")["input_features"][0]
    finally:
        np.random.choice = drawn


def fbank(x, gain=1.0, **options):
    """torchaudio's filterbank in double precision, and how far its single precision is from that."""
    options = dict(sample_frequency=16000, num_mel_bins=128, frame_length=25, frame_shift=10, dither=0.0) | options
    exact = kaldi.fbank(torch.tensor(x[None] * gain, dtype=torch.float64), **options).numpy()
    single = kaldi.fbank(torch.tensor(x[None] * np.float32(gain)), **options).numpy()
    print(f"  torchaudio in single precision is off by {np.abs(single - exact).max():.1e}")
    return exact


def beats(x):
    """`BEATs.preprocess` of the original repository."""
    return ((fbank(x, gain=2.0**15, window_type="povey") - 15.41663) / (2 * 6.55582))[None]


def eat(x):
    """The feature extraction of EAT's inference scripts: 1024 frames, Audioset's mean and standard deviation."""
    rows = fbank(x - x.mean(), htk_compat=True, use_energy=False, window_type="hanning")[:1024]
    rows = np.pad(rows, ((0, 1024 - len(rows)), (0, 0)))
    return ((rows + 4.268) / (4.569 * 2))[None]


def ast(x):
    return ASTFeatureExtractor()(x, sampling_rate=16000, return_tensors="np")["input_values"]


def whisper(x):
    extractor = WhisperFeatureExtractor()
    padded = np.pad(x.astype(np.float64), (0, 480_000 - len(x)))
    return extractor._np_extract_fbank_features(padded[None], device="cpu")[0].T[None]


def wav2vec2(x):
    out = Wav2Vec2FeatureExtractor(do_normalize=True)(x, sampling_rate=16000, return_tensors="np")["input_values"][0]
    return out[None, :, None]


def wav2vec2_padded(x):
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    both = extractor([x, np.zeros(2000, np.float32)], padding=True, sampling_rate=16000, return_tensors="np")
    return both["input_values"][0][None, :, None]


def musicnn(x):
    """Patches of librosa's spectrogram of the whole sound, as the musicnn package cuts them (in double precision)."""
    mel = librosa.feature.melspectrogram(
        y=x.astype(np.float64), sr=16000, hop_length=256, n_fft=512, n_mels=96, pad_mode="reflect").T
    rows = np.log10(10_000 * mel + 1)
    return np.array([rows[start:start + 187] for start in range(0, len(rows) - 187 + 1, 187)])


def window(length, **rest):
    return dict(length_samples=length, hop_samples=length, pad="zero") | rest


def cases():
    for n in [4800, 48_000, 479_520, 480_000]:
        yield (f"clap, {n} samples", CLAP, {}, window(CHUNK, pad="repeat_zero"), dict(n=n),
               lambda x: clap(x, "rand_trunc"))
    # 480 100: longer than a chunk, but with as many frames. 900 000: between, and with a first cut in the silence.
    for n in [4800, 479_520, 480_000, 480_100, 900_000, 1_200_000]:
        yield (f"clap fused, {n} samples", FUSED, dict(fusion=dict(chunk_samples=CHUNK)),
               window(3 * CHUNK, pad="repeat_zero"), dict(n=n), lambda x: clap(x, "fusion"))
    unpadded = window(192_000, pad="none")
    for n in [16_000, 160_000, 170_000]:
        yield f"ast, {n} samples", KALDI, AST_STEPS, unpadded, dict(n=n), ast
    sounds = {"": {}, ", quiet": dict(gain=1e-4), ", near silence with an offset": dict(gain=1e-7, offset=0.25)}
    for name, s in sounds.items():
        yield f"beats{name}", BEATS, BEATS_STEPS, window(8000), dict(n=8000) | s, beats
    yield ("eat", KALDI, dict(frames=1024, mean=-4.268, std=2 * 4.569), unpadded, dict(n=20_000, offset=0.01), eat)
    yield ("whisper", WHISPER, dict(frames=3000, dynamic_range=8.0, mean=-4.0, std=4.0), window(480_000),
           dict(n=30_000), whisper)
    music = WHISPER | dict(n_fft=512, win_length=512, hop_length=256, center_over="stream", n_mels=96,
                           log=dict(type="log10", offset=1e-4))
    yield ("musicnn", music, dict(mean=-4.0), window(187 * 256), dict(n=3 * 187 * 256), musicnn)
    raw = dict(type="waveform", sample_rate=16000, normalise="unit_variance")
    yield "wav2vec2", raw, {}, window(1000), dict(n=1000, gain=0.1, offset=0.2), wav2vec2
    yield ("wav2vec2, padded", raw, dict(frames=2000), window(2000, pad="none"),
           dict(n=1000, gain=0.1, offset=0.2), wav2vec2_padded)


def pick(frames):
    """Both ends, and some frames between."""
    if frames <= 12:
        return list(range(frames))
    between = [frames // 5, frames // 3, frames // 2, 2 * frames // 3, frames * 9 // 10]
    return [0, 1, *between, frames - 2, frames - 1]


def main():
    goldens = []
    for name, front_end, features, window_spec, sound, reference in cases():
        values = np.asarray(reference(make_signal(sound, front_end["sample_rate"])), np.float64)
        frames = pick(values.shape[1])
        rounded = lambda a: [round(float(v), 5) for v in a.ravel()]
        goldens.append(dict(
            name=name, front_end=front_end, features=features, window=window_spec, signal=sound, shape=values.shape,
            frames=frames, values=rounded(values[:, frames]), means=rounded(values.mean(axis=1))))
        print(f"{name}: {values.shape}")
    made_with = {package: version(package) for package in ["transformers", "torch", "torchaudio", "librosa", "numpy"]}
    path = Path(__file__).with_name("features.json")
    path.write_text(json.dumps(dict(made_with=made_with, goldens=goldens), separators=(",", ":")) + "\n")
    print(f"{path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
