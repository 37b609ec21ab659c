"""Instruments: strings, pipes, bars, bells, skins and cymbals."""

import numpy as np

from .dsp import *


def church_bell(sr, rng, sec=6.0):
    """Minor-third bell partials: hum, prime, tierce, quint, nominal, ...; split pairs make it beat."""
    y = silence(sr, sec)
    f = 262.0
    table = []
    for r, a, d in (
        (0.5, 0.5, 9), (1, 0.6, 6), (1.183, 0.55, 5), (1.506, 0.35, 4), (2, 0.9, 3.5),
        (2.514, 0.35, 2), (2.662, 0.3, 2), (3.011, 0.4, 1.6), (4.166, 0.35, 1.1), (5.433, 0.25, 0.8), (6.796, 0.2, 0.6),
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


def guitar_strum(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    chords = ((98, 123.5, 146.8, 196, 246.9, 392), (82.4, 123.5, 164.8, 196, 246.9, 329.6), (130.8, 164.8, 196, 261.6, 329.6), (146.8, 220, 293.7, 370))
    for b in range(8):
        c = chords[b // 2]
        order = c if b % 2 == 0 else c[::-1]
        for k, f in enumerate(order):
            place(y, pluck(sr, rng, f, 1.6, 0.5, 3.0, 0.13, 6000), sr, 0.1 + b * 0.55 + k * 0.014, 1 if b % 2 == 0 else 0.6)
    y = y + 0.6 * resonator(sr, y, 100, 25) + 0.5 * resonator(sr, y, 205, 40)
    return peak(room(sr, rng, y * swell(sr, sec, 0, 0.4), 0.6, 0.15), 0.8)


def piano_note(sr, rng, f, seconds, velocity=1.0):
    t = times(sr, seconds)
    b = 0.0004 * (f / 262) ** 1.2
    y = np.zeros(len(t))
    for k in range(1, 26):
        fk = k * f * np.sqrt(1 + b * k * k)
        if fk > 0.45 * sr:
            break
        a = abs(np.sin(np.pi * k / 8.2)) / k ** 1.1 * np.exp(-fk / (2500 * velocity + 500))
        slow = 6.0 / (1 + fk / 900) * (262 / f) ** 0.3
        for detune in (-0.0004, 0, 0.0005):
            ph = rng.uniform(0, 6.28)
            y += a / 3 * np.sin(2 * np.pi * fk * (1 + detune) * t + ph) * (
                0.8 * 10 ** (-3 * t / (slow * 0.6)) + 0.2 * 10 ** (-3 * t / (slow * 2.5)))
    thump = low_pass(sr, white(rng, len(t)), 600) * decay(sr, seconds, 0.12)
    return (y + 0.06 * thump) * np.minimum(t / 0.003, 1) * velocity


def piano(sr, rng):
    sec = 6.0
    y = silence(sr, sec)
    tune = [(0, 261.6), (0, 130.8), (0.35, 329.6), (0.7, 392.0), (1.05, 523.3), (1.4, 392), (1.75, 329.6),
            (2.1, 349.2), (2.1, 174.6), (2.45, 440), (2.8, 523.3), (3.15, 698.5), (3.5, 392.0), (3.5, 196), (3.85, 493.9), (4.2, 523.3), (4.2, 130.8), (4.2, 329.6)]
    for at, f in tune:
        n = 1.6
        note = piano_note(sr, rng, f, n, rng.uniform(0.7, 1)) * swell(sr, n, 0, 0.25)
        place(y, note, sr, 0.1 + at)
    return peak(room(sr, rng, y, 0.9, 0.18), 0.8)


def organ(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    stops = [1, 0.9, 0.35, 0.6, 0.15, 0.3, 0.1, 0.35, 0.05, 0.1, 0.05, 0.1]
    for at, n, chord in (
        (0.1, 1.5, (65.4, 130.8, 196, 261.6, 329.6)), (1.6, 1.5, (87.3, 174.6, 220, 261.6, 349.2)),
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
    for at, n, f in ((0.1, 0.6, 587.3), (0.7, 0.6, 659.3), (1.3, 0.6, 740), (1.9, 0.9, 880), (2.8, 0.45, 784), (3.25, 0.45, 740), (3.7, 1.2, 587.3)):
        t = times(sr, n)
        vib = 1 + 0.007 * np.clip((t - 0.15) * 4, 0, 1) * np.sin(2 * np.pi * 5.2 * t)
        hz = f * vib * (1 - 0.02 * np.exp(-t / 0.02))
        tone = additive(sr, hz, [1, 0.45, 0.22, 0.08, 0.04, 0.02])
        breath = resonator(sr, white(rng, len(t)), f, f * 0.15) * 1.2 + 0.06 * band_pass(sr, white(rng, len(t)), 800, 6000, 1)
        env = swell(sr, n, 0.07, 0.09) * (1 + 0.12 * np.sin(2 * np.pi * 5.2 * t))
        place(y, (tone + 0.35 * breath) * env, sr, at)
    return peak(room(sr, rng, y, 1.4, 0.22), 0.7)


def kick(sr, rng):
    n = 0.35
    hz = 50 + 130 * np.exp(-times(sr, n) / 0.03)
    return np.sin(phase(sr, hz)) * decay(sr, n, 0.4, 0.001) + 0.25 * high_pass(sr, white(rng, int(round(n * sr))), 2000) * decay(sr, n, 0.015)


def snare(sr, rng, t60=0.25):
    n = 0.3
    shell = modes(sr, n, [(185, 1, 0.18), (330, 0.6, 0.13), (450, .3, .1)])
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


def snare_roll(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    at, k = 0.1, 0
    while at < sec - 0.4:
        level = 0.35 + 0.5 * at / sec
        place(y, snare(sr, rng, 0.18), sr, at, level * rng.uniform(0.75, 1.1))
        at += 0.042 + rng.normal(0, 0.003)
    place(y, snare(sr, rng, 0.35), sr, sec - 0.35, 1.3)
    return peak(room(sr, rng, y, 0.6, 0.2), 0.8)


def hi_hat(sr, rng):
    y = silence(sr, 3.0)
    for i in range(22):
        place(y, hat(sr, rng, 0.3 if i % 8 == 6 else 0.07), sr, 0.05 + i * 0.13, (1, 0.5)[i % 2])
    return peak(y, 0.6)


def gong(sr, rng):
    """Many inharmonic modes; the high ones bloom late, as energy couples upwards."""
    sec = 6.0
    t = times(sr, sec)
    y = np.zeros(len(t))
    for _ in range(140):
        f = np.exp(rng.uniform(np.log(90), np.log(4500)))
        bloom = 0.02 + 0.5 * (f / 4500) ** 0.5
        a = (200 / f) ** 0.45 * rng.uniform(0.3, 1)
        t60 = 9 * (200 / (f + 100)) ** 0.45
        y += a * np.sin(2 * np.pi * f * t + rng.uniform(0, 6.28)) * 10 ** (-3 * t / t60) * (1 - np.exp(-t / bloom))
    for f, a in ((98, 6), (152, 4), (201, 4), (255, 3)):
        y += a * np.sin(2 * np.pi * f * t) * decay(sr, sec, 8, 0.02)
    return peak(y * swell(sr, sec, 0.002, 1.0), 0.8)


def harp(sr, rng):
    sec = 6.0
    y = silence(sr, sec)
    scale = [131 * 2 ** (k / 12) for o in range(3) for k in (12 * o + j for j in (0, 2, 4, 7, 9))]
    at = 0.1
    for i, f in enumerate(scale + scale[::-1][1:]):
        place(y, pluck(sr, rng, f, 3.0, 0.5, 4.5, 0.45, 2500), sr, at, rng.uniform(0.8, 1))
        at += 0.1 if i < len(scale) else 0.13
    return peak(room(sr, rng, y * swell(sr, sec, 0, 0.6), 1.6, 0.25), 0.8)


def bars(sr, f, ratios, n):
    return modes(sr, n, [(f * r, a, d) for r, a, d in ratios], 0.0006)


def music_box(sr, rng):
    sec = 6.0
    y = silence(sr, sec)
    tune = [(0, 1318.5), (.3, 1568), (.6, 2093), (.9, 1568), (1.2, 1760), (1.5, 1396.9), (1.8, 1568), (2.4, 1318.5), (2.7, 1174.7), (3.0, 1046.5), (3.3, 1318.5), (3.6, 1568), (3.9, 1396.9), (4.2, 1174.7), (4.5, 1046.5)]
    for at, f in tune:
        place(y, bars(sr, f, ((1, 1, 1.6), (2, .15, .8), (6.27, .2, .25)), 1.6), sr, 0.1 + at, rng.uniform(.8, 1))
        if at % 1.2 < 0.01:
            place(y, bars(sr, f / 2, ((1, 1, 1.6), (2, .15, .8), (6.27, .2, .25)), 1.6), sr, 0.1 + at, .7)
        place(y, high_pass(sr, white(rng, int(round(.004 * sr))), 3000, 1), sr, 0.1 + at - .004, 0.05)
    return peak(room(sr, rng, y, 0.5, 0.12), 0.7)


def glockenspiel(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    for i, f in enumerate((1568, 1760, 1975.5, 2093, 2349.3, 2637, 2093, 1568, 2093, 3136)):
        place(y, bars(sr, f, ((1, 1, 1.8), (2.756, .45, .7), (5.404, .2, .3)), 1.5), sr, 0.1 + i * 0.28)
    return peak(room(sr, rng, y, 1.0, 0.15), 0.7)


def marimba(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for i, f in enumerate((262, 330, 392, 523, 440, 349, 392, 330, 294, 262, 392, 330, 262, 196, 262, 262)):
        place(y, bars(sr, f, ((1, 1, .7), (3.93, .35, .2), (9.2, .15, .08)), .8), sr, 0.1 + i * 0.28, rng.uniform(.7, 1))
    return peak(room(sr, rng, y, .8, .15), 0.8)


def bass_line(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    for i, f in enumerate((55, 55, 110, 55, 65.4, 65.4, 130.8, 65.4, 73.4, 73.4, 146.8, 73.4, 82.4, 98, 82.4, 49)):
        n = 0.22
        note = saw(sr, np.full(int(round(n * sr)), f), 1.0, 40)
        k = np.exp(-times(sr, n) / 0.07)
        bright, dark = low_pass(sr, note, 1500), low_pass(sr, note, 250)
        place(y, (dark * (1 - k) + bright * k) * swell(sr, n, 0.004, 0.03), sr, 0.05 + i * 0.24)
    return peak(y, 0.8)


def theremin(sr, rng):
    sec = 6.0
    t = times(sr, sec)
    base = np.interp(t, [0, .5, 1.0, 1.8, 2.2, 3.2, 3.8, 4.6, 5.2, 6], [392, 392, 523, 523, 659, 659, 440, 494, 330, 330])
    base = low_pass(sr, base - 392, 6, 1) + 392
    hz = base * (1 + 0.018 * np.sin(2 * np.pi * 5.7 * t))
    y = additive(sr, hz, [1, 0.35, 0.2, 0.08, 0.05]) * swell(sr, sec, 0.2, 0.4) * (0.85 + 0.15 * np.sin(2 * np.pi * 5.7 * t + 1))
    return peak(room(sr, rng, y, 1.2, 0.2), 0.7)


def singing_bowl(sr, rng):
    sec = 6.0
    t = []
    for r, a, d in ((1, 1, 14), (2.71, .6, 9), (5.0, .35, 5), (7.9, .15, 2.5)):
        t += [(220 * r, a * .55, d), (220 * r + 1.1, a * .45, d)]
    y = modes(sr, sec, t, 0.004) * swell(sr, sec, 0, .8)
    return peak(room(sr, rng, y, 1.2, .15), 0.7)


def violin(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for at, n, f in ((.1, 1.2, 440), (1.3, .6, 493.9), (1.9, .6, 554.4), (2.5, 1.2, 659.3), (3.7, 1.2, 440)):
        t = times(sr, n)
        hz = f * (1 + 0.006 * np.clip(t * 3, 0, 1) * np.sin(2 * np.pi * 5.8 * t)) * (1 + .001 * np.cumsum(rng.standard_normal(len(t))) / np.sqrt(sr))
        s = saw(sr, hz, 1.0, 40)
        s = s + .05 * high_pass(sr, white(rng, len(t)), 2000, 1)
        place(y, s * swell(sr, n, .09, .09), sr, at)
    b = sum(g * resonator(sr, y, f, w) for f, w, g in ((280, 40, .8), (460, 50, 1), (550, 60, 1), (1000, 250, .8), (2600, 700, 1.2), (4500, 1500, .4)))
    return peak(room(sr, rng, b + .15 * y, 1.4, .2), .75)


def trumpet(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    for at, n, f in ((.1, .25, 392), (.4, .25, 392), (.7, .25, 392), (1.0, .9, 523.3), (1.95, .25, 392), (2.25, 1.4, 659.3)):
        t = times(sr, n)
        hz = f * (1 - .03 * np.exp(-t / .02)) * (1 + .004 * np.clip(t - .3, 0, 1) * np.sin(2 * np.pi * 5.3 * t))
        env = swell(sr, n, .035, .06)
        soft = additive(sr, hz, [1, .8, .5, .25, .12])
        hard = additive(sr, hz, [.7, .9, 1, .95, .8, .65, .5, .4, .3, .22, .16, .1])
        place(y, (soft * (1 - env) + hard * env) * env, sr, at)
    return peak(room(sr, rng, y, 1.2, .2), .75)


def harmonica(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    for at, n, c in ((.1, .7, (523, 659)), (.8, .5, (587, 698)), (1.3, .7, (659, 784)), (2.0, .5, (587, 698)), (2.5, 1.2, (523, 659))):
        for f in c:
            t = times(sr, n)
            hz = np.full(len(t), float(f)) * (1 + .003 * np.sin(2 * np.pi * 5 * t))
            place(y, additive(sr, hz, [1, .8, .7, .5, .45, .3, .25, .2, .12, .1]) * swell(sr, n, .05, .06) * (1 + .25 * np.sin(2 * np.pi * 5 * t)), sr, at)
    return peak(room(sr, rng, y, .7, .2), .7)
