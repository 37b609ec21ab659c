"""Makes synthetic speech with espeak-ng: whispers, robots, accents and languages that the packages lack.

    python speech.py FOLDER

writes FOLDER/speech/*.wav and FOLDER/speech/labels.tsv.
"""

import argparse
import subprocess
from pathlib import Path

LEAST_BYTES = 8000  # a smaller file means that espeak-ng has no such voice
ENGLISH = [
    "Please close the door when you leave the house.",
    "The weather will be cold and windy tomorrow.",
    "Welcome to the central station.",
    "Warning, the engine is too hot.",
]
NUMBERS = [
    "one two three four five six seven eight",
    "ten nine eight seven six five four three two one zero",
    "twelve, thirteen, fourteen, fifteen",
    "twenty one, twenty two, twenty three",
]
SPANISH = [
    "Buenos días, ¿cómo está usted hoy?",
    "El tren sale a las ocho de la mañana.",
    "Mañana hará frío y viento.",
]
GERMAN = [
    "Guten Morgen, wie geht es Ihnen heute?",
    "Der Zug fährt um acht Uhr ab.",
    "Morgen wird es kalt und windig.",
]
FRENCH = ["Bonjour, comment allez-vous aujourd’hui?", "Le train part à huit heures.", "Demain il fera froid."]
ITALIAN = ["Buongiorno, come sta oggi?", "Il treno parte alle otto.", "Domani farà freddo."]
JAPANESE = ["おはようございます", "こんにちは、げんきですか"]
CHINESE = ["早上好，你今天好吗", "火车八点出发"]
HINDI = ["नमस्ते, आप कैसे हैं", "कल मौसम ठंडा होगा"]
RUSSIAN = ["Доброе утро, как вы сегодня", "Поезд отправляется в восемь часов"]
# Label, voice, speed in words a minute, pitch from 0 to 99, texts.
VOICES = [
    ("synthetic man speaking", "en-us+m3", 150, 40, ENGLISH),
    ("synthetic woman speaking", "en-us+f3", 160, 60, ENGLISH),
    ("synthetic voice with a british accent", "en-gb+m1", 150, 45, ENGLISH),
    ("whispering", "en-us+whisper", 140, 45, ENGLISH),
    ("woman whispering", "en-us+whisperf", 140, 55, ENGLISH),
    ("robot voice", "en-us+m7", 130, 10, ENGLISH),
    ("low robot voice", "en-us+m5", 110, 0, ENGLISH),
    ("croaking voice", "en-us+croak", 130, 40, ENGLISH),
    ("fast synthetic speech", "en-us+m1", 380, 45, ENGLISH),
    ("slow synthetic speech", "en-us+m1", 85, 40, ENGLISH),
    ("squeaky high synthetic voice", "en-us+f5", 220, 99, ENGLISH),
    ("synthetic voice counting numbers", "en-us+m2", 130, 45, NUMBERS),
    ("synthetic voice speaking spanish", "es+m1", 150, 45, SPANISH),
    ("synthetic voice speaking german", "de+m1", 150, 45, GERMAN),
    ("synthetic voice speaking french", "fr+f2", 150, 50, FRENCH),
    ("synthetic voice speaking italian", "it+f2", 150, 50, ITALIAN),
    ("synthetic voice speaking japanese", "ja", 150, 50, JAPANESE),
    ("synthetic voice speaking chinese", "cmn", 150, 50, CHINESE),
    ("synthetic voice speaking hindi", "hi", 150, 50, HINDI),
    ("synthetic voice speaking russian", "ru", 150, 50, RUSSIAN),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the collection's folder")
    out = parser.parse_args().folder / "speech"
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for label, voice, speed, pitch, texts in VOICES:
        for number, text in enumerate(texts):
            name = f"{label.replace(' ', '_')}_{number}.wav"
            command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(out / name)]
            subprocess.run([*command, text], check=True, capture_output=True)
            if (out / name).stat().st_size <= LEAST_BYTES:
                raise SystemExit(f"{name}: espeak-ng made next to no sound")
            rows.append(f"{name}\t{label}\n")
    (out / "labels.tsv").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
