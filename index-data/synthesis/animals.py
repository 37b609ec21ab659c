"""Calls: source-filter voices for mammals, frequency-modulated whistles for birds, pulse trains for insects."""

import numpy as np

from .dsp import *


def bark(sr, rng, f0=(480, 1147, 624), length=0.155, rough=0.963, f1=(368, 587, 368), f2=(1750, 1425, 1750),
         noise=0.0139, tilt=1.6, bandwidth=293, attack=0.034):  # fmt: skip
    """One bark: a rough pitch arch through two moving formants; the mouth opens and shuts."""
    t = times(sr, length)
    u = t / length
    third = [0, 0.3, 1]
    hz = np.interp(u, third, f0) * (1 + 0.02 * wander(sr, rng, length, 60, -1, 1))
    # A subharmonic and jitter: the folds do not swing alike.
    rasp = 1 + rough * np.sin(phase(sr, hz / 2))
    src = saw(sr, hz, tilt, 60) * rasp + noise * white(rng, len(t)) * (1 + 0.5 * np.sin(phase(sr, hz)))
    y = formants(sr, src, [
        (np.interp(u, third, f1), bandwidth, 1.0), (np.interp(u, third, f2), bandwidth * 1.4, 0.7),
        (3300, 500, 0.35), (350, 150, 0.4),
    ])  # fmt: skip
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
    t = times(sr, .016)
    pulse = np.sin(2 * np.pi * 4600 * t) * swell(sr, .016, .006, .008)
    at = .1
    while at < sec - .2:
        for k in range(4):
            place(y, pulse, sr, at + k * .026, .6 + .13 * k)
        at += .36 + rng.normal(0, .008)
    y += .004 * coloured(rng, len(y), .7)
    return peak(room(sr, rng, y, .4, .1), .5)


def rooster(sr, rng):
    y = silence(sr, 4.0)
    hz_points = [(0, 500), (.12, 620), (.2, 560), (.28, 800), (.45, 840), (.5, 760), (.6, 980), (.9, 1020), (1.3, 960), (1.7, 760), (1.9, 560)]
    n = 1.9
    hz = line(sr, n, hz_points) * (1 + .012 * wander(sr, rng, n, 40, -1, 1))
    src = saw(sr, hz, .5, 14) + .15 * white(rng, len(hz))
    v = formants(sr, src, [(line(sr, n, [(0, 900), (.3, 1500), (.9, 1700), (1.9, 1000)]), 300, 1), (2900, 400, .8), (4200, 600, .3)])
    env = line(sr, n, [(0, 0), (.03, .8), (.15, .8), (.18, .15), (.22, .9), (.46, .9), (.5, .2), (.56, 1), (1.2, 1), (1.8, .5), (1.9, 0)])
    v = np.tanh(1.5 * peak(v * env, 1))
    place(y, v, sr, .2)
    place(y, v, sr, 2.2, .0)
    return peak(room(sr, rng, y, .8, .25), .8)


def birds(sr, rng):
    sec = 6.0
    left, right = silence(sr, sec), silence(sr, sec)
    kinds = (
        (4200, 5600, .09, 4, .14), (3000, 2400, .16, 3, .22), (5200, 3800, .05, 7, .085), (3500, 4300, .12, 2, .2),
    )
    for bird in range(4):
        a, b, n, reps, gap = kinds[bird]
        at = .1 + .3 * bird
        while at < sec - 1:
            for k in range(reps):
                t = times(sr, n)
                hz = np.interp(t / n, [0, .4, 1], [a, b, (a + b) / 2 * (1 + .04 * rng.standard_normal())]) * (1 + .015 * np.sin(2 * np.pi * 45 * t))
                c = (np.sin(phase(sr, hz)) + .12 * np.sin(2 * phase(sr, hz))) * swell(sr, n, n * .25, n * .4)
                g = rng.uniform(.5, 1) * (1, .7, .6, .5)[bird]
                p = (-.6, .5, .1, .8)[bird]
                place(left, c, sr, at + k * gap, g * (1 - p) / 2)
                place(right, c, sr, at + k * gap, g * (1 + p) / 2)
            at += reps * gap + rng.uniform(.5, 1.4)
    y = [room(sr, rng, c + .002 * coloured(rng, len(c), 1), 1.0, .25, bright=7000) for c in (left, right)]
    return peak(np.stack(y, 1), .6)


