"""Small things near by: clocks, doors, keys, glass, hands, feet, a heart."""

import numpy as np

from .dsp import (
    additive,
    band_pass,
    coloured,
    decay,
    high_pass,
    low_pass,
    modes,
    peak,
    phase,
    place,
    resonator,
    room,
    silence,
    swell,
    times,
    white,
)


def clock(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for k in range(10):
        n = 0.06
        f = 1 if k % 2 == 0 else 0.86
        tick = modes(
            sr,
            n,
            [(2300 * f, 1, 0.035), (3900 * f, 0.8, 0.025), (5600 * f, 0.5, 0.015), (1150 * f, 0.5, 0.04)],
            0.0003,
        )
        tick += 0.8 * high_pass(sr, white(rng, int(round(n * sr))), 2000, 1) * decay(sr, n, 0.01, 0.0003)
        place(y, tick, sr, 0.2 + k * 0.5)
        place(y, tick, sr, 0.2 + k * 0.5 + 0.025, 0.25)
    y += 0.0015 * coloured(rng, len(y), 1)
    return peak(room(sr, rng, y, 0.25, 0.15), 0.7)


def heartbeat(sr, rng):
    sec = 4.4
    y = silence(sr, sec)
    for k in range(5):
        for d, f, g in ((0, 55, 1.0), (0.3, 70, 0.7)):
            n = 0.16
            thump = np.sin(phase(sr, f * (1 + 0.6 * np.exp(-times(sr, n) / 0.02)))) * decay(
                sr, n, 0.17, 0.012
            )
            place(
                y,
                thump + 0.12 * low_pass(sr, white(rng, int(round(n * sr))), 250) * decay(sr, n, 0.12, 0.01),
                sr,
                0.2 + k * 0.83 + d,
                g,
            )
    return peak(low_pass(sr, y, 300), 0.9)


def knock(sr, rng):
    y = silence(sr, 3.0)
    for at in (0.2, 0.42, 0.64, 1.7, 1.92, 2.14):
        n = 0.25
        k = modes(
            sr,
            n,
            [
                (135, 1, 0.16),
                (240, 0.9, 0.12),
                (395, 0.7, 0.09),
                (610, 0.5, 0.06),
                (980, 0.35, 0.04),
                (1650, 0.2, 0.025),
            ],
            0.0008,
        )
        k += 0.5 * band_pass(sr, white(rng, int(round(n * sr))), 300, 3000, 1) * decay(sr, n, 0.03, 0.0005)
        place(y, k, sr, at, rng.uniform(0.85, 1.05))
    return peak(room(sr, rng, y, 0.5, 0.2), 0.85)


def typing(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    at = 0.15
    while at < sec - 0.2:
        g = rng.uniform(0.6, 1)
        f = rng.uniform(0.85, 1.2)
        down = high_pass(sr, white(rng, int(round(0.012 * sr))), 1800, 1) * decay(sr, 0.012, 0.01, 0.0003)
        body = modes(
            sr,
            0.05,
            [(420 * f, 0.5, 0.05), (950 * f, 0.45, 0.04), (2600 * f, 0.5, 0.02), (4200 * f, 0.4, 0.012)],
            0.0004,
        )
        place(y, down, sr, at, 0.8 * g)
        place(y, body, sr, at + 0.004, 0.6 * g)
        place(y, down, sr, at + rng.uniform(0.06, 0.09), 0.35 * g)
        at += rng.uniform(0.08, 0.17) if rng.random() > 0.12 else 0.4
    y += 0.002 * coloured(rng, len(y), 1)
    return peak(room(sr, rng, y, 0.25, 0.15), 0.7)


def camera(sr, rng):
    y = silence(sr, 3.0)
    for at in (0.3, 1.1, 2.0):
        for d, g in ((0, 1), (0.035, 0.6), (0.13, 0.9), (0.155, 0.5)):
            c = band_pass(sr, white(rng, int(round(0.02 * sr))), 1500, 7500, 1) * decay(
                sr, 0.02, 0.015, 0.0004
            ) + 0.4 * modes(sr, 0.02, [(1250, 1, 0.02), (3300, 1, 0.015)])
            place(y, c, sr, at + d, g)
    return peak(room(sr, rng, y, 0.2, 0.12), 0.7)


def clap(sr, rng):
    n = 0.06
    f = rng.uniform(700, 1800)
    return band_pass(sr, white(rng, int(round(n * sr))), f, f * 3, 1) * decay(
        sr, n, rng.uniform(0.02, 0.05), 0.0006
    )


def applause(sr, rng):
    sec = 6.0
    people = [
        (rng.uniform(3.3, 5), rng.uniform(0, 0.3), rng.uniform(0.2, 1) ** 1.5, rng.uniform(-1, 1))
        for _ in range(70)
    ]
    left, right = silence(sr, sec), silence(sr, sec)
    for rate, start, g, p in people:
        c = [clap(sr, rng) for _ in range(3)]
        at = start
        while at < sec - 0.1:
            k = c[int(rng.integers(3))]
            place(left, k, sr, at, g * (1 - 0.7 * p))
            place(right, k, sr, at + 0.0005 * p, g * (1 + 0.7 * p))
            at += (1 / rate) * (1 + 0.06 * rng.standard_normal())
    y = np.stack([room(sr, rng, c, 1.0, 0.3) for c in (left, right)], 1)
    return peak(y * swell(sr, sec, 0.5, 0.8)[:, None], 0.75)


def whistle(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    for at, n, a, b in (
        (0.2, 0.35, 1200, 1650),
        (0.7, 0.8, 1650, 1500),
        (1.7, 0.3, 1350, 1350),
        (2.05, 0.3, 1500, 1500),
        (2.4, 1.1, 1800, 1200),
    ):
        t = times(sr, n)
        hz = np.interp(t / n, [0, 0.35, 1], [a, b, b * 0.99]) * (1 + 0.008 * np.sin(2 * np.pi * 5.5 * t))
        air = resonator(sr, white(rng, len(t)), b, 250)
        place(y, (additive(sr, hz, [1, 0.05, 0.015]) + 0.15 * air) * swell(sr, n, 0.05, 0.08), sr, at)
    return peak(room(sr, rng, y, 0.5, 0.15), 0.6)
