"""Engines, motors, rotors and bangs."""

import numpy as np

from .dsp import *


def pulses(sr, rng, rate, shape, jitter=0.02, level=0.15):
    """A pulse train: `rate` is a curve in Hz, `shape` the response to one pulse."""
    ph = np.cumsum(rate) / sr
    y = np.zeros(len(rate))
    for i in np.flatnonzero(np.diff(ph.astype(int)) > 0):
        place(y, shape, sr, max(0, i / sr + rng.normal(0, jitter) / rate[i]), 1 + level * rng.standard_normal())
    return y


def engine_idle(sr, rng):
    sec = 6.0
    n = int(round(sr * sec))
    rate = 27 + wander(sr, rng, sec, 3, -1, 1)
    puff = low_pass(sr, white(rng, int(round(.06 * sr))), 500, 1) * decay(sr, .06, .05, .003) + 1.2 * np.sin(2 * np.pi * 75 * times(sr, .06)) * decay(sr, .06, .07, .003)
    y = pulses(sr, rng, rate, puff, .04, .3)
    tick = high_pass(sr, white(rng, int(round(.006 * sr))), 1500, 1) * decay(sr, .006, .006, .0005)
    y = rms(y, 1) + .12 * rms(pulses(sr, rng, rate * 2, tick, .1, .5), 1) + .1 * rms(coloured(rng, n, 1), 1)
    return peak(room(sr, rng, y, .3, .2) * swell(sr, sec, .05, .05), .7)


def motorcycle(sr, rng):
    sec = 5.0
    rate = line(sr, sec, [(0, 22), (1, 22), (1.8, 85), (2.4, 50), (3.2, 120), (4, 60), (5, 40)]) + wander(sr, rng, sec, 6, -1, 1)
    puff = low_pass(sr, white(rng, int(round(.03 * sr))), 1800, 1) * decay(sr, .03, .03, .001) + 2 * np.sin(2 * np.pi * 110 * times(sr, .03)) * decay(sr, .03, .04, .001)
    y = pulses(sr, rng, rate, puff, .03, .2)
    return peak(room(sr, rng, np.tanh(.8 * rms(y, 1)), .3, .2) * swell(sr, sec, .1, .3), .8)


def helicopter(sr, rng):
    sec = 6.0
    n = int(round(sr * sec))
    t = times(sr, sec)
    blade = np.exp(-(((t * 11.5) % 1) / .22) ** 2) + .5 * np.exp(-(((t * 11.5 + .04) % 1 - 1) / .15) ** 2)
    low = low_pass(sr, coloured(rng, n, 1.2), 900, 1) * blade
    thump = pulses(sr, rng, np.full(n, 11.5), np.sin(2 * np.pi * 55 * times(sr, .07)) * decay(sr, .07, .07, .006), .01, .1)
    turb = .08 * saw(sr, 780 + 5 * np.sin(2 * np.pi * .7 * t), .7, 8)
    y = rms(low, 1) + .7 * rms(thump, 1) + .15 * rms(coloured(rng, n, .6), 1) + .05 * turb
    return peak(y * swell(sr, sec, .3, .4), .75)


def vacuum(sr, rng):
    sec = 5.0
    n = int(round(sr * sec))
    t = times(sr, sec)
    spin = 290 * (1 - np.exp(-(t + .1) / .25)) + wander(sr, rng, sec, 2, -3, 3)
    y = 1.1 * rms(band_pass(sr, coloured(rng, n, .5), 250, 6000, 1), 1) + .55 * rms(saw(sr, spin, .9, 14), 1) + .3 * rms(saw(sr, spin * 7.03, .8, 3), 1)
    return peak(room(sr, rng, y, .3, .3) * swell(sr, sec, .15, .1), .6)


def drill(sr, rng):
    sec = 4.0
    t = times(sr, sec)
    spin = line(sr, sec, [(0, 60), (.25, 420), (1.5, 400), (2.2, 330), (3.2, 380), (3.6, 400), (4, 80)]) + wander(sr, rng, sec, 12, -8, 8)
    buzz = np.tanh(1.5 * saw(sr, spin, .6, 25))
    grit = band_pass(sr, white(rng, len(t)), 1200, 7000, 1) * (.5 + .5 * np.sin(phase(sr, spin / 3)))
    y = rms(buzz, 1) + .6 * rms(grit, 1) + .4 * rms(saw(sr, spin * 4.1, .5, 6), 1)
    return peak(room(sr, rng, y, .4, .25) * swell(sr, sec, .05, .1), .7)


