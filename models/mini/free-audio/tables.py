"""Builds the lists of clips: labelled.tsv.gz, unlabelled.lst.gz, and the counts in sources.tsv.

    python tables.py FOLDER            # writes them next to this script
    python tables.py FOLDER --check    # says whether they are as they would be written

FOLDER is the collection, fetched, unpacked and rendered. The sets of labelled clips:

| set | labels from | use |
| --- | --- | --- |
| deb | earlier.tsv.gz | held out |
| sonic | the names of sonic-pi-samples; those that are not in deb | held out |
| gm_test | labels/gm.txt | held out |
| ex | earlier.tsv.gz | fitted |
| gm | labels/gm.txt, for the renders of three sound fonts | fitted |
| new | the rules in labels/, and the labels of synth.py and speech.py | fitted |

Draws are seeded: the same files give the same lists.
"""

import argparse
import collections
import csv
import gzip
import os
import random
import re
import sys
from pathlib import Path
from typing import NamedTuple

import rules
from clips import Meter, clips_below, sha256

HERE = Path(__file__).resolve().parent
PER_LABEL, PER_VOICE = 25, 8  # fitted clips at most; voices say the same thing often
PER_FAMILY = 12  # clips of one label in one package whose names differ in digits only
FITTED, HELD_OUT = ("new", "ex", "gm"), ("deb", "sonic", "gm_test")  # sets
SHORTEST, LONGEST, FAINT = 0.03, 60, 0.004  # seconds, seconds, peak of a labelled clip
UNLABELLED, UNLABELLED_SHORTEST = 3000, 0.1  # clips drawn, before short and silent ones are dropped; seconds
SONIC_PI = "debs/usr/share/sonic-pi/samples"
HELD_OUT_FOLDERS = ("debs/usr", "debs/gc", "debs/opensfx")  # all clips of the packages that set deb is from
POOL_FOLDERS = ("debs/new", "debs/ex", "debs/usr", "npm")  # unlabelled clips are drawn from here
# Renders by gm.py: folders and packages.
MIDI_FOLDERS = {
    "gm": "fluid-soundfont-gm",
    "gm_sonivox": "@coderline/alphatab",
    "gm_opl3": "opl3-soundfont",
    "gm_test": "timgm6mb-soundfont",
}
FIRST_EFFECT = 120  # programs from here on are sound effects, which a second font imitates badly
# Left out after all draws, so that no other draw changes: it has 329 of the held-out font's 520 samples.
RELATED = ("csound-soundfont",)
NOT_FREE_ENOUGH = "/trackballs/music/"  # under another licence than the package
VOICE = re.compile(r"\b(speaking|voice|speech|singing words|announcement)\b")
# Which package a path outside debs/new and npm belongs to: the first part that it contains decides.
PATH_PACKAGES = {
    "debs/gc/": "gcompris-qt-data",
    "debs/opensfx": "openttd-opensfx",
    "/lmms/": "lmms-common",
    "/sonic-pi/": "sonic-pi-samples",
    "/minetest/": "minetest-data",
    "/colobot/": "colobot-common-sounds",
    "/tuxpaint/": "tuxpaint-stamps-default",
    "/freedroidrpg/": "freedroidrpg-data",
    "/widelands/": "widelands-data",
    "/supertuxkart/": "supertuxkart-data",
    "/hydrogen/": "hydrogen-drumkits",
    "/lincity-ng/": "lincity-ng-data",
    "/freedesktop/": "sound-theme-freedesktop",
    "/simutrans/": "simutrans-pak64",
    "/hedgewars/": "hedgewars-data",
    "/wesnoth/1.16/data/core/music": "wesnoth-1.16-music",
    "/wesnoth/": "wesnoth-1.16-data",
    "/supertux2/": "supertux-data",
}
# Draws treat the two Hydrogen packages as one; the lists do not.
HYDROGEN_DATA_KITS = ("/GMRockKit/", "/TR808EmulationKit/")
SONIC_PI_WORDS = {  # the first word of a sample's name, in plain English
    "ambi": "ambient", "bd": "bass drum", "sn": "snare drum", "elec": "electronic", "perc": "percussion",
    "vinyl": "vinyl record", "mehackit": "", "misc": "", "hat": "hi-hat", "guit": "guitar",
    "loop": "drum loop", "bass": "synth bass", "arovane": "electronic beat",
}


