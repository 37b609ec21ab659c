"""Instruments: strings, pipes, bars, bells, skins and cymbals."""

import numpy as np

from .dsp import (
    additive,
    band_pass,
    decay,
    high_pass,
    modes,
    peak,
    phase,
    place,
    pluck,
    resonator,
    room,
    saw,
    silence,
    swell,
    times,
    white,
)


def church_bell(sr, rng, sec=6.0):
    """Minor-third bell partials: hum, prime, tierce, quint, nominal, ...; split pairs make it beat."""
    y = silence(sr, sec)
    f = 262.0
    table = []
    for r, a, d in (
        (0.5, 0.5, 9),
        (1, 0.6, 6),
        (1.183, 0.55, 5),
        (1.506, 0.35, 4),
        (2, 0.9, 3.5),
        (2.514, 0.35, 2),
        (2.662, 0.3, 2),
        (3.011, 0.4, 1.6),
        (4.166, 0.35, 1.1),
        (5.433, 0.25, 0.8),
        (6.796, 0.2, 0.6),
    ):
        table += [(f * r, a * 0.6, d), (f * r * 1.0017, a * 0.4, d)]
    strike = modes(sr, sec, table, 0.0008)
    clank = band_pass(sr, white(rng, int(round(0.05 * sr))), 1000, 6000, 1) * decay(sr, 0.05, 0.04)
    for at in (0.1, 2.1, 4.1):
        place(y, strike, sr, at)
        place(y, clank, sr, at, 0.5)
    y *= swell(sr, sec, 0, 0.3)
    return peak(room(sr, rng, y, 2.0, 0.25), 0.8)


def guitar(sr, rng):
    """An arpeggio of E minor, plucked; body resonances at 100 and 205 Hz."""
    sec = 4.6
    y = silence(sr, sec)
    notes = (82.4, 123.5, 164.8, 196.0, 246.9, 329.6, 246.9, 196.0, 164.8, 329.6, 246.9, 196.0)
    for i, f in enumerate(notes):
        place(y, pluck(sr, rng, f, 2.5, 0.5, 4.0, 0.15, 4500), sr, 0.1 + 0.3 * i, 0.7 + 0.3 * rng.random())
    y = y + 0.6 * resonator(sr, y, 100, 25) + 0.5 * resonator(sr, y, 205, 40)
    return peak(room(sr, rng, y * swell(sr, sec, 0, 0.5), 0.7, 0.15), 0.8)


