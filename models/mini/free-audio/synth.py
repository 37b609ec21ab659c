"""Makes designed sounds from nothing (beeps, noises, synths, game sounds), which few free packages have.

    python synth.py FOLDER

writes FOLDER/synth/*.wav and FOLDER/synth/labels.tsv. The draws are seeded: the files are the same every
time, as far as NumPy's generator and transforms are.
"""

import argparse
import wave
from pathlib import Path

import numpy as np

RATE = 32_000
ROUNDS = 4  # clips a label
CHORD = (0, 4, 7, 12)  # semitones

draws = np.random.default_rng(7)
concat = np.concatenate


def uniform(low: float, high: float) -> float:
    return float(draws.uniform(low, high))


def log_uniform(low: float, high: float) -> float:
    return float(np.exp(draws.uniform(np.log(low), np.log(high))))


def times(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * RATE)) / RATE


def gap(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE))


def sweep(frequency: np.ndarray, shape: str = "sine") -> np.ndarray:
    """An oscillator that follows a curve of frequencies in Hz, one a sample."""
    phase = np.cumsum(frequency) / RATE
    turn = phase % 1
    return {
        "sine": np.sin(2 * np.pi * phase),
        "square": np.where(turn < 0.5, 1.0, -1.0),
        "saw": 2 * turn - 1,
        "triangle": 4 * np.abs(turn - 0.5) - 1,
    }[shape]


def tone(frequency: float, seconds: float, shape: str = "sine") -> np.ndarray:
    return sweep(np.full(int(seconds * RATE), float(frequency)), shape)


def glide(start: float, end: float, seconds: float, shape: str = "sine") -> np.ndarray:
    return sweep(np.geomspace(start, end, int(seconds * RATE)), shape)


def fade(sound: np.ndarray, attack: float = 0.005, release: float = 0.02) -> np.ndarray:
    sound = sound.copy()
    first, last = min(len(sound), int(attack * RATE)), min(len(sound), int(release * RATE))
    sound[:first] *= np.linspace(0, 1, first)
    sound[len(sound) - last:] *= np.linspace(1, 0, last)
    return sound


def decay(sound: np.ndarray, seconds: float) -> np.ndarray:
    return sound * np.exp(-np.arange(len(sound)) / RATE / seconds)


def noise(seconds: float, colour: str = "white") -> np.ndarray:
    count = int(seconds * RATE)
    if colour == "white":
        return draws.standard_normal(count) * 0.3
    spectrum = np.fft.rfft(draws.standard_normal(count))
    frequencies = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20)
    spectrum *= {"pink": frequencies ** -0.5, "brown": frequencies ** -1.0}[colour]
    sound = np.fft.irfft(spectrum, count)
    return sound / np.abs(sound).max() * 0.8


def band(sound: np.ndarray, low: float, high: float) -> np.ndarray:
    """What lies between two frequencies in Hz, with soft edges."""
    spectrum = np.fft.rfft(sound)
    frequencies = np.fft.rfftfreq(len(sound), 1 / RATE)
    edges = (1 + (low / np.maximum(frequencies, 1)) ** 6), (1 + (frequencies / high) ** 6)
    return np.fft.irfft(spectrum / edges[0] / edges[1], len(sound))


def trimmed_noise(seconds: float) -> np.ndarray:
    """White noise; 1 ms more is drawn than is kept, as in the first run."""
    count = int(seconds * RATE)
    return noise(count / RATE + 0.001)[:count]


def swell(sound: np.ndarray) -> np.ndarray:
    """Rises from silence and dies away."""
    return sound * np.sin(np.linspace(0, np.pi, len(sound))) ** 2


