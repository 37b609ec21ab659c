"""Scenes: sounds at known times over a steady background."""

from .animals import bark
from .dsp import coloured, high_pass, peak, place, rms, room, silence, swell
from .weather import rain

BARK_START_S = 2.3
BARK_END_S = 2.8


def quiet_room(sr, rng, sec=20.0):
    """Room noise at about -56 dBFS; the parts are mixed in by `synthesise.take`."""
    return rms(coloured(rng, int(round(sr * sec)), 1.3), 0.0015)


def dog_in_rain(sr, rng):
    """Nine seconds of rain, and one bark that starts at 2.3 s; its echo is faded to nothing at 2.8 s."""
    y = rms(rain(sr, rng, 9.0), 0.015)
    sec = BARK_END_S - BARK_START_S
    call = silence(sr, sec)
    place(
        call,
        bark(
            sr,
            rng,
            f0=(603, 1188, 570),
            length=0.15,
            rough=0.976,
            f1=(409, 2070, 409),
            f2=(1270, 1854, 1270),
            noise=0.01,
            tilt=0.505,
            bandwidth=60,
            attack=0.0425,
        ),
        sr,
        0,
    )
    call = high_pass(sr, call, 106, 1)
    call = room(sr, rng, call, 0.431, 0.333, bright=3390) * swell(sr, sec, 0, 0.15)
    return place(y, peak(call, 0.85), sr, BARK_START_S)
