"""Rain, wind, sea, thunder, running water, fire."""

import numpy as np

from .dsp import (
    band_pass,
    coloured,
    decay,
    formants,
    high_pass,
    low_pass,
    peak,
    phase,
    place,
    rms,
    room,
    swell,
    times,
    wander,
    white,
)


def bubble(sr, hz, rise, t60):
    """Minnaert bubble: a damped sine whose pitch rises as it nears the surface."""
    n = t60 * 1.2
    t = times(sr, n)
    return np.sin(phase(sr, hz * (1 + rise * t / t60))) * decay(sr, n, t60, 0.001)


def rain(sr, rng, sec=6.0):
    """Far drops are noise, near ones bright ticks, and each that falls in a puddle leaves a tiny bubble."""
    n = int(round(sr * sec))
    far = rms(high_pass(sr, coloured(rng, n, 0.24), 350, 1), 1)
    ticks = np.zeros(n)
    count = int(58000 * sec)
    ticks[rng.integers(0, n, count)] = rng.exponential(1.0, count) * rng.choice([-1, 1], count)
    near = rms(band_pass(sr, ticks, 2000, 7800, 1), 1)
    bubbles = np.zeros(n)
    for _ in range(int(280 * sec)):
        hz = np.exp(rng.uniform(np.log(500), np.log(5000)))
        place(bubbles, bubble(sr, hz, 0.2, 0.0033), sr, rng.uniform(0, sec), rng.exponential(1))
    return rms(far + 0.47 * near + 1.2 * rms(bubbles, 1), 0.11)


def wind(sr, rng):
    sec = 7.0
    n = int(round(sr * sec))
    gust = wander(sr, rng, sec, 0.9) ** 1.5
    low = low_pass(sr, coloured(rng, n, 1.6), 500, 1) * (0.4 + gust)
    howl = formants(sr, white(rng, n), [(350 + 350 * gust, 60, 1.0), (700 + 500 * gust, 110, 0.4)])
    y = rms(low, 1.0) + 1.2 * rms(howl * (0.1 + gust), 1.0)
    return peak(y * swell(sr, sec, 0.3, 0.3), 0.7)


def ocean_waves(sr, rng):
    sec = 8.0
    n = int(round(sr * sec))
    t = times(sr, sec)
    chans = []
    for c in range(2):
        y = 0.15 * coloured(rng, n, 1.2)
        for start in (-1.5, 2.3, 6.0):
            u = t - start - 0.15 * c
            env = np.where(u > 0, (u / 1.3) ** 2 * np.exp(2 - 2 * u / 1.3), 0.0)
            roar = low_pass(sr, coloured(rng, n, 1.0), 1500, 1)
            hiss = high_pass(sr, white(rng, n), 2000, 1)
            env2 = np.where(u > 0.5, ((u - 0.5) / 1.6) ** 2 * np.exp(2 - 2 * (u - 0.5) / 1.6), 0.0)
            y += env * roar + 0.18 * env2 * hiss
        chans.append(y)
    return peak(np.stack(chans, 1) * swell(sr, sec, 0.4, 0.5)[:, None], 0.7)


def thunder(sr, rng):
    sec = 7.0
    n = int(round(sr * sec))
    y = np.zeros(n)
    crack = white(rng, int(round(sr * 0.5))) * decay(sr, 0.5, 0.5, 0.002)
    place(y, low_pass(sr, crack, 3500, 1), sr, 0.4, 1.0)
    place(y, low_pass(sr, crack[::-1] * 0.7, 2500, 1), sr, 0.55, 0.5)
    t = times(sr, sec)
    roll = low_pass(sr, coloured(rng, n, 1.6), 220, 1)
    env = np.where(t > 0.45, np.exp(-(t - 0.45) / 2.0), 0) * (0.25 + wander(sr, rng, sec, 5) ** 2)
    y += 1.5 * rms(roll, 1) * env
    y += 0.02 * high_pass(sr, white(rng, n), 800, 1)
    return peak(room(sr, rng, y, 3.0, 0.4, bright=1200) * swell(sr, sec, 0.05, 1.0), 0.85)


def fire(sr, rng):
    sec = 6.0
    n = int(round(sr * sec))
    y = 0.05 * rms(low_pass(sr, coloured(rng, n, 1.5), 600, 1), 1) * (0.6 + wander(sr, rng, sec, 6))
    y += 0.01 * high_pass(sr, white(rng, n), 1000, 1) * wander(sr, rng, sec, 4)
    at = 0.0
    while True:
        at += rng.exponential(0.035)
        if at > sec - 0.05:
            break
        length = rng.uniform(0.002, 0.012)
        snap = (
            white(rng, int(round(length * 3 * sr)))
            * decay(sr, length * 3, length * 2, 0.0002)[: int(round(length * 3 * sr))]
        )
        lo = rng.uniform(500, 2500)
        place(y, band_pass(sr, snap, lo, lo * 3, 1), sr, at, rng.pareto(1.8) * 0.12 + 0.03)
    return peak(np.tanh(1.5 * y), 0.7)
