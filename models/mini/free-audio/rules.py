"""Labels clips by their file names: reads the rules in labels/ (labels/README.md describes them).

    python rules.py FOLDER

prints how many clips of each package have each label, before any limit is applied.
"""

import argparse
import collections
import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clips import clips_below

LABELS = Path(__file__).resolve().parent / "labels"


class Section(NamedTuple):
    folder: str
    package: str
    rules: list[tuple[list[str], str | None]]  # globs, and the label they give


def sections() -> Iterator[Section]:
    for file in sorted(LABELS.glob("[0-9]*.txt")):
        section = None
        for line in file.read_text(encoding="utf-8").splitlines():
            line = line.strip()
            if not line or line.startswith("//"):
                continue
            if line.startswith("@ "):
                if section:
                    yield section
                folder, _, package = line[2:].partition("|")
                section = Section(folder.strip(), package.strip(), [])
            else:
                globs, _, label = line.rpartition("=")
                section.rules.append((globs.split(), None if label.strip() == "-" else label.strip()))
        if section:
            yield section


def key(path: str) -> str:
    """A path as most globs see it: no extension, lower case, digits as `#`, spaces as `~`."""
    return re.sub(r"\d+", "#", os.path.splitext(path)[0]).lower().replace(" ", "~")


def label_of(rules: list[tuple[list[str], str | None]], path: str) -> str | None:
    """The label that the first matching rule gives to a path below the section's folder."""
    whole = key(path)
    name = whole.rsplit("/", 1)[-1]
    with_digits = os.path.splitext(path)[0].lower().rsplit("/", 1)[-1]
    for globs, label in rules:
        for glob in globs:
            if re.search(r"\d", glob):
                if fnmatch.fnmatchcase(with_digits, glob):
                    return label
            elif fnmatch.fnmatchcase(whole, glob) or fnmatch.fnmatchcase(name, glob):
                return label
            elif "/" in glob and fnmatch.fnmatchcase(whole, "*/" + glob):
                return label
    return None


def labelled(root: Path) -> Iterator[tuple[str, str, str]]:
    """(path, label, package) of each clip of a package that a rule labels."""
    seen = set()
    for folder, package, rules in sections():
        for path in clips_below(root, folder):
            if path not in seen:
                seen.add(path)
                label = label_of(rules, os.path.relpath(path, folder))
                if label:
                    yield path, label, package


def made(root: Path) -> Iterator[tuple[str, str, str]]:
    """(path, label, maker) of the clips that synth.py and speech.py made."""
    for maker in ("synth", "speech"):
        for line in (root / maker / "labels.tsv").read_text(encoding="utf-8").splitlines():
            name, label = line.split("\t")
            yield f"{maker}/{name}", label, maker


def midi_labels() -> dict[str, str]:
    """Labels of General MIDI programs and drum notes: {"p000": "piano", ...}."""
    lines = (line.split(" ", 1) for line in (LABELS / "gm.txt").read_text(encoding="utf-8").splitlines())
    return {number: label for number, label in lines if label != "-"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the collection's folder")
    root = parser.parse_args().folder
    counts = collections.Counter((package, label) for _, label, package in labelled(root))
    for (package, label), count in sorted(counts.items()):
        print(count, package, label, sep="\t")


if __name__ == "__main__":
    main()