class Folder:
    """Writes clips, numbered within each label, and the list of their labels."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[tuple[str, str]] = []
        path.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, label: str, sound: np.ndarray) -> None:
        file_name = f"{name}_{sum(own == label for _, own in self.rows)}.wav"
        sound = sound / max(1e-9, np.abs(sound).max()) * uniform(0.4, 0.9)
        with wave.open(str(self.path / file_name), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes((sound * 32000).astype("<i2").tobytes())
        self.rows.append((file_name, label))

    def write_labels(self) -> None:
        text = "".join(f"{name}\t{label}\n" for name, label in self.rows)
        (self.path / "labels.tsv").write_text(text, encoding="utf-8")


# The order of the sounds below decides what each of them draws: add new ones at the end of a round.


def tones_and_noises(out: Folder) -> None:
    out.put("beep", "short electronic beep", fade(tone(log_uniform(700, 2500), uniform(0.08, 0.2))))
    out.put("beep_low", "low beep", fade(tone(log_uniform(180, 400), uniform(0.2, 0.4))))
    out.put("beep_high", "high beep", fade(tone(log_uniform(2500, 5000), uniform(0.1, 0.3))))
    f = log_uniform(600, 1500)
    out.put("beep_double", "double beep", concat([fade(tone(f, 0.09)), gap(0.07), fade(tone(f, 0.09))]))
    out.put("sine_tone", "sine wave test tone", fade(tone(log_uniform(200, 2000), uniform(2, 5))))
    out.put("square_tone", "square wave tone", fade(tone(log_uniform(80, 800), uniform(1, 3), "square")))
    out.put("saw_tone", "sawtooth wave tone", fade(tone(log_uniform(60, 600), uniform(1, 3), "saw")))
    length = uniform(1, 4)
    out.put("sweep_up", "rising sine sweep",
            fade(glide(log_uniform(60, 200), log_uniform(3000, 9000), length)))
    out.put("sweep_down", "falling sine sweep",
            fade(glide(log_uniform(3000, 9000), log_uniform(60, 200), length)))
    hiss = noise(length)
    bands = [band(hiss, centre * 0.6, centre * 1.6)[i * len(hiss) // 24:(i + 1) * len(hiss) // 24]
             for i, centre in enumerate(np.geomspace(200, 9000, 24))]
    riser = concat(bands)
    riser = riser * np.linspace(0.05, 1, len(riser))
    out.put("riser", "noise riser", fade(riser, 0.05, 0.01))
    rising = glide(log_uniform(80, 160), log_uniform(1500, 4000), length, "saw")
    out.put("synth_riser", "synth riser", fade(rising * np.linspace(0.1, 1, len(rising)), 0.05, 0.01))
    out.put("downlifter", "noise downlifter", fade(riser[::-1], 0.01, 0.2))
    out.put("white_noise", "white noise", fade(noise(uniform(2, 5))))
    out.put("pink_noise", "pink noise", fade(noise(uniform(2, 5), "pink")))
    out.put("brown_noise", "brown noise", fade(noise(uniform(2, 5), "brown")))


def game_sounds(out: Folder) -> None:
    lasers = {"square": "retro laser zap", "saw": "laser zap", "sine": "descending laser pew"}
    for shape, label in lasers.items():
        length = uniform(0.15, 0.45)
        shot = fade(glide(log_uniform(2000, 6000), log_uniform(80, 250), length, shape))
        out.put(label.replace(" ", "_"), label, decay(shot, length * 0.6))
    f = log_uniform(800, 1200)
    coin = [fade(tone(f, 0.07, "square")), decay(fade(tone(f * 1.335, 0.45, "square")), 0.2)]
    out.put("coin", "8-bit coin pickup", concat(coin))
    length = uniform(0.18, 0.35)
    jump = glide(log_uniform(150, 300), log_uniform(600, 1100), length, "square")
    out.put("jump", "8-bit jump", fade(jump, 0.003, 0.06))
    base = log_uniform(250, 450)
    steps = (0, 4, 7, 12, 16, 19, 24)
    up = [fade(tone(base * 2 ** (k / 12), 0.06, "square")) for k in steps]
    out.put("powerup", "8-bit power-up", concat(up))
    down = [fade(tone(base * 2 ** (k / 12), 0.07, "square")) for k in reversed(steps)]
    out.put("powerdown", "8-bit power-down", concat(down))
    rumble = np.repeat(draws.uniform(-1, 1, 4000), draws.integers(6, 14))[:int(uniform(0.6, 1.2) * RATE)]
    out.put("explosion8", "8-bit explosion", decay(rumble, 0.3))
    hit = glide(log_uniform(400, 700), 60, 0.18, "square") * 0.5 + noise(0.18)
    out.put("hit8", "8-bit hit", decay(hit, 0.07))
    falling = [fade(tone(base * 2 ** (k / 12), 0.18, "square")) for k in (7, 5, 3, 0)]
    out.put("gameover8", "sad 8-bit game over", concat([*falling, fade(tone(base / 2, 0.5, "square"))]))


def clicks_and_whooshes(out: Folder) -> None:
    out.put("click", "short click", concat([decay(noise(0.012), 0.002), gap(0.05)]))
    out.put("tick", "soft tick", concat([decay(tone(log_uniform(1500, 3500), 0.02), 0.004), gap(0.05)]))
    out.put("pop", "pop", decay(glide(log_uniform(300, 500), log_uniform(900, 1400), 0.06), 0.03))
    length = uniform(0.1, 0.2)
    bubble = glide(log_uniform(250, 400), log_uniform(800, 1500), length)
    out.put("bubble", "synthetic bubble pop", decay(bubble, 0.06))
    hiss = trimmed_noise(uniform(0.3, 0.7))
    out.put("whoosh", "whoosh", swell(band(hiss, 300, log_uniform(1500, 4000))))
    out.put("swish", "fast swish", swell(band(trimmed_noise(uniform(0.12, 0.25)), 1500, 8000)))


def drums(out: Folder) -> None:
    f = log_uniform(140, 220)
    kick = sweep(f * np.exp(-times(0.5) / 0.04) + log_uniform(38, 55))
    out.put("kick", "deep synth kick drum", decay(kick, 0.18))
    snare = decay(noise(0.25), 0.07) + 0.5 * decay(tone(log_uniform(170, 230), 0.25), 0.05)
    out.put("snare", "synth snare drum", snare)
    out.put("hat", "short synth hi-hat", decay(band(noise(0.12), 6000, 15000), 0.025))
    tom = sweep(log_uniform(90, 200) * (1 + 0.8 * np.exp(-times(0.5) / 0.05)))
    out.put("tom", "synth tom", decay(tom, 0.15))
    now = times(0.4)
    claps = sum(np.where(now >= start, np.exp(-(now - start).clip(0) / (0.008 if start < 0.03 else 0.08)), 0)
                for start in (0, 0.011, 0.022, 0.033))
    out.put("clap", "synth clap", band(noise(0.4), 800, 4000) * claps)
    out.put("sub", "deep sub bass drop", decay(glide(log_uniform(90, 150), 28, 2), 0.9))
    out.put("boom", "cinematic boom", decay(noise(2.5, "brown"), 0.5) + decay(glide(120, 30, 2.5), 0.4))


def synths(out: Folder) -> None:
    bass = tone(log_uniform(50, 75), 1.5, "saw") + tone(log_uniform(50, 75), 1.5, "saw")
    out.put("bass", "deep synth bass note", fade(band(bass, 20, 500)))
    f = log_uniform(55, 110)
    slow = (1 + np.sin(2 * np.pi * uniform(2, 5) * times(2))) / 2
    saw = tone(f, 2, "saw")
    out.put("wobble", "wobble bass", fade(band(saw, 20, 400) * (1 - slow) + band(saw, 20, 3000) * slow))
    f = log_uniform(220, 660)
    pluck = sum(tone(f * k, 0.8, "triangle") / k for k in (1, 2, 3))
    out.put("pluck", "synth pluck", decay(pluck, 0.15))
    chord = sum(tone(f * ratio * detune, 3, "saw") for ratio in (1, 1.26, 1.5) for detune in (0.996, 1.004))
    out.put("pad", "warm synth pad chord", fade(band(chord, 60, 1500), 0.8, 0.8))
    lead = sum(tone(f * 2 * detune, 1.2, "saw") for detune in (0.995, 1, 1.005))
    out.put("lead", "bright saw synth lead", fade(lead))
    now = times(2)
    modulation = 3 * np.exp(-now / 0.4) * np.sin(2 * np.pi * f * 2 * 1.41 * 2 * now)
    bell = np.sin(2 * np.pi * f * 2 * now + modulation)
    out.put("bell", "fm bell tone", decay(bell, 0.5))
    arpeggio = [decay(fade(tone(f * 2 ** (k / 12), 0.1, "square")), 0.08) for k in CHORD * 5]
    out.put("arp", "fast synth arpeggio", concat(arpeggio))


def telephones(out: Folder) -> None:
    length = uniform(1.5, 3)
    out.put("dial", "telephone dial tone", fade(tone(350, length) + tone(440, length)))
    busy = concat([fade(tone(480, 0.5) + tone(620, 0.5)), gap(0.5)])
    out.put("busy", "telephone busy signal", np.tile(busy, 3))
    out.put("ringback", "telephone ringback tone", concat([fade(tone(440, 2) + tone(480, 2)), gap(1)]))
    pairs = [(low, high) for low in (697, 770, 852, 941) for high in (1209, 1336, 1477)]
    keys = [concat([fade(tone(low, 0.12) + tone(high, 0.12)), gap(0.08)])
            for low, high in (pairs[i] for i in draws.integers(0, 12, 7))]
    out.put("dtmf", "telephone keypad tones", concat(keys))
    modem = [tone(2100, 0.7), band(noise(1), 900, 2800), tone(1200, 0.2) + tone(2400, 0.2),
             band(noise(0.8), 500, 3000) + tone(1800, 0.8)]
    out.put("fax", "modem noise", fade(concat(modem)))


def signals(out: Folder) -> None:
    f, unit = log_uniform(500, 900), uniform(0.05, 0.08)
    code = [concat([fade(tone(f, unit * (3 if draws.random() < 0.45 else 1))),
                    gap(unit * (1 if draws.random() < 0.7 else 3))]) for _ in range(26)]
    out.put("morse", "morse code beeps", concat(code))
    thump = decay(glide(90, 40, 0.2), 0.06)
    beat = concat([thump, gap(0.05), thump * 0.7, gap(uniform(0.4, 0.6))])
    out.put("heart", "heartbeat", np.tile(beat, 4))
    tick = concat([decay(tone(log_uniform(1600, 2200), 0.03), 0.008), gap(0.47)])
    out.put("metronome", "metronome ticking", np.tile(tick, 6))
    siren = log_uniform(500, 700) * (1 + 0.4 * np.sin(2 * np.pi * uniform(0.3, 0.8) * times(4)))
    out.put("siren", "synthetic siren", fade(sweep(siren, "triangle")))
    alarm = concat([fade(tone(log_uniform(900, 3000), 0.15, "square")), gap(0.12)])
    out.put("alarm", "electronic alarm beeping", np.tile(alarm, 7))
    out.put("buzzer", "wrong answer buzzer", fade(tone(log_uniform(90, 150), uniform(0.5, 0.9), "square")))
    chime = [decay(fade(tone(880 * ratio, 0.15)), 0.2) for ratio in (1, 1.335)]
    out.put("correct", "correct answer chime", concat([*chime, gap(0.1)]))


def electric(out: Folder) -> None:
    out.put("hum", "mains electrical hum", fade(sum(tone(50 * k, 3) / k for k in (1, 2, 3, 4, 6))))
    ring = tone(log_uniform(100, 300), 1.2, "saw") * tone(log_uniform(30, 90), 1.2)
    out.put("ring_mod", "robotic ring modulation", fade(ring))
    ping = decay(fade(tone(log_uniform(900, 1500), 1.5)), 0.4)
    out.put("sonar", "sonar ping", concat([ping, gap(0.3)]))
    pieces = [(tone(log_uniform(100, 6000), uniform(0.01, 0.05), "square") if draws.random() < 0.6
               else noise(uniform(0.01, 0.04))) * uniform(0.2, 1) for _ in range(16)]
    out.put("glitch", "digital glitch", concat(pieces))
    crackle = np.where(draws.random(3 * RATE) < 0.0006, draws.uniform(-1, 1, 3 * RATE), 0)
    out.put("vinyl", "vinyl crackle", crackle + noise(3, "pink") * 0.05)
    static = band(noise(2.5), 300, 6000) * (1 + 0.5 * np.sin(2 * np.pi * uniform(1, 4) * times(2.5)))
    out.put("static", "radio static", fade(static))
    now = times(4)
    slide = 0.5 * np.sin(2 * np.pi * 0.3 * now) + 0.02 * np.sin(2 * np.pi * 6 * now)
    out.put("theremin", "theremin", fade(sweep(log_uniform(300, 600) * 2 ** slide), 0.2, 0.3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the collection's folder")
    out = Folder(parser.parse_args().folder / "synth")
    for _ in range(ROUNDS):
        for group in (tones_and_noises, game_sounds, clicks_and_whooshes, drums, synths, telephones, signals,
                      electric):
            group(out)
    out.write_labels()


if __name__ == "__main__":
    main()
