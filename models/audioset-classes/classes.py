"""Writes the class lists of the AudioSet taggers from Google's class_labels_indices.csv, or checks them.

python models/audioset-classes/classes.py            # writes classes.txt, and mids.txt where a recipe needs it
python models/audioset-classes/classes.py --check    # compares, and with YAMNet's 521 classes in models/yamnet
"""

import csv
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent
TAGGERS = ["ast-audioset", "beats", "eat", "htsat", "m2d", "panns-cnn14", "whisper-at"]
# Checkpoints whose classes have another order: their recipes put the rows of the head into AudioSet's, by machine id.
REORDERED = ["beats", "m2d"]


def main() -> None:
    with open(HERE / "class_labels_indices.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if [int(row["index"]) for row in rows] != list(range(527)):
        raise SystemExit("class_labels_indices.csv does not hold the classes 0 to 526 in order")
    names = "".join(row["display_name"] + "\n" for row in rows)
    mids = "".join(row["mid"] + "\n" for row in rows)
    wanted = {MODELS / name / "classes.txt": names for name in TAGGERS}
    wanted.update({MODELS / name / "mids.txt": mids for name in REORDERED})
    if sys.argv[1:] == ["--check"]:
        check_yamnet([row["display_name"] for row in rows])
        wrong = [
            str(path)
            for path, text in wanted.items()
            if not path.exists() or path.read_text(encoding="utf-8") != text
        ]
        if wrong:
            raise SystemExit("not as class_labels_indices.csv has it: " + ", ".join(wrong))
        print(f"{len(wanted)} lists are right")
    elif not sys.argv[1:]:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8", newline="\n")
    else:
        raise SystemExit(__doc__)


def check_yamnet(names: list[str]) -> None:
    """YAMNet's 521 classes, which come from another package, are the 527 in the same order, less six."""
    yamnet = (MODELS / "yamnet" / "classes.txt").read_text(encoding="utf-8").splitlines()
    missing = [name for name in names if name not in set(yamnet)]
    if len(missing) != 6 or [name for name in names if name not in missing] != yamnet:
        raise SystemExit(f"the classes do not agree with models/yamnet/classes.txt; without YAMNet's: {missing}")
    print(f"agrees with YAMNet's 521 classes in order; the other six: {', '.join(missing)}")


if __name__ == "__main__":
    main()