def gunshots(sr, rng):
    y = silence(sr, 4.0)
    for at in (.3, 1.5, 2.1):
        n = .6
        b = white(rng, int(round(n * sr))) * decay(sr, n, .25, .0003)
        b = low_pass(sr, b, 5000, 1) + 1.5 * low_pass(sr, b, 300, 2)
        place(y, np.tanh(2.5 * b), sr, at)
    return peak(room(sr, rng, y, 1.8, .3, .03, 2500), .9)


def explosion(sr, rng):
    sec = 5.0
    n = int(round(sr * sec))
    b = white(rng, n) * decay(sr, sec, 1.6, .002)
    low = low_pass(sr, coloured(rng, n, 1.8), 150, 1) * decay(sr, sec, 4.5, .02)
    y = silence(sr, sec)
    place(y, np.tanh(2 * (low_pass(sr, b, 1200, 1) + .8 * rms(low, .5))), sr, .25)
    return peak(room(sr, rng, y, 2.5, .35, bright=1200) * swell(sr, sec, 0, .8), .9)


def fireworks(sr, rng):
    y = silence(sr, 5.0)
    for at, g in ((.2, 1), (1.3, .8), (2.6, 1)):
        n = .9
        b = white(rng, int(round(n * sr))) * decay(sr, n, .35, .001)
        place(y, low_pass(sr, b, 900, 1) * 2, sr, at, g)
        for _ in range(60):
            k = white(rng, int(round(.012 * sr))) * decay(sr, .012, .01, .0003)
            place(y, k, sr, at + .3 + rng.exponential(.35), .15 * rng.random())
    return peak(room(sr, rng, y, 2, .35, bright=2500), .85)


def train(sr, rng):
    sec = 6.0
    n = int(round(sr * sec))
    y = .35 * rms(low_pass(sr, coloured(rng, n, 1.3), 800, 1), 1)
    at = .1
    while at < sec - .3:
        for d, g in ((0, 1), (.16, .8)):
            k = low_pass(sr, white(rng, int(round(.12 * sr))), 700, 1) * decay(sr, .12, .1, .002)
            place(y, k * 9 + 1.0 * modes(sr, .12, [(620, 1, .09), (1340, .6, .06), (2210, .4, .05)]), sr, at + d, g)
        at += .78
    return peak(room(sr, rng, y, .6, .25) * swell(sr, sec, .2, .3), .75)


def aeroplane(sr, rng):
    sec = 6.0
    n = int(round(sr * sec))
    d = line(sr, sec, [(0, 1.05), (3, 1.0), (6, .93)])
    whine = saw(sr, 1250 * d, .5, 4) * .08
    y = rms(low_pass(sr, coloured(rng, n, 1.0), 2500, 1), 1) * line(sr, sec, [(0, .35), (3, 1), (6, .4)]) + whine
    return peak(y * swell(sr, sec, .3, .4), .7)


def sewing_machine(sr, rng):
    sec = 5.0
    n = int(round(sr * sec))
    rate = line(sr, sec, [(0, 5), (.5, 13), (2.2, 13), (2.6, 8), (3, 14), (5, 14)])
    clack = band_pass(sr, white(rng, int(round(.03 * sr))), 900, 5000, 1) * decay(sr, .03, .025, .001) + .3 * modes(sr, .03, [(420, 1, .04), (1100, 1, .03)])
    y = pulses(sr, rng, rate, clack, .02, .15)
    y += .5 * pulses(sr, rng, rate, np.concatenate([np.zeros(int(round(.03 * sr))), clack]), .02, .15)
    hum = saw(sr, rate * 9, .8, 20)
    y = rms(y, 1) + .3 * rms(hum, 1) + .05 * rms(coloured(rng, n, 1), 1)
    return peak(room(sr, rng, y, .3, .2) * swell(sr, sec, .05, .1), .7)
