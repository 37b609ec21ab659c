# ruff: noqa: E501
"""The clips: which recipe, how it is recorded and packed, and what it is called.

`recording` goes to `dsp.finish`. Its numbers, and the barks' and drops', were found by searching for what
the bundled model names rightly (see README.md); they are taste with a measuring stick, not physics.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from synthesis import alarms, animals, events, household, machines, music, voice, weather


@dataclass(frozen=True)
class Part:
    """Another clip's seconds `since..until`, heard from `at` on."""

    at: float
    file: str
    since: float
    until: float
    gain: float
    label: str
    fade_out: float = 0.05


@dataclass(frozen=True)
class Clip:
    file: str
    recipe: Callable
    encoding: str
    sample_rate: int
    caption: str
    labels: tuple[str, ...]
    recognised: bool = True
    recording: dict = field(default_factory=dict)
    speed: float = 1.0
    bit_rate: str = ""
    stereo: bool = False
    # Most are made at the model's rate and resampled; 0: made at `sample_rate`.
    made_at: int = 16000
    parts: tuple[Part, ...] = ()
    # The model's own names for it: what recognising means.
    classes: tuple[str, ...] = ()


def mic(low, high, t60, wet, bright, floor, slope, level):
    """The arguments of `dsp.finish`, in its order."""
    keys = ("low", "high", "t60", "wet", "bright", "floor", "slope", "level")
    return dict(zip(keys, (low, high, t60, wet, bright, floor, slope, level), strict=True))


# fmt: off
def clip(file, recipe, encoding, sample_rate, bit_rate, caption, labels, classes, recording=None, speed=1.0, **more):
    return Clip(file, recipe, encoding, sample_rate, caption, tuple(labels.split(";")), classes=tuple(classes.split(";")),
                recording=recording or {}, speed=speed, bit_rate=bit_rate, **more)


