"""Building blocks: oscillators, envelopes, noise, filters, modal and string models, a room.

All times are seconds, all frequencies Hz. Signals are float64 in about -1..1; nothing here clips.
Randomness comes only from the `rng` handed in, so a recipe and a seed give the same samples.
"""

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt


def times(sr, seconds):
    return np.arange(int(round(sr * seconds))) / sr


def decay(sr, seconds, t60, attack=0.001):
    """An exponential that has fallen 60 dB after `t60`, with a linear attack."""
    t = times(sr, seconds)
    return np.minimum(t / max(attack, 1 / sr), 1.0) * 10 ** (-3 * t / t60)


def swell(sr, seconds, rise, fall):
    """A raised-cosine fade in and out: no clicks."""
    t = times(sr, seconds)
    up = np.clip(t / max(rise, 1e-9), 0, 1)
    down = np.clip((seconds - t) / max(fall, 1e-9), 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * up)) * (0.5 - 0.5 * np.cos(np.pi * down))


def phase(sr, hz):
    """Integrates a frequency curve to a phase in radians."""
    return 2 * np.pi * np.cumsum(hz) / sr


def additive(sr, hz, amps):
    """Harmonics `1..len(amps)` of the curve `hz`; those above 0.45 of the rate are left out."""
    ph = phase(sr, hz)
    y = np.zeros(len(ph))
    for k, a in enumerate(amps, 1):
        if a:
            y += a * np.sin(k * ph) * (k * hz < 0.45 * sr)
    return y


def saw(sr, hz, tilt=1.0, limit=80):
    """A band-limited saw: harmonic k has the level k**-tilt."""
    top = int(min(limit, 0.45 * sr / max(hz.min(), 1.0)))
    return additive(sr, hz, [k**-tilt for k in range(1, top + 1)])


def white(rng, n):
    return rng.standard_normal(n)