def organ(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    stops = [1, 0.9, 0.35, 0.6, 0.15, 0.3, 0.1, 0.35, 0.05, 0.1, 0.05, 0.1]
    for at, n, chord in (
        (0.1, 1.5, (65.4, 130.8, 196, 261.6, 329.6)),
        (1.6, 1.5, (87.3, 174.6, 220, 261.6, 349.2)),
        (3.1, 1.6, (65.4, 130.8, 196, 261.6, 392)),
    ):
        for f in chord:
            hz = np.full(int(round(n * sr)), f) * (1 + 0.001 * rng.standard_normal())
            note = additive(sr, hz, stops) + additive(sr, hz * 1.003, stops) * 0.5
            chiff = band_pass(sr, white(rng, len(hz)), f * 2, f * 6, 1) * decay(sr, n, 0.15, 0.02)
            place(y, (note + 0.3 * chiff) * swell(sr, n, 0.06, 0.08), sr, at)
    return peak(room(sr, rng, y, 3.0, 0.4), 0.8)


def flute(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for at, n, f in (
        (0.1, 0.6, 587.3),
        (0.7, 0.6, 659.3),
        (1.3, 0.6, 740),
        (1.9, 0.9, 880),
        (2.8, 0.45, 784),
        (3.25, 0.45, 740),
        (3.7, 1.2, 587.3),
    ):
        t = times(sr, n)
        vib = 1 + 0.007 * np.clip((t - 0.15) * 4, 0, 1) * np.sin(2 * np.pi * 5.2 * t)
        hz = f * vib * (1 - 0.02 * np.exp(-t / 0.02))
        tone = additive(sr, hz, [1, 0.45, 0.22, 0.08, 0.04, 0.02])
        breath = resonator(sr, white(rng, len(t)), f, f * 0.15) * 1.2 + 0.06 * band_pass(
            sr, white(rng, len(t)), 800, 6000, 1
        )
        env = swell(sr, n, 0.07, 0.09) * (1 + 0.12 * np.sin(2 * np.pi * 5.2 * t))
        place(y, (tone + 0.35 * breath) * env, sr, at)
    return peak(room(sr, rng, y, 1.4, 0.22), 0.7)


def kick(sr, rng):
    n = 0.35
    hz = 50 + 130 * np.exp(-times(sr, n) / 0.03)
    return np.sin(phase(sr, hz)) * decay(sr, n, 0.4, 0.001) + 0.25 * high_pass(
        sr, white(rng, int(round(n * sr))), 2000
    ) * decay(sr, n, 0.015)


def snare(sr, rng, t60=0.25):
    n = 0.3
    shell = modes(sr, n, [(185, 1, 0.18), (330, 0.6, 0.13), (450, 0.3, 0.1)])
    wires = band_pass(sr, white(rng, int(round(n * sr))), 1500, 8000, 1) * decay(sr, n, t60, 0.001)
    return 0.7 * shell + 0.9 * wires


def hat(sr, rng, t60=0.08):
    n = t60 * 1.3
    t = times(sr, n)
    metal = sum(np.sign(np.sin(2 * np.pi * f * t)) for f in (2053, 3025, 3707, 4155, 5400, 5980))
    y = high_pass(sr, 0.25 * metal + 0.8 * white(rng, len(t)), min(6000, 0.3 * sr), 3)
    return y * decay(sr, n, t60, 0.0005)


def drum_beat(sr, rng):
    step = 0.13
    y = silence(sr, 32 * step + 0.3)
    for i in range(32):
        at = 0.05 + i * step
        place(y, hat(sr, rng, 0.25 if i % 16 == 14 else 0.07), sr, at, 0.35 if i % 2 == 0 else 0.18)
        if i % 16 in (0, 6, 8):
            place(y, kick(sr, rng), sr, at, 1.1)
        if i % 8 == 4 or i == 31:
            place(y, snare(sr, rng), sr, at, 0.6)
    left = room(sr, rng, y, 0.5, 0.15)
    right = room(sr, rng, y, 0.5, 0.15)
    return peak(np.stack([left, right], 1), 0.85)


def singing_bowl(sr, rng):
    sec = 6.0
    t = []
    for r, a, d in ((1, 1, 14), (2.71, 0.6, 9), (5.0, 0.35, 5), (7.9, 0.15, 2.5)):
        t += [(220 * r, a * 0.55, d), (220 * r + 1.1, a * 0.45, d)]
    y = modes(sr, sec, t, 0.004) * swell(sr, sec, 0, 0.8)
    return peak(room(sr, rng, y, 1.2, 0.15), 0.7)


def violin(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for at, n, f in (
        (0.1, 1.2, 440),
        (1.3, 0.6, 493.9),
        (1.9, 0.6, 554.4),
        (2.5, 1.2, 659.3),
        (3.7, 1.2, 440),
    ):
        t = times(sr, n)
        hz = (
            f
            * (1 + 0.006 * np.clip(t * 3, 0, 1) * np.sin(2 * np.pi * 5.8 * t))
            * (1 + 0.001 * np.cumsum(rng.standard_normal(len(t))) / np.sqrt(sr))
        )
        s = saw(sr, hz, 1.0, 40)
        s = s + 0.05 * high_pass(sr, white(rng, len(t)), 2000, 1)
        place(y, s * swell(sr, n, 0.09, 0.09), sr, at)
    b = sum(
        g * resonator(sr, y, f, w)
        for f, w, g in (
            (280, 40, 0.8),
            (460, 50, 1),
            (550, 60, 1),
            (1000, 250, 0.8),
            (2600, 700, 1.2),
            (4500, 1500, 0.4),
        )
    )
    return peak(room(sr, rng, b + 0.15 * y, 1.4, 0.2), 0.75)
