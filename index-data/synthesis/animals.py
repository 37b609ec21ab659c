"""Calls: source-filter voices for mammals, FM whistles for birds, pulse trains for frogs and insects."""

import numpy as np

from .dsp import (
    additive,
    band_pass,
    coloured,
    formants,
    peak,
    phase,
    place,
    resonator,
    room,
    saw,
    silence,
    swell,
    times,
    wander,
    white,
)


def bark(
    sr,
    rng,
    f0=(480, 1147, 624),
    length=0.155,
    rough=0.963,
    f1=(368, 587, 368),
    f2=(1750, 1425, 1750),
    noise=0.0139,
    tilt=1.6,
    bandwidth=293,
    attack=0.034,
):
    """One bark: a rough pitch arch through two moving formants; the mouth opens and shuts."""
    t = times(sr, length)
    u = t / length
    third = [0, 0.3, 1]
    hz = np.interp(u, third, f0) * (1 + 0.02 * wander(sr, rng, length, 60, -1, 1))
    # A subharmonic and jitter: the folds do not swing alike.
    rasp = 1 + rough * np.sin(phase(sr, hz / 2))
    src = saw(sr, hz, tilt, 60) * rasp + noise * white(rng, len(t)) * (1 + 0.5 * np.sin(phase(sr, hz)))
    y = formants(
        sr,
        src,
        [
            (np.interp(u, third, f1), bandwidth, 1.0),
            (np.interp(u, third, f2), bandwidth * 1.4, 0.7),
            (3300, 500, 0.35),
            (350, 150, 0.4),
        ],
    )
    envelope = np.minimum(t / attack, 1) * np.interp(u, [0, 0.35, 0.6, 1], [0.9, 1, 0.6, 0]) ** 1.5
    return peak(np.tanh(2 * peak(y * envelope, 1)), 1)


def dog(sr, rng):
    y = silence(sr, 4.0)
    for at in (0.2, 1.1, 1.95, 2.85):
        place(y, bark(sr, rng), sr, at, rng.uniform(0.85, 1))
    return y