def coloured(rng, n, slope):
    """Noise whose power falls as 1/f**slope: 0 white, 1 pink, 2 brown. RMS is 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    f = np.arange(len(spectrum), dtype=float)
    f[0] = 1.0
    spectrum *= f ** (-slope / 2)
    spectrum[0] = 0
    y = np.fft.irfft(spectrum, n)
    return y / np.sqrt(np.mean(y**2))


def wander(sr, rng, seconds, rate, low=0.0, high=1.0):
    """A smooth random curve in `low..high` that turns about `rate` times a second."""
    knots = rng.random(int(seconds * rate) + 4)
    x = times(sr, seconds) * rate
    i = x.astype(int)
    w = 0.5 - 0.5 * np.cos(np.pi * (x - i))
    return low + (high - low) * (knots[i] * (1 - w) + knots[i + 1] * w)


def low_pass(sr, x, hz, order=2):
    return sosfilt(butter(order, min(hz, 0.49 * sr), "low", fs=sr, output="sos"), x, axis=0)


def high_pass(sr, x, hz, order=2):
    return sosfilt(butter(order, hz, "high", fs=sr, output="sos"), x, axis=0)


def band_pass(sr, x, low, high, order=2):
    return sosfilt(butter(order, [low, min(high, 0.49 * sr)], "band", fs=sr, output="sos"), x, axis=0)


def resonator(sr, x, hz, bandwidth):
    """A two-pole resonance of unit gain at its centre."""
    r = np.exp(-np.pi * bandwidth / sr)
    w = 2 * np.pi * hz / sr
    gain = (1 - r) * np.abs(1 - r * np.exp(-2j * w))
    return lfilter([gain], [1, -2 * r * np.cos(w), r * r], x)


def formants(sr, x, tracks, block=0.005):
    """Parallel resonators that move. `tracks` is `[(hz_curve, bandwidth, level), ...]`."""
    step = max(1, int(round(sr * block)))
    y = np.zeros(len(x))
    for hz, bandwidth, level in tracks:
        hz = np.broadcast_to(np.asarray(hz, float), x.shape)
        state = np.zeros(2)
        for i in range(0, len(x), step):
            r = np.exp(-np.pi * bandwidth / sr)
            w = 2 * np.pi * hz[i] / sr
            gain = (1 - r) * np.abs(1 - r * np.exp(-2j * w))
            part, state = lfilter([gain], [1, -2 * r * np.cos(w), r * r], x[i : i + step], zi=state)
            y[i : i + step] += level * part
    return y


def modes(sr, seconds, table, attack=0.001):
    """A struck body: `table` is `[(hz, level, t60), ...]`."""
    t = times(sr, seconds)
    y = np.zeros(len(t))
    for hz, level, t60 in table:
        if hz < 0.47 * sr:
            y += level * np.sin(2 * np.pi * hz * t) * 10 ** (-3 * t / t60)
    return y * np.minimum(t / attack, 1.0)


def pluck(sr, rng, hz, seconds, damping=0.5, t60=4.0, position=0.17, brightness=5000):
    """Karplus-Strong with a tuned (first-order allpass) loop and a pick position comb."""
    period = sr / hz
    whole = int(period - damping - 0.1)
    frac = period - damping - whole
    burst = low_pass(sr, rng.uniform(-1, 1, whole + 2), brightness, 1)
    burst = burst - burst.mean()
    lag = max(1, int(position * len(burst)))
    burst = burst - np.roll(burst, lag)
    rho = 10 ** (-3 / (hz * t60))
    # Loop: y[n] = x[n] + rho * A(z) * ((1 - d) + d z^-1) y[n - whole].
    c = (1 - frac) / (1 + frac)
    loop = rho * np.convolve([c, 1.0], [1 - damping, damping])
    b = np.array([1.0, c])
    a = np.zeros(whole + 4)
    a[0], a[1] = 1.0, c
    a[whole : whole + 3] -= loop
    x = np.zeros(int(round(sr * seconds)))
    x[: len(burst)] = burst[: len(x)]
    return lfilter(b, a, x)


def room(sr, rng, x, t60=0.8, wet=0.25, pre_delay=0.01, bright=4000):
    """A diffuse room: decaying noise as the impulse response. Keeps the length."""
    n = int(round(sr * t60))
    ir = white(rng, n) * 10 ** (-3 * np.arange(n) / n)
    ir = low_pass(sr, ir, bright, 1)
    ir /= np.sqrt(np.sum(ir**2))
    late = fftconvolve(x, np.concatenate([np.zeros(int(round(sr * pre_delay))), ir]))[: len(x)]
    return (1 - wet) * x + wet * late


def place(y, x, sr, at, gain=1.0):
    """Adds `x` into `y` from `at` seconds on; what does not fit is cut."""
    i = int(round(at * sr))
    if i < len(y):
        n = min(len(x), len(y) - i)
        y[i : i + n] += gain * x[:n]
    return y


def silence(sr, seconds):
    return np.zeros(int(round(sr * seconds)))


def peak(x, level=0.8):
    return x * (level / np.max(np.abs(x)))


def rms(x, level):
    return x * (level / np.sqrt(np.mean(x**2)))


def finish(sr, rng, x, low=20, high=7900, t60=0.1, wet=0.0, bright=4000, floor=0.0, slope=1.0, level=0.7):
    """The recording: a microphone's band (`low`..`high`), a room, a noise floor, a peak level.

    The band is two first-order filters, so `low` may lie above `high`: that is a gentle hump.
    Each channel is recorded alone; a stereo room has two different tails.
    """

    def channel(c):
        c = low_pass(sr, high_pass(sr, c, low, 1), high, 1)
        c = room(sr, rng, c, t60, wet, bright=bright) if wet else c
        return c / np.max(np.abs(c)) + (floor * rms(coloured(rng, len(c), slope), 1) if floor else 0)

    y = channel(x) if x.ndim == 1 else np.stack([channel(c) for c in x.T], 1)
    return peak(y, level)
