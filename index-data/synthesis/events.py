"""Scenes: sounds at known times over a steady background."""

from .animals import bark
from .dsp import coloured, high_pass, low_pass, peak, place, rms, room, silence, swell
from .weather import rain

BARK_START_S = 2.3
BARK_END_S = 2.8


def quiet_room(sr, rng, sec=20.0):
    """Room noise at about -56 dBFS; the parts are mixed in by `synthesise.take`."""
    return rms(coloured(rng, int(round(sr * sec)), 1.3), 0.0015)


def dog_in_rain(sr, rng):
    """Nine seconds of rain, and at 2.3 s one sharp bark; its echo is faded to nothing at 2.8 s."""
    sec = BARK_END_S - BARK_START_S
    call = silence(sr, sec)
    voice = bark(
        sr,
        rng,
        f0=(603, 1423, 371),
        length=0.163,
        rough=0.88,
        f1=(444, 2200, 657),
        f2=(1120, 1949, 1120),
        noise=0.0337,
        tilt=0.543,
        bandwidth=60,
        attack=0.0482,
    )
    place(call, voice, sr, 0)
    call = low_pass(sr, high_pass(sr, call, 114, 1), 7450, 1)
    call = room(sr, rng, call, 0.8, 0.328, bright=808) * swell(sr, sec, 0, 0.12)
    y = rms(rain(sr, rng, 9.0), 0.012)
    return place(y, peak(call, 0.85), sr, BARK_START_S)