def owl(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for at, n, f in ((.2, .25, 345), (.75, .18, 350), (1.05, .55, 365), (1.9, .4, 345), (2.6, .5, 335), (3.6, .25, 345), (4.1, .6, 360)):
        t = times(sr, n)
        hz = f * np.interp(t / n, [0, .3, .8, 1], [.94, 1.02, 1, .92]) * (1 + .004 * np.sin(2 * np.pi * 18 * t))
        place(y, additive(sr, hz, [1, .12, .05]) * swell(sr, n, .06, .1) + .02 * band_pass(sr, white(rng, len(t)), 250, 800, 1) * swell(sr, n, .05, .05), sr, at)
    y += .0015 * coloured(rng, len(y), 1)
    return peak(room(sr, rng, y, 1.6, .35, .03, 1500), .7)


def frogs(sr, rng):
    sec = 5.0
    y = silence(sr, sec)
    for f, start, g in ((1.0, .1, 1), (1.18, .5, .7), (.86, .85, .6)):
        at = start
        while at < sec - .5:
            n = .32
            m = int(round(n * sr))
            ex = np.zeros(m)
            rate = np.interp(np.arange(m) / m, [0, 1], [42, 70])
            ex[np.flatnonzero(np.diff((np.cumsum(rate) / sr).astype(int)) > 0)] = 1
            c = resonator(sr, ex, 850 * f, 160) + .9 * resonator(sr, ex, 1900 * f, 260) + .3 * resonator(sr, ex, 2900 * f, 400)
            c *= np.interp(np.arange(m) / m, [0, .3, .9, 1], [.3, 1, .9, 0])
            place(y, peak(c, 1), sr, at, g * rng.uniform(.8, 1))
            at += rng.uniform(.85, 1.15)
    y += .004 * coloured(rng, len(y), .8)
    return peak(room(sr, rng, y, .6, .15), .7)


def mosquito(sr, rng):
    sec = 4.0
    hz = 620 + wander(sr, rng, sec, 2.5, -45, 45) + wander(sr, rng, sec, 25, -5, 5)
    near = wander(sr, rng, sec, 1.3, .12, 1)
    y = additive(sr, hz, [1, .75, .6, .45, .3, .25, .2, .14, .1, .06])
    return peak((y * near + .01 * white(rng, len(y))) * swell(sr, sec, .3, .3), .5)


def bees(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    for _ in range(6):
        f = rng.uniform(190, 260)
        hz = f + wander(sr, rng, sec, 3, -20, 20) + wander(sr, rng, sec, 40, -4, 4)
        y += saw(sr, hz, .8, 22) * wander(sr, rng, sec, 1.5, .1, 1)
    y = band_pass(sr, y, 150, 3500, 1)
    return peak(y * swell(sr, sec, .2, .2), .6)


def cat(sr, rng):
    y = silence(sr, 4.0)
    for at, n, k in ((.2, .85, 1.0), (1.9, 1.1, .93)):
        u = times(sr, n) / n
        hz = k * np.interp(u, [0, .15, .45, .8, 1], [480, 620, 700, 560, 430]) * (1 + .008 * wander(sr, rng, n, 30, -1, 1))
        src = saw(sr, hz, .8, 24) + .06 * white(rng, len(u))
        v = formants(sr, src, [
            (np.interp(u, [0, .2, .5, 1], [500, 800, 1300, 750]), 160, 1),
            (np.interp(u, [0, .2, .5, 1], [2500, 2300, 1900, 1300]), 200, .9), (3600, 350, .5), (4800, 500, .25)])
        place(y, peak(v * np.interp(u, [0, .08, .5, .85, 1], [0, .7, 1, .5, 0]), 1), sr, at)
    return peak(room(sr, rng, y, .4, .15), .75)


def cow(sr, rng):
    y = silence(sr, 4.0)
    for at, n, k in ((.2, 1.6, 1.0), (2.1, 1.7, .95)):
        u = times(sr, n) / n
        hz = k * np.interp(u, [0, .15, .6, .85, 1], [110, 140, 165, 190, 150]) * (1 + .015 * wander(sr, rng, n, 35, -1, 1))
        src = saw(sr, hz, .8, 50) * (1 + .2 * np.sin(phase(sr, hz / 2))) + .1 * white(rng, len(u))
        v = formants(sr, src, [
            (np.interp(u, [0, .25, .7, 1], [280, 350, 600, 480]), 80, 1),
            (np.interp(u, [0, .25, .7, 1], [700, 800, 1150, 950]), 120, .8), (2400, 300, .25), (3400, 400, .12)])
        place(y, peak(v * np.interp(u, [0, .1, .7, .9, 1], [0, .6, 1, .8, 0]), 1), sr, at)
    return peak(room(sr, rng, y, .8, .2), .8)


def sheep(sr, rng):
    y = silence(sr, 4.0)
    for at, n, k in ((.2, .9, 1.0), (1.5, .8, 1.12), (2.8, .9, .95)):
        t = times(sr, n)
        u = t / n
        trem = np.sin(2 * np.pi * 9 * t)
        hz = k * np.interp(u, [0, .2, .8, 1], [270, 330, 300, 240]) * (1 + .035 * trem + .01 * wander(sr, rng, n, 50, -1, 1))
        src = saw(sr, hz, .6, 30) * (1 + .25 * np.sin(phase(sr, hz / 2))) + .2 * white(rng, len(u))
        v = formants(sr, src, [(np.interp(u, [0, .3, 1], [500, 850, 800]), 120, 1), (1750, 180, .9), (2700, 250, .5), (3700, 400, .25)])
        place(y, peak(v * (1 + .45 * trem) * np.interp(u, [0, .08, .7, 1], [0, 1, .8, 0]), 1), sr, at)
    return peak(room(sr, rng, y, .5, .15), .75)


def wolf(sr, rng):
    sec = 5.0
    n = 4.2
    y = silence(sr, sec)
    u = times(sr, n) / n
    hz = np.interp(u, [0, .12, .25, .7, .9, 1], [260, 380, 520, 500, 420, 300]) * (1 + .006 * np.sin(2 * np.pi * 4 * u * n))
    v = additive(sr, hz, [1, .5, .22, .1, .05]) * np.interp(u, [0, .1, .3, .8, 1], [0, .5, 1, .7, 0])
    place(y, v, sr, .2)
    return peak(room(sr, rng, y, 2.0, .35), .7)


def crow(sr, rng):
    y = silence(sr, 4.0)
    for at in (.2, .8, 1.4, 2.6, 3.2):
        n = .32
        u = times(sr, n) / n
        hz = np.interp(u, [0, .3, 1], [480, 560, 430]) * (1 + .05 * wander(sr, rng, n, 150, -1, 1))
        src = saw(sr, hz, .3, 12) * (1 + .6 * np.sin(phase(sr, hz / 2))) + .9 * white(rng, len(u))
        v = formants(sr, src, [(np.interp(u, [0, .3, 1], [1100, 1500, 1200]), 220, 1), (2200, 350, .6), (800, 200, .3)])
        place(y, peak(np.tanh(2 * peak(v, 1)) * np.interp(u, [0, .1, .7, 1], [0, 1, .8, 0]), 1), sr, at, rng.uniform(.8, 1))
    return peak(room(sr, rng, y, .8, .2), .75)


def cuckoo(sr, rng):
    y = silence(sr, 4.0)
    for g in range(3):
        for d, f, n in ((0, 660, .2), (.32, 525, .32)):
            t = times(sr, n)
            place(y, additive(sr, f * (1 + .02 * np.exp(-t / .03)), [1, .1, .05]) * swell(sr, n, .04, .08), sr, .2 + g * 1.25 + d)
    y += .002 * coloured(rng, len(y), 1)
    return peak(room(sr, rng, y, 1.2, .3), .7)


def duck(sr, rng):
    y = silence(sr, 4.0)
    at = .2
    for k in range(7):
        n = .2
        u = times(sr, n) / n
        hz = np.interp(u, [0, .3, 1], [190, 215, 170]) * (1 + .03 * wander(sr, rng, n, 80, -1, 1))
        src = saw(sr, hz, .35, 40) + .3 * white(rng, len(u))
        v = formants(sr, src, [(np.interp(u, [0, .4, 1], [1000, 1500, 1200]), 160, 1), (2400, 260, .6), (3300, 350, .35)])
        place(y, peak(v * np.interp(u, [0, .1, .7, 1], [0, 1, .8, 0]), 1), sr, at, rng.uniform(.7, 1))
        at += .42 + .03 * rng.standard_normal()
    return peak(room(sr, rng, y, .5, .15), .75)
