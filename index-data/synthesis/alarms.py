"""Sirens, bells that call, telephones, horns and beeps."""

import numpy as np

from .dsp import additive, band_pass, low_pass, modes, peak, place, room, saw, silence, swell, times, white


def siren_wail(sr, rng):
    sec = 6.0
    t = times(sr, sec)
    hz = 600 + 700 * (0.5 - 0.5 * np.cos(2 * np.pi * t / 3.0))
    y = np.tanh(2.5 * additive(sr, hz, [1, 0.5, 0.4, 0.2, 0.15]))
    y = band_pass(sr, y, 450, 3500)
    return peak(room(sr, rng, y * swell(sr, sec, 0.3, 0.4), 1.2, 0.35))


def siren_two_tone(sr, rng):
    sec = 5.0
    t = times(sr, sec)
    hz = low_pass(sr, np.where((t / 0.55).astype(int) % 2, 585.0, 440.0) - 440, 60, 1) + 440
    y = saw(sr, hz, 0.9, 20)
    y = band_pass(sr, np.tanh(y), 400, 4500)
    return peak(room(sr, rng, y * swell(sr, sec, 0.05, 0.3), 1.0, 0.3))


def alarm_clock(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    beep = np.sign(np.sin(2 * np.pi * 2048 * times(sr, 0.06)))
    beep = band_pass(sr, beep, 1500, 7000) * swell(sr, 0.06, 0.003, 0.005)
    for g in range(4):
        for k in range(4):
            place(y, beep, sr, 0.1 + g * 1.0 + k * 0.125)
    return peak(room(sr, rng, y, 0.25, 0.12), 0.6)


def smoke_alarm(sr, rng):
    sec = 3.0
    y = silence(sr, sec)
    beep = additive(sr, np.full(int(round(0.5 * sr)), 3150.0), [1, 0.25, 0.2]) * swell(sr, 0.5, 0.005, 0.01)
    for k in range(3):
        place(y, beep, sr, 0.15 + k)
    return peak(room(sr, rng, y, 0.5, 0.15), 0.7)


def telephone_ring(sr, rng):
    """Two small brass gongs and a clapper that swings 20 times a second; rings of 1 s."""
    sec = 5.0
    y = silence(sr, sec)
    partials = [(1.0, 1.0, 0.7), (1.48, 0.5, 0.5), (2.7, 0.7, 0.5), (4.4, 0.35, 0.3)]
    gongs = [modes(sr, 1.0, [(f0 * r, a, d) for r, a, d in partials], 0.0005) for f0 in (1180.0, 1410.0)]
    for start in (0.1, 2.6):
        for k in range(40):
            g = gongs[k % 2]
            place(y, g, sr, start + k / 32 + rng.normal(0, 0.0008), 0.8 + 0.2 * rng.random())
    return peak(room(sr, rng, y, 0.4, 0.15), 0.7)


def busy_signal(sr, rng):
    t = times(sr, 4.0)
    y = np.sin(2 * np.pi * 480 * t) + np.sin(2 * np.pi * 620 * t)
    gate = low_pass(sr, ((t % 1.0) < 0.5).astype(float), 200, 1)
    return peak(y * gate, 0.5)


def train_horn(sr, rng):
    sec = 4.0
    y = silence(sr, sec)
    for start, length in ((0.1, 1.1), (1.5, 2.2)):
        t = times(sr, length)
        chord = 0
        for f in (311.1, 370.0, 415.3, 493.9, 622.3):  # K5LA: a B major 6th
            hz = f * (1 - 0.04 * np.exp(-t / 0.05)) * (1 + 0.002 * np.sin(2 * np.pi * 5 * t + f))
            chord = chord + saw(sr, hz, 0.8, 16)
        chord += 0.3 * white(rng, len(t))
        place(y, chord * swell(sr, length, 0.08, 0.15), sr, start)
    y = band_pass(sr, np.tanh(0.5 * y), 250, 4000)
    return peak(room(sr, rng, y, 2.5, 0.45))


def car_horn(sr, rng):
    y = silence(sr, 3.0)
    for start, length in ((0.15, 0.35), (0.75, 1.3)):
        t = times(sr, length)
        two = saw(sr, np.full(len(t), 415.0), 0.6, 20) + saw(sr, np.full(len(t), 500.0), 0.6, 20)
        two = np.tanh(0.7 * two) * swell(sr, length, 0.015, 0.04)
        place(y, band_pass(sr, two, 350, 5000), sr, start)
    return peak(room(sr, rng, y, 0.9, 0.3))


def doorbell(sr, rng):
    y = silence(sr, 3.0)
    for at, f in ((0.1, 659.3), (0.75, 523.3)):
        y = place(
            y, modes(sr, 2.2, [(f, 1, 2.2), (f * 2.76, 0.25, 0.9), (f * 5.4, 0.12, 0.4)], 0.002), sr, at
        )
    return peak(room(sr, rng, y, 0.6, 0.2), 0.7)


def sine_tone(sr, rng):
    return 0.5 * np.sin(2 * np.pi * 1000 * times(sr, 1.5)) * swell(sr, 1.5, 0.02, 0.02)