class Row(NamedTuple):
    set: str
    path: str
    label: str
    package: str
    sha256: str


def package_of(path: str) -> str:
    parts = path.split("/")
    if path.startswith("debs/new/"):
        return parts[2]
    if parts[0] == "npm":
        return parts[1]
    return next((package for part, package in PATH_PACKAGES.items() if part in path), parts[0])


def is_effect(number: str) -> bool:
    """Whether `p124` or the like is a sound effect of General MIDI, not an instrument."""
    return number.startswith("p") and int(number[1:]) >= FIRST_EFFECT


def exact_package(path: str, package: str) -> str:
    return "hydrogen-data" if any(kit in path for kit in HYDROGEN_DATA_KITS) else package


def read_table(file: Path) -> list[dict[str, str]]:
    text = file.read_bytes()
    if file.suffix == ".gz":
        text = gzip.decompress(text)
    return list(csv.DictReader(text.decode().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def sonic_pi_label(name: str) -> str:
    """drum_heavy_kick.flac is a heavy kick drum."""
    first, *rest = [word for word in re.sub(r"\d+", "", os.path.splitext(name)[0]).split("_") if word]
    return " ".join(word for word in [*rest, SONIC_PI_WORDS.get(first, first)] if word)


class Tables:
    def __init__(self, root: Path):
        self.root = root
        self.meter = Meter(root)
        self.earlier = read_table(HERE / "earlier.tsv.gz")
        self.twins = {row["path"] for row in read_table(HERE / "twins.tsv")}
        self.rows: list[Row] = []

    def sha(self, path: str) -> str:
        return sha256(self.root / path)

    def add_given(self) -> None:
        """The sets deb, ex, sonic, gm and gm_test."""
        for clip in self.earlier:
            path = clip["path"]
            if clip["set"] != "unlabelled":
                self.rows.append(Row(clip["set"], path, clip["label"], package_of(path), self.sha(path)))
        known = {row.path for row in self.rows}
        for path in clips_below(self.root, SONIC_PI):
            if path not in known:
                label = sonic_pi_label(os.path.basename(path))
                self.rows.append(Row("sonic", path, label, "sonic-pi-samples", self.sha(path)))
        midi = rules.midi_labels()
        for folder, package in MIDI_FOLDERS.items():
            for path in clips_below(self.root, folder):
                number = os.path.basename(path)[:4]
                if number not in midi or self.meter(path).peak < FAINT:
                    continue
                if folder in ("gm", "gm_test") or not is_effect(number):
                    kind = "gm_test" if folder == "gm_test" else "gm"
                    self.rows.append(Row(kind, path, midi[number], package, self.sha(path)))

    def add_new(self) -> None:
        """The set new: at most 25 clips a label, spread evenly over packages."""
        # Renders of a second or third font take no room.
        counts = collections.Counter(
            row.label for row in self.rows if row.set == "ex" or row.package == MIDI_FOLDERS["gm"])
        for label, packages in sorted(self.candidates().items()):
            room = (PER_VOICE if VOICE.search(label) else PER_LABEL) - counts[label]
            for package, clips in packages.items():
                random.Random(label + package).shuffle(clips)
            while room > 0 and any(packages.values()):
                for package in sorted(packages):
                    if not packages[package] or room <= 0:
                        continue
                    path, sha = packages[package].pop()
                    measures = self.meter(path)
                    if SHORTEST <= measures.seconds <= LONGEST and measures.peak >= FAINT:
                        self.rows.append(Row("new", path, label, package, sha))
                        room -= 1

    def candidates(self) -> dict[str, dict[str, list[tuple[str, str]]]]:
        """(path, sha256) by label and package. No two have the same bytes, and none those of a held-out clip.

        Every clip of a package that set deb is from counts as held out here.
        """
        paths = {row.path for row in self.rows}
        taken = {row.sha256 for row in self.rows if row.set in ("deb", "ex", "sonic")}
        taken |= {self.sha(path) for folder in HELD_OUT_FOLDERS for path in clips_below(self.root, folder)}
        families = collections.Counter()
        found = collections.defaultdict(lambda: collections.defaultdict(list))
        for path, label, package in [*rules.labelled(self.root), *rules.made(self.root)]:
            if path in paths or path in self.twins:
                continue
            sha = self.sha(path)
            if sha in taken:
                continue
            taken.add(sha)
            ours = package in ("synth", "speech")
            family = package, label, path if ours else rules.key(os.path.basename(path))
            families[family] += 1
            if families[family] <= PER_FAMILY:
                found[label][package].append((path, sha))
        return found

    def unlabelled(self) -> list[str]:
        """The earlier list, then a draw of four clips a package in turn until there are 3000.

        Clips that are short, silent, or equal to a held-out or another drawn clip are dropped after the draw.
        """
        labelled = {row.path for row in self.rows}
        held_out = {row.sha256 for row in self.rows if row.set in ("deb", "sonic")}
        clips = [clip["path"] for clip in self.earlier if clip["set"] == "unlabelled"]
        known = labelled | set(clips)
        pool = collections.defaultdict(list)
        for folder in POOL_FOLDERS:
            for path in clips_below(self.root, folder):
                if path not in known and "/sonic-pi/" not in path and NOT_FREE_ENOUGH not in path:
                    pool[package_of(path)].append(path)
        draws = random.Random(1)
        for paths in pool.values():
            draws.shuffle(paths)
        room, drawn = UNLABELLED - len(clips), []
        while room > 0 and any(pool.values()):
            for package in sorted(pool):
                for _ in range(min(4, len(pool[package]), room)):
                    drawn.append(pool[package].pop())
                    room -= 1
        seen = set()
        for path in drawn:
            measures = self.meter(path)
            if measures.seconds >= UNLABELLED_SHORTEST and measures.peak >= FAINT and path not in self.twins:
                sha = self.sha(path)
                if sha not in held_out and sha not in seen:
                    seen.add(sha)
                    clips.append(path)
        return clips

    def build(self) -> dict[str, bytes]:
        """File names and contents."""
        self.add_given()
        self.add_new()
        unlabelled = self.unlabelled()
        # Set ex is older than the search for twins. They go last, so that no other draw changes.
        rows = [row._replace(package=exact_package(row.path, row.package)) for row in self.rows
                if not (row.set == "ex" and row.path in self.twins) and row.package not in RELATED]
        unlabelled = [path for path in unlabelled if package_of(path) not in RELATED]
        lines = ["set\tpath\tlabel\tpackage\tsha256_16"]
        lines += ["\t".join([*row[:4], row.sha256[:16]]) for row in rows]
        print(dict(collections.Counter(row.set for row in rows)), len(unlabelled), "unlabelled")
        return {
            "labelled.tsv.gz": packed(lines),
            "unlabelled.lst.gz": packed(unlabelled),
            "sources.tsv": sources(rows, unlabelled),
        }


def packed(lines: list[str]) -> bytes:
    return gzip.compress("".join(line + "\n" for line in lines).encode(), compresslevel=9, mtime=0)


def sources(rows: list[Row], unlabelled: list[str]) -> bytes:
    """sources.tsv with its counts brought up to date."""
    table = read_table(HERE / "sources.tsv")
    counts = {
        "clips_fitted": collections.Counter(row.package for row in rows if row.set in FITTED),
        "clips_held_out": collections.Counter(row.package for row in rows if row.set in HELD_OUT),
        "clips_unlabelled": collections.Counter(exact_package(path, package_of(path)) for path in unlabelled),
    }
    missing = set().union(*counts.values()) - {source["package"] for source in table}
    if missing:
        raise SystemExit(f"sources.tsv lacks {', '.join(sorted(missing))}: add their versions and licences")
    lines = ["\t".join(table[0])]
    for source in table:
        source.update({column: str(count[source["package"]]) for column, count in counts.items()})
        lines.append("\t".join(source.values()))
    return "".join(line + "\n" for line in lines).encode()


def content(name: str, data: bytes) -> bytes:
    """What a file says: two versions of zlib may pack the same text differently."""
    return gzip.decompress(data) if name.endswith(".gz") else data


def recorded(name: str) -> bytes:
    return content(name, (HERE / name).read_bytes())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the collection's folder")
    parser.add_argument("--check", action="store_true", help="compare with the files here; write nothing")
    args = parser.parse_args()
    files = Tables(args.folder).build()
    if not args.check:
        for name, data in files.items():
            (HERE / name).write_bytes(data)
        return 0
    differing = [name for name, data in files.items() if content(name, data) != recorded(name)]
    print(f"differ: {', '.join(differing)}" if differing else "all as recorded")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
