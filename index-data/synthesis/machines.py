"""Engines, motors, rotors and bangs."""

import numpy as np

from .dsp import band_pass, coloured, decay, low_pass, peak, place, rms, room, saw, swell, times, wander


def pulses(sr, rng, rate, shape, jitter=0.02, level=0.15):
    """A pulse train: `rate` is a curve in Hz, `shape` the response to one pulse."""
    ph = np.cumsum(rate) / sr
    y = np.zeros(len(rate))
    for i in np.flatnonzero(np.diff(ph.astype(int)) > 0):
        place(
            y, shape, sr, max(0, i / sr + rng.normal(0, jitter) / rate[i]), 1 + level * rng.standard_normal()
        )
    return y


def helicopter(sr, rng):
    sec = 6.0
    n = int(round(sr * sec))
    t = times(sr, sec)
    blade = np.exp(-((((t * 11.5) % 1) / 0.22) ** 2)) + 0.5 * np.exp(
        -((((t * 11.5 + 0.04) % 1 - 1) / 0.15) ** 2)
    )
    low = low_pass(sr, coloured(rng, n, 1.2), 900, 1) * blade
    thump = pulses(
        sr,
        rng,
        np.full(n, 11.5),
        np.sin(2 * np.pi * 55 * times(sr, 0.07)) * decay(sr, 0.07, 0.07, 0.006),
        0.01,
        0.1,
    )
    turb = 0.08 * saw(sr, 780 + 5 * np.sin(2 * np.pi * 0.7 * t), 0.7, 8)
    y = rms(low, 1) + 0.7 * rms(thump, 1) + 0.15 * rms(coloured(rng, n, 0.6), 1) + 0.05 * turb
    return peak(y * swell(sr, sec, 0.3, 0.4), 0.75)


def vacuum(sr, rng):
    sec = 5.0
    n = int(round(sr * sec))
    t = times(sr, sec)
    spin = 290 * (1 - np.exp(-(t + 0.1) / 0.25)) + wander(sr, rng, sec, 2, -3, 3)
    y = (
        1.1 * rms(band_pass(sr, coloured(rng, n, 0.5), 250, 6000, 1), 1)
        + 0.55 * rms(saw(sr, spin, 0.9, 14), 1)
        + 0.3 * rms(saw(sr, spin * 7.03, 0.8, 3), 1)
    )
    return peak(room(sr, rng, y, 0.3, 0.3) * swell(sr, sec, 0.15, 0.1), 0.6)