CLIPS = [
    # --- animals
    clip("animals/dog-barking.wav", animals.dog, "wav16", 16000, "", "a small dog barking in a yard", "dog bark;dog", "Dog;Bark",
         mic(20, 7900, 0.624, 0.315, 1050, 0.0006, 1, 0.9)),
    clip("animals/cat-meowing.flac", animals.cat, "flac16", 22050, "", "a cat meowing for its food", "cat;meow", "Cat;Meow",
         mic(20, 2490, 0.247, 0.255, 5430, 0.0181, 0.997, 0.4), 1.43),
    clip("animals/sheep-bleating.mp3", animals.sheep, "mp3", 22050, "48k", "a sheep bleating in a field", "sheep;bleat", "Sheep;Bleat",
         mic(402, 4020, 0.927, 0.000285, 2610, 0.000263, 0.218, 0.4), 1.31),
    clip("animals/duck-quacking.ogg", animals.duck, "vorbis", 16000, "40k", "a duck quacking on a pond", "duck;quack", "Duck;Quack",
         mic(155, 3730, 0.482, 0.494, 1510, 0.0533, 1.36, 0.4), 1.53),
    clip("animals/frogs-croaking.opus", animals.frogs, "opus", 48000, "40k", "frogs croaking by a pond at night", "frog;croak", "Frog;Croak",
         mic(1200, 4160, 0.175, 0.162, 4340, 0.0395, 1.11, 0.3), 1.04),
    clip("animals/crickets-at-night.flac", animals.cricket, "flac16", 22050, "", "crickets chirping on a quiet summer night", "crickets;insect", "Cricket;Insect", made_at=0),
    clip("animals/birdsong.ogg", animals.birds, "vorbis", 44100, "80k", "several birds singing and chirping in a garden", "birdsong;birds", "Bird;Bird song", stereo=True, made_at=0),
    # --- weather and water
    clip("weather/rain.flac", weather.rain, "flac16", 16000, "", "rain falling steadily", "rain", "Rain"),
    clip("weather/ocean-waves.mp3", weather.ocean_waves, "mp3", 44100, "96k", "ocean waves rolling onto a beach", "waves;ocean", "Ocean;Waves",
         mic(174, 6570, 0.1, 0, 4000, 0.00578, 0.353, 0.8), 1.25, stereo=True),
    clip("weather/campfire.ogg", weather.fire, "vorbis", 22050, "48k", "a campfire crackling", "fire;crackle", "Fire;Crackle",
         mic(42.6, 6040, 0.168, 0.0522, 1650, 0.000419, 0.647, 0.7), 1.08),
    # --- alarms and signals
    clip("alarms/siren-wail.mp3", alarms.siren_wail, "mp3", 44100, "64k", "an emergency siren wailing up and down", "siren", "Siren"),
    clip("alarms/siren-two-tone.ogg", alarms.siren_two_tone, "vorbis", 22050, "48k", "a two-tone police siren", "siren;police car", "Siren",
         mic(31.2, 1700, 0.254, 0.29, 834, 0.00013, 0.684, 0.9), 1.1),
    clip("alarms/smoke-alarm.wav", alarms.smoke_alarm, "wav24", 16000, "", "a smoke alarm beeping loudly", "smoke alarm;alarm", "Smoke detector;Fire alarm"),
    clip("alarms/telephone-ringing.flac", alarms.telephone_ring, "flac16", 16000, "", "an old telephone ringing", "telephone ringing;phone", "Telephone;Telephone ringing",
         mic(114, 7900, 1.7, 0.34, 800, 0.0025, 0.532, 0.287), 1.42),
    clip("alarms/busy-signal.aiff", alarms.busy_signal, "aiff16", 8000, "", "a telephone busy signal", "busy signal", "Busy signal", made_at=0),
    clip("alarms/car-horn.m4a", alarms.car_horn, "aac", 44100, "64k", "a driver honking a car horn", "car horn", "Car horn"),
    clip("alarms/beep.wav", alarms.sine_tone, "wavf32", 16000, "", "a single pure electronic beep", "beep;sine wave", "Beep"),
    clip("alarms/alarm-clock.mp3", alarms.alarm_clock, "mp3", 22050, "48k", "an alarm clock beeping in the morning", "alarm clock;alarm", "Alarm clock;Alarm",
         mic(156, 2490, 0.33, 0.283, 800, 0.000793, 0.00602, 0.9), 1.08),
    clip("alarms/doorbell.ogg", alarms.doorbell, "vorbis", 44100, "80k", "a doorbell going ding-dong", "doorbell", "Doorbell;Ding-dong",
         mic(157, 1100, 1.43, 0.658, 2420, 0.000793, 0.928, 0.99), 1.39),
    # --- machines
    clip("machines/vacuum-cleaner.opus", machines.vacuum, "opus", 48000, "48k", "a vacuum cleaner humming in the next room", "vacuum cleaner", "Vacuum cleaner",
         mic(114, 6370, 0.375, 0.442, 5760, 0.00249, 0.235, 0.296), 1.03),
    clip("machines/train-horn.ogg", alarms.train_horn, "vorbis", 44100, "64k", "a train blowing its horn at a crossing", "train horn;train", "Train horn;Train",
         mic(1200, 6240, 0.425, 0.68, 956, 0.0106, 0.293, 0.3), 0.97),
    clip("machines/helicopter.mp3", machines.helicopter, "mp3", 22050, "48k", "a helicopter hovering overhead", "helicopter", "Helicopter",
         mic(29.8, 7900, 0.124, 0.0624, 3380, 0.00007, 1.08, 0.748)),
    # --- music
    clip("music/church-bell.flac", music.church_bell, "flac16", 22050, "", "a church bell tolling", "church bell;bell", "Church bell;Bell",
         mic(1200, 1790, 2.32, 0.676, 3620, 0.1, 1.58, 0.6), 1.6),
    clip("music/drum-beat.mp3", music.drum_beat, "mp3", 44100, "96k", "a rock beat on a drum kit", "drums;drum kit", "Drum kit;Percussion",
         mic(380, 1710, 0.578, 0.0369, 1580, 0.000579, 1.1, 0.399), 1.21, stereo=True),
    clip("music/organ.ogg", music.organ, "vorbis", 44100, "64k", "slow chords on a church organ", "organ;music", "Organ"),
    clip("music/flute.opus", music.flute, "opus", 48000, "48k", "a flute playing a gentle melody", "flute;music", "Flute",
         mic(420, 4080, 0.527, 0.63, 800, 0.0178, 0.313, 0.3), 0.84),
    clip("music/violin.m4a", music.violin, "aac", 44100, "64k", "a violin playing long notes", "violin;music", "Violin",
         mic(1200, 3010, 0.249, 0.426, 4060, 0.0374, 0.783, 0.212), 1.18),
    clip("music/singing-bowl.m4a", music.singing_bowl, "aac", 48000, "64k", "a singing bowl ringing out", "singing bowl", "Singing bowl"),
    clip("music/acoustic-guitar.mp3", music.guitar, "mp3", 32000, "64k", "someone plucking an acoustic guitar", "guitar;music", "Guitar;Plucked strings",
         mic(124, 7900, 0.158, 0.675, 1860, 0.00692, 0.286, 0.565), 0.6),
    # --- household
    clip("household/clock-ticking.wav", household.clock, "wav16", 16000, "", "a clock ticking in a quiet room", "clock ticking;clock", "Tick-tock;Clock",
         mic(192, 6360, 0.133, 0.196, 1440, 0.0374, 0.511, 0.1), 1.05),
    clip("household/knocking.flac", household.knock, "flac16", 44100, "", "someone knocking on a wooden door", "knock;door", "Knock;Door",
         mic(630, 2030, 0.133, 0.353, 800, 0.00005, 1.8, 0.887)),
    clip("household/camera-shutter.wav", household.camera, "wav16", 16000, "", "a camera shutter clicking", "camera", "Camera",
         mic(952, 4150, 1.89, 0.0416, 5390, 0.0324, 0.79, 0.73), 1.3),
    clip("household/whistling.opus", household.whistle, "opus", 48000, "32k", "a person whistling a tune", "whistling", "Whistling",
         mic(233, 800, 0.921, 0.193, 1090, 0.0121, 0.0857, 0.235), 1.42),
    clip("household/applause.mp3", household.applause, "mp3", 44100, "96k", "an audience applauding", "applause;clapping", "Applause;Clapping",
         mic(1180, 1540, 0.333, 0.0141, 3200, 0.000108, 0.243, 0.95), 0.8, stereo=True),
    clip("household/heartbeat.wav", household.heartbeat, "wav16", 8000, "", "a heart beating slowly", "heartbeat", "Heartbeat", made_at=0),
    # --- voice
    clip("voice/woman-english.flac", voice.english_woman, "flac16", 16000, "", "a woman speaking English", "speech;female voice", "Speech"),
    clip("voice/man-german.mp3", voice.german_man, "mp3", 16000, "32k", "a man speaking German", "speech;male voice", "Speech"),
    clip("voice/woman-french.ogg", voice.french_woman, "vorbis", 22050, "40k", "a woman speaking French", "speech;female voice", "Speech"),
    clip("voice/man-spanish.opus", voice.spanish_man, "opus", 48000, "24k", "a man speaking Spanish", "speech;male voice", "Speech"),
    # --- kept because the model does not hear them: an honest index has such files too
    clip("unrecognised/typing.ogg", household.typing, "vorbis", 22050, "48k", "someone typing fast on a keyboard", "typing;keyboard", "Typing;Computer keyboard", recognised=False),
    clip("unrecognised/owl-hooting.mp3", animals.owl, "mp3", 22050, "40k", "an owl hooting in the woods at night", "owl;hoot", "Owl;Hoot", recognised=False),
    clip("unrecognised/thunder.ogg", weather.thunder, "vorbis", 22050, "40k", "thunder cracking and rumbling", "thunder", "Thunder;Thunderstorm", recognised=False),
    clip("unrecognised/wind-howling.opus", weather.wind, "opus", 48000, "32k", "wind howling in gusts", "wind", "Wind", recognised=False),
    # --- scenes
    clip("events/dog-in-rain.wav", events.dog_in_rain, "wav16", 16000, "", "a dog barks once in the rain", "rain;dog bark", "Rain;Dog"),
    Clip("events/evening-at-home.ogg", events.quiet_room, "vorbis", 16000, "a quiet room where a telephone rings, a church bell tolls, a siren goes by and a woman speaks",
         ("telephone ringing", "church bell", "siren", "speech"), bit_rate="40k", classes=("Telephone", "Bell", "Siren", "Speech"),
         parts=(
             Part(2.0, "alarms/telephone-ringing.flac", 0.05, 1.35, 1.6, "telephone ringing"),
             Part(5.5, "music/church-bell.flac", 0.05, 3.7, 0.8, "church bell"),
             Part(11.0, "alarms/siren-wail.mp3", 0.0, 3.2, 0.6, "siren", 0.8),
             Part(16.0, "voice/woman-english.flac", 0.15, 3.2, 0.8, "speech"),
         )),
]
# fmt: on

# (file, start_s, end_s, label)
EVENTS = [("events/dog-in-rain.wav", events.BARK_START_S, events.BARK_END_S, "dog bark")] + [
    (c.file, p.at, p.at + p.until - p.since, p.label) for c in CLIPS for p in c.parts
]
