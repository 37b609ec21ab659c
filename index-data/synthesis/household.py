"""Small things near by: clocks, doors, keys, glass, hands, feet, a heart."""

import numpy as np

from .dsp import *


def clock(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for k in range(10):
        n = .06
        f = 1 if k % 2 == 0 else .86
        tick = modes(sr, n, [(2300 * f, 1, .035), (3900 * f, .8, .025), (5600 * f, .5, .015), (1150 * f, .5, .04)], .0003)
        tick += .8 * high_pass(sr, white(rng, int(round(n * sr))), 2000, 1) * decay(sr, n, .01, .0003)
        place(y, tick, sr, .2 + k * .5)
        place(y, tick, sr, .2 + k * .5 + .025, .25)
    y += .0015 * coloured(rng, len(y), 1)
    return peak(room(sr, rng, y, .25, .15), .7)


def heartbeat(sr, rng):
    sec = 4.4
    y = silence(sr, sec)
    for k in range(5):
        for d, f, g in ((0, 55, 1.0), (.3, 70, .7)):
            n = .16
            thump = np.sin(phase(sr, f * (1 + .6 * np.exp(-times(sr, n) / .02)))) * decay(sr, n, .17, .012)
            place(y, thump + .12 * low_pass(sr, white(rng, int(round(n * sr))), 250) * decay(sr, n, .12, .01), sr, .2 + k * .83 + d, g)
    return peak(low_pass(sr, y, 300), .9)


def knock(sr, rng):
    y = silence(sr, 3.0)
    for at in (.2, .42, .64, 1.7, 1.92, 2.14):
        n = .25
        k = modes(sr, n, [(135, 1, .16), (240, .9, .12), (395, .7, .09), (610, .5, .06), (980, .35, .04), (1650, .2, .025)], .0008)
        k += .5 * band_pass(sr, white(rng, int(round(n * sr))), 300, 3000, 1) * decay(sr, n, .03, .0005)
        place(y, k, sr, at, rng.uniform(.85, 1.05))
    return peak(room(sr, rng, y, .5, .2), .85)


def footsteps(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for k in range(9):
        at = .2 + k * .53 + rng.normal(0, .008)
        heel = low_pass(sr, white(rng, int(round(.09 * sr))), 900, 1) * decay(sr, .09, .06, .001) + .4 * modes(sr, .09, [(160, 1, .06), (420, .5, .04), (1900, .3, .02)])
        toe = band_pass(sr, white(rng, int(round(.07 * sr))), 800, 5000, 1) * decay(sr, .07, .05, .006)
        place(y, heel, sr, at, rng.uniform(.8, 1.1))
        place(y, toe, sr, at + .09, .22)
    y += .002 * coloured(rng, len(y), 1)
    return peak(room(sr, rng, y, .7, .3), .75)


def typing(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    at = .15
    while at < sec - .2:
        g = rng.uniform(.6, 1)
        f = rng.uniform(.85, 1.2)
        down = high_pass(sr, white(rng, int(round(.012 * sr))), 1800, 1) * decay(sr, .012, .01, .0003)
        body = modes(sr, .05, [(420 * f, .5, .05), (950 * f, .45, .04), (2600 * f, .5, .02), (4200 * f, .4, .012)], .0004)
        place(y, down, sr, at, .8 * g)
        place(y, body, sr, at + .004, .6 * g)
        place(y, down, sr, at + rng.uniform(.06, .09), .35 * g)
        at += rng.uniform(.08, .17) if rng.random() > .12 else .4
    y += .002 * coloured(rng, len(y), 1)
    return peak(room(sr, rng, y, .25, .15), .7)


def camera(sr, rng):
    y = silence(sr, 3.0)
    for at in (.3, 1.1, 2.0):
        for d, g in ((0, 1), (.035, .6), (.13, .9), (.155, .5)):
            c = band_pass(sr, white(rng, int(round(.02 * sr))), 1500, 7500, 1) * decay(sr, .02, .015, .0004) + .4 * modes(sr, .02, [(1250, 1, .02), (3300, 1, .015)])
            place(y, c, sr, at + d, g)
    return peak(room(sr, rng, y, .2, .12), .7)


def glass(sr, rng):
    y = silence(sr, 3.0)
    place(y, low_pass(sr, white(rng, int(round(.1 * sr))), 5000, 1) * decay(sr, .1, .06, .0005), sr, .25, .9)
    for _ in range(130):
        at = .25 + abs(rng.exponential(.22))
        f = rng.uniform(1800, 7000)
        shard = modes(sr, .3, [(f, 1, .25 * rng.random() + .04), (f * 1.52, .7, .15), (f * 2.31, .5, .1)], .0003)
        place(y, shard, sr, at, .35 * rng.random() * np.exp(-(at - .25) / .6))
    for _ in range(120):
        at = .25 + rng.exponential(.1)
        place(y, high_pass(sr, white(rng, int(round(.01 * sr))), 3000, 1) * decay(sr, .01, .008, .0002), sr, at, .6 * rng.random())
    return peak(room(sr, rng, y, .5, .15, bright=8000), .85)


def clap(sr, rng):
    n = .06
    f = rng.uniform(700, 1800)
    return band_pass(sr, white(rng, int(round(n * sr))), f, f * 3, 1) * decay(sr, n, rng.uniform(.02, .05), .0006)


def applause(sr, rng):
    sec = 6.0
    out = []
    people = [(rng.uniform(3.3, 5), rng.uniform(0, .3), rng.uniform(.2, 1) ** 1.5, rng.uniform(-1, 1)) for _ in range(70)]
    left, right = silence(sr, sec), silence(sr, sec)
    for rate, start, g, p in people:
        c = [clap(sr, rng) for _ in range(3)]
        at = start
        while at < sec - .1:
            k = c[int(rng.integers(3))]
            place(left, k, sr, at, g * (1 - .7 * p))
            place(right, k, sr, at + .0005 * p, g * (1 + .7 * p))
            at += (1 / rate) * (1 + .06 * rng.standard_normal())
    y = np.stack([room(sr, rng, c, 1.0, .3) for c in (left, right)], 1)
    return peak(y * swell(sr, sec, .5, .8)[:, None], .75)


def whistle(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    for at, n, a, b in ((.2, .35, 1200, 1650), (.7, .8, 1650, 1500), (1.7, .3, 1350, 1350), (2.05, .3, 1500, 1500), (2.4, 1.1, 1800, 1200)):
        t = times(sr, n)
        hz = np.interp(t / n, [0, .35, 1], [a, b, b * .99]) * (1 + .008 * np.sin(2 * np.pi * 5.5 * t))
        air = resonator(sr, white(rng, len(t)), b, 250)
        place(y, (additive(sr, hz, [1, .05, .015]) + .15 * air) * swell(sr, n, .05, .08), sr, at)
    return peak(room(sr, rng, y, .5, .15), .6)


def pea_whistle(sr, rng):
    y = silence(sr, 3.0)
    for at, n in ((.2, .35), (.8, 1.6)):
        t = times(sr, n)
        trill = np.sin(2 * np.pi * 38 * t)
        hz = 2800 * (1 - .08 * np.exp(-t / .03)) * (1 + .03 * trill)
        v = additive(sr, hz, [1, .3, .15]) * (1 + .5 * trill) + .4 * resonator(sr, white(rng, len(t)), 2800, 700)
        place(y, v * swell(sr, n, .02, .05), sr, at)
    return peak(room(sr, rng, y, .8, .2), .7)


def zipper(sr, rng):
    y = silence(sr, 3.0)
    for start, n, a, b in ((.2, .9, 60, 190), (1.6, .8, 170, 70)):
        at = 0
        while at < n:
            r = a + (b - a) * at / n
            c = band_pass(sr, white(rng, int(round(.008 * sr))), 1200 + 6 * r, 7500, 1) * decay(sr, .008, .006, .0003)
            place(y, c, sr, start + at, rng.uniform(.6, 1))
            at += 1 / r * (1 + .05 * rng.standard_normal())
    return peak(room(sr, rng, y, .2, .1), .6)


def record_scratch(sr, rng):
    y = silence(sr, 3.0)
    for at in (.2, .9, 1.5, 1.75, 2.2):
        n = .28
        t = times(sr, n)
        speed = np.abs(np.sin(2 * np.pi * 3.2 * t / n * .5)) + .05
        v = saw(sr, 80 + 900 * speed, .4, 20) + .6 * band_pass(sr, white(rng, len(t)), 500, 5000, 1) * speed
        place(y, v * swell(sr, n, .01, .02), sr, at)
    return peak(y, .7)


def coins(sr, rng):
    y = silence(sr, 3.0)
    at = .2
    for k in range(16):
        f = rng.uniform(.9, 1.1)
        c = modes(sr, .4, [(5100 * f, 1, .3), (6700 * f, .8, .2), (3300 * f, .3, .2), (7400 * f, .5, .2)], .0003)
        place(y, c, sr, at, rng.uniform(.3, 1))
        at += rng.exponential(.14) + .03
    return peak(room(sr, rng, y, .3, .1), .6)


def jingle_bells(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    for beat in range(12):
        for _ in range(14):
            f = rng.uniform(4200, 7400)
            place(y, modes(sr, .25, [(f, 1, .2), (f * 1.31, .6, .15)], .0004), sr, .1 + beat * .3 + abs(rng.normal(0, .02)), rng.uniform(.2, 1))
    return peak(room(sr, rng, y, .5, .1), .6)


def finger_snap(sr, rng):
    y = silence(sr, 3.0)
    for k in range(5):
        c = band_pass(sr, white(rng, int(round(.05 * sr))), 1500, 3200, 2) * decay(sr, .05, .04, .0005)
        place(y, c, sr, .2 + k * .55)
    return peak(room(sr, rng, y, .4, .2), .8)
