#!/usr/bin/env python3
"""Records log-mel spectrograms for tests/log_mel.rs, computed with numpy (and librosa's filterbank).

    pip install numpy librosa torchaudio && python3 make_goldens.py

Everything is in double precision and written plainly, frame by frame; nothing is shared with the Rust.
The filterbank over Hz is librosa's, and torchaudio's must be the same; the one over mel follows
tf.signal.linear_to_mel_weight_matrix.
"""

import json
from pathlib import Path

import librosa
import numpy as np
import torchaudio


def signal(n, rate):
    state, out = 12345, np.zeros(n)
    for i in range(n):
        state = (state * 1664525 + 1013904223) % 2**32
        noise = (state >> 8) / 2**24 - 0.5
        t = i / rate
        tones = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.1 * np.sin(2 * np.pi * 3000 * t)
        chirp = 0.2 * np.sin(2 * np.pi * (200 * t + 2000 * t * t))
        out[i] = 0.0 if i >= n * 9 // 10 else tones + chirp + 0.02 * noise
    return out.astype(np.float32).astype(np.float64)


def filterbank(s):
    if s["mel_shape"] == "hz":
        return librosa.filters.mel(
            sr=s["sample_rate"], n_fft=s["n_fft"], n_mels=s["n_mels"], fmin=s["f_min"], fmax=s["f_max"],
            htk=s["mel_scale"] == "htk", norm="slaney" if s["mel_norm"] == "slaney" else None, dtype=np.float64)
    assert s["mel_scale"] == "htk" and s["mel_norm"] == "none"
    mel = lambda hz: 1127.0 * np.log1p(np.asarray(hz) / 700.0)
    bins = mel(np.linspace(0, s["sample_rate"] / 2, s["n_fft"] // 2 + 1)[1:])
    edges = np.linspace(mel(s["f_min"]), mel(s["f_max"]), s["n_mels"] + 2)
    rows = []
    for lower, center, upper in zip(edges, edges[1:], edges[2:]):
        rising, falling = (bins - lower) / (center - lower), (upper - bins) / (upper - center)
        rows.append(np.concatenate([[0.0], np.maximum(0.0, np.minimum(rising, falling))]))
    return np.array(rows)


def agrees_with_torchaudio(s):
    """Whether torchaudio, has the same filters over Hz."""
    theirs = torchaudio.functional.melscale_fbanks(
        s["n_fft"] // 2 + 1, s["f_min"], s["f_max"], s["n_mels"], s["sample_rate"], mel_scale=s["mel_scale"],
        norm="slaney" if s["mel_norm"] == "slaney" else None).numpy().T
    return np.allclose(theirs, filterbank(s), atol=1e-4 * filterbank(s).max())


def log_mel(x, s):
    n_fft, win, hop = s["n_fft"], s["win_length"], s["hop_length"]
    period = win if s["window"] == "hann_periodic" else win - 1
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win) / period)
    if s.get("center"):
        mode = {"reflect": "reflect", "zero": "constant"}[s.get("pad_mode", "reflect")]
        x = np.pad(x, n_fft // 2, mode=mode)
        left = (n_fft - win) // 2
        window = np.pad(window, (left, n_fft - win - left))
    length = len(window)
    starts = range(0, len(x) - length + 1, hop)
    frames = np.array([np.abs(np.fft.rfft(x[i:i + length] * window, n_fft)) for i in starts])
    if s["spectrum"] == "power":
        frames = frames**2
    mel = frames @ filterbank(s).T
    log = s["log"]
    mel = np.maximum(mel, log["floor"]) if "floor" in log else mel + log["offset"]
    factor = 10 if s["spectrum"] == "power" else 20
    return {"ln": np.log, "log10": np.log10, "db": lambda v: factor * np.log10(v)}[log["type"]](mel)


YAMNET = dict(
    sample_rate=16000, n_fft=512, win_length=400, hop_length=160, window="hann_periodic", spectrum="magnitude",
    n_mels=64, f_min=125.0, f_max=7500.0, mel_scale="htk", mel_norm="none", mel_shape="mel",
    log=dict(type="ln", offset=0.001))
CLAP = dict(
    sample_rate=48000, n_fft=1024, win_length=1024, hop_length=480, window="hann_periodic", center=True,
    pad_mode="reflect", spectrum="power", n_mels=64, f_min=50.0, f_max=14000.0, mel_scale="slaney",
    mel_norm="slaney", mel_shape="hz", log=dict(type="db", floor=1e-10))
PANNS = CLAP | dict(sample_rate=32000, hop_length=320)
CASES = [
    ("yamnet", YAMNET, 4000),
    ("yamnet, triangles over Hz", YAMNET | dict(mel_shape="hz"), 2400),
    ("clap (htsat)", CLAP, 9600),
    ("clap, htk, log10", CLAP | dict(mel_scale="htk", mel_norm="none", log=dict(type="log10", floor=1e-10)), 4800),
    ("clap, shorter than the padding", CLAP, 300),
    ("centred short window, zero padding", CLAP | dict(win_length=800, pad_mode="zero"), 4800),
    ("symmetric window, dB of magnitude",
     YAMNET | dict(window="hann_symmetric", mel_shape="hz", log=dict(type="db", floor=1e-5)), 2400),
    ("whisper-like", YAMNET | dict(
        n_fft=400, center=True, spectrum="power", n_mels=80, f_min=0.0, f_max=8000.0, mel_scale="slaney",
        mel_norm="slaney", mel_shape="hz", log=dict(type="log10", floor=1e-10)), 3200),
    ("panns", PANNS, 3200),
    ("panns, slaney scale without its norm", PANNS | dict(mel_norm="none"), 1600),
    ("panns, htk scale with slaney's norm", PANNS | dict(mel_scale="htk"), 1600),
    ("ms-clap 2022", PANNS | dict(sample_rate=44100, n_fft=1028), 3200),
    ("mel triangles from 0 Hz", YAMNET | dict(f_min=0.0, f_max=8000.0, n_mels=40), 2000),
]


def main():
    goldens = []
    for name, spec, n in CASES:
        values = log_mel(signal(n, spec["sample_rate"]), spec)
        assert spec["mel_shape"] == "mel" or agrees_with_torchaudio(spec), name
        if spec.get("center") and n > spec["n_fft"] // 2:
            # librosa itself must agree with the plain version above.
            pad = {"reflect": "reflect", "zero": "constant"}[spec.get("pad_mode", "reflect")]
            power = 2.0 if spec["spectrum"] == "power" else 1.0
            theirs = librosa.feature.melspectrogram(
                y=signal(n, spec["sample_rate"]), sr=spec["sample_rate"], n_fft=spec["n_fft"],
                win_length=spec["win_length"], hop_length=spec["hop_length"], center=True, pad_mode=pad, power=power,
                n_mels=spec["n_mels"], fmin=spec["f_min"], fmax=spec["f_max"], htk=spec["mel_scale"] == "htk",
                norm="slaney" if spec["mel_norm"] == "slaney" else None).T
            ours = np.exp(values * np.log(10) / (10 if spec["log"]["type"] == "db" else 1))
            floor = spec["log"]["floor"]
            assert np.allclose(np.maximum(theirs, floor), ours, rtol=1e-4, atol=1e-9), name
        goldens.append(dict(name=name, spec=spec, n_samples=n, frames=len(values),
                            values=[round(float(v), 6) for v in values.ravel()]))
        print(f"{name}: {values.shape}")
    path = Path(__file__).with_name("log_mel.json")
    path.write_text(json.dumps(goldens, separators=(",", ":")) + "\n")
    print(f"{path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