def cricket(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    t = times(sr, 0.016)
    pulse = np.sin(2 * np.pi * 4600 * t) * swell(sr, 0.016, 0.006, 0.008)
    at = 0.1
    while at < sec - 0.2:
        for k in range(4):
            place(y, pulse, sr, at + k * 0.026, 0.6 + 0.13 * k)
        at += 0.36 + rng.normal(0, 0.008)
    y += 0.004 * coloured(rng, len(y), 0.7)
    return peak(room(sr, rng, y, 0.4, 0.1), 0.5)


def birds(sr, rng):
    sec = 6.0
    left, right = silence(sr, sec), silence(sr, sec)
    kinds = (
        (4200, 5600, 0.09, 4, 0.14),
        (3000, 2400, 0.16, 3, 0.22),
        (5200, 3800, 0.05, 7, 0.085),
        (3500, 4300, 0.12, 2, 0.2),
    )
    for bird in range(4):
        a, b, n, reps, gap = kinds[bird]
        at = 0.1 + 0.3 * bird
        while at < sec - 1:
            for k in range(reps):
                t = times(sr, n)
                hz = np.interp(
                    t / n, [0, 0.4, 1], [a, b, (a + b) / 2 * (1 + 0.04 * rng.standard_normal())]
                ) * (1 + 0.015 * np.sin(2 * np.pi * 45 * t))
                c = (np.sin(phase(sr, hz)) + 0.12 * np.sin(2 * phase(sr, hz))) * swell(
                    sr, n, n * 0.25, n * 0.4
                )
                g = rng.uniform(0.5, 1) * (1, 0.7, 0.6, 0.5)[bird]
                p = (-0.6, 0.5, 0.1, 0.8)[bird]
                place(left, c, sr, at + k * gap, g * (1 - p) / 2)
                place(right, c, sr, at + k * gap, g * (1 + p) / 2)
            at += reps * gap + rng.uniform(0.5, 1.4)
    y = [room(sr, rng, c + 0.002 * coloured(rng, len(c), 1), 1.0, 0.25, bright=7000) for c in (left, right)]
    return peak(np.stack(y, 1), 0.6)


def owl(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for at, n, f in (
        (0.2, 0.25, 345),
        (0.75, 0.18, 350),
        (1.05, 0.55, 365),
        (1.9, 0.4, 345),
        (2.6, 0.5, 335),
        (3.6, 0.25, 345),
        (4.1, 0.6, 360),
    ):
        t = times(sr, n)
        hz = (
            f
            * np.interp(t / n, [0, 0.3, 0.8, 1], [0.94, 1.02, 1, 0.92])
            * (1 + 0.004 * np.sin(2 * np.pi * 18 * t))
        )
        place(
            y,
            additive(sr, hz, [1, 0.12, 0.05]) * swell(sr, n, 0.06, 0.1)
            + 0.02 * band_pass(sr, white(rng, len(t)), 250, 800, 1) * swell(sr, n, 0.05, 0.05),
            sr,
            at,
        )
    y += 0.0015 * coloured(rng, len(y), 1)
    return peak(room(sr, rng, y, 1.6, 0.35, 0.03, 1500), 0.7)


def frogs(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for f, start, g in ((1.0, 0.1, 1), (1.18, 0.5, 0.7), (0.86, 0.85, 0.6)):
        at = start
        while at < sec - 0.5:
            n = 0.32
            m = int(round(n * sr))
            ex = np.zeros(m)
            rate = np.interp(np.arange(m) / m, [0, 1], [42, 70])
            ex[np.flatnonzero(np.diff((np.cumsum(rate) / sr).astype(int)) > 0)] = 1
            c = (
                resonator(sr, ex, 850 * f, 160)
                + 0.9 * resonator(sr, ex, 1900 * f, 260)
                + 0.3 * resonator(sr, ex, 2900 * f, 400)
            )
            c *= np.interp(np.arange(m) / m, [0, 0.3, 0.9, 1], [0.3, 1, 0.9, 0])
            place(y, peak(c, 1), sr, at, g * rng.uniform(0.8, 1))
            at += rng.uniform(0.85, 1.15)
    y += 0.004 * coloured(rng, len(y), 0.8)
    return peak(room(sr, rng, y, 0.6, 0.15), 0.7)


def cat(sr, rng):
    y = silence(sr, 4.0)
    for at, n, k in ((0.2, 0.85, 1.0), (1.9, 1.1, 0.93)):
        u = times(sr, n) / n
        hz = (
            k
            * np.interp(u, [0, 0.15, 0.45, 0.8, 1], [480, 620, 700, 560, 430])
            * (1 + 0.008 * wander(sr, rng, n, 30, -1, 1))
        )
        src = saw(sr, hz, 0.8, 24) + 0.06 * white(rng, len(u))
        v = formants(
            sr,
            src,
            [
                (np.interp(u, [0, 0.2, 0.5, 1], [500, 800, 1300, 750]), 160, 1),
                (np.interp(u, [0, 0.2, 0.5, 1], [2500, 2300, 1900, 1300]), 200, 0.9),
                (3600, 350, 0.5),
                (4800, 500, 0.25),
            ],
        )
        place(y, peak(v * np.interp(u, [0, 0.08, 0.5, 0.85, 1], [0, 0.7, 1, 0.5, 0]), 1), sr, at)
    return peak(room(sr, rng, y, 0.4, 0.15), 0.75)


def sheep(sr, rng):
    y = silence(sr, 4.0)
    for at, n, k in ((0.2, 0.9, 1.0), (1.5, 0.8, 1.12), (2.8, 0.9, 0.95)):
        t = times(sr, n)
        u = t / n
        trem = np.sin(2 * np.pi * 9 * t)
        hz = (
            k
            * np.interp(u, [0, 0.2, 0.8, 1], [270, 330, 300, 240])
            * (1 + 0.035 * trem + 0.01 * wander(sr, rng, n, 50, -1, 1))
        )
        src = saw(sr, hz, 0.6, 30) * (1 + 0.25 * np.sin(phase(sr, hz / 2))) + 0.2 * white(rng, len(u))
        v = formants(
            sr,
            src,
            [
                (np.interp(u, [0, 0.3, 1], [500, 850, 800]), 120, 1),
                (1750, 180, 0.9),
                (2700, 250, 0.5),
                (3700, 400, 0.25),
            ],
        )
        place(y, peak(v * (1 + 0.45 * trem) * np.interp(u, [0, 0.08, 0.7, 1], [0, 1, 0.8, 0]), 1), sr, at)
    return peak(room(sr, rng, y, 0.5, 0.15), 0.75)


def duck(sr, rng):
    y = silence(sr, 4.0)
    at = 0.2
    for _ in range(7):
        n = 0.2
        u = times(sr, n) / n
        hz = np.interp(u, [0, 0.3, 1], [190, 215, 170]) * (1 + 0.03 * wander(sr, rng, n, 80, -1, 1))
        src = saw(sr, hz, 0.35, 40) + 0.3 * white(rng, len(u))
        v = formants(
            sr,
            src,
            [(np.interp(u, [0, 0.4, 1], [1000, 1500, 1200]), 160, 1), (2400, 260, 0.6), (3300, 350, 0.35)],
        )
        place(y, peak(v * np.interp(u, [0, 0.1, 0.7, 1], [0, 1, 0.8, 0]), 1), sr, at, rng.uniform(0.7, 1))
        at += 0.42 + 0.03 * rng.standard_normal()
    return peak(room(sr, rng, y, 0.5, 0.15), 0.75)
