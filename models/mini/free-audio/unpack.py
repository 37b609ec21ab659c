"""Unpacks the archives inside the fetched packages, because many games keep their sounds in one big file.

    python unpack.py FOLDER

| archive | goes to |
| --- | --- |
| Qt resources (.rcc) of gcompris-qt-data | debs/gc/ARCHIVE/ |
| OpenTTD sound set (.cat) of openttd-opensfx | debs/opensfx/ |
| zip (.pk3 .zip .wz), Doom (.wad), SoundFont (.sf2), OpenClonk (.oc?) of any package in debs/new | its x/ |

Archives are removed once unpacked, so a second run does nothing.
"""

import argparse
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

SOUNDS = {".wav", ".ogg", ".oga", ".flac", ".mp3", ".opus", ".aiff", ".au"}
TEXTS = re.compile(r"copying|licen[cs]e|copyright|credits?|authors?|readme|attribution", re.IGNORECASE)
LONGEST_TEXT = 400_000  # bytes
SHORTEST_SAMPLE = 0.03  # seconds, of a SoundFont

Entries = Iterator[tuple[str, bytes]]  # path inside the archive, contents


def text_at(data: bytes) -> str:
    """A Latin-1 string that ends at the first zero byte."""
    return data.split(b"\0")[0].decode("latin-1")


def wav(rate: int, width: int, data: bytes) -> bytes:
    """A mono WAV file."""
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate,
                         rate * width, width, 8 * width, b"data", len(data))
    return header + data


def read_qt(data: bytes) -> Entries:
    """A tree of nodes, a heap of names (UTF-16) and a heap of contents, plain or compressed by zlib."""
    version, tree, heap, names = struct.unpack(">4I", data[4:20])
    node_bytes = 14 if version < 2 else 22

    def walk(index: int, path: str) -> Entries:
        at = tree + index * node_bytes
        name_at, flags = struct.unpack(">IH", data[at:at + 6])
        if index:
            (length,) = struct.unpack(">H", data[names + name_at:names + name_at + 2])
            name = data[names + name_at + 6:names + name_at + 6 + 2 * length].decode("utf-16-be")
            path = f"{path}/{name}" if path else name
        if flags & 2:  # a folder
            count, first = struct.unpack(">II", data[at + 6:at + 14])
            for child in range(first, first + count):
                yield from walk(child, path)
        elif not flags & 4:  # zstd, which no sound here uses
            (start,) = struct.unpack(">I", data[at + 10:at + 14])
            start += heap
            (size,) = struct.unpack(">I", data[start:start + 4])
            body = data[start + 4:start + 4 + size]
            yield path, zlib.decompress(body[4:]) if flags & 1 else body

    yield from walk(0, "")


def read_openttd(data: bytes) -> Entries:
    """Pairs of offset and size; at each offset a title, then a WAV file. What follows a bracket is cut."""
    count = (struct.unpack("<I", data[:4])[0] & 0x7FFFFFFF) // 8
    for index in range(count):
        at = struct.unpack("<I", data[8 * index:8 * index + 4])[0] & 0x7FFFFFFF
        name = text_at(data[at + 1:at + 1 + data[at]]).strip().split("(")[0]
        name = f"{index:02}_{re.sub('[^A-Za-z0-9]+', '_', name)[:50]}.wav"
        start = data.find(b"RIFF", at)
        size = struct.unpack("<I", data[start + 4:start + 8])[0] + 8
        yield name, data[start:start + size]


def read_zip(path: Path) -> Entries:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.is_dir() and ".." not in entry.filename and wanted(entry.filename, entry.file_size):
                yield entry.filename, archive.read(entry)


def read_doom(data: bytes) -> Entries:
    """Lumps DS*: format 3, rate, count, then 8-bit PCM with 16 bytes of padding at both ends."""
    count, at = struct.unpack("<II", data[4:12])
    for index in range(count):
        start, size, name = struct.unpack("<II8s", data[at + 16 * index:at + 16 * index + 16])
        if not name.startswith(b"DS") or size < 40:
            continue
        kind, rate, samples = struct.unpack("<HHI", data[start:start + 8])
        if kind == 3:
            yield text_at(name).lower() + ".wav", wav(rate, 1, data[start + 24:start + 8 + samples - 16])


def read_soundfont(data: bytes) -> Entries:
    """Each sample, 16-bit mono. Right channels, samples in ROM and compressed ones are left out."""
    start_of_samples = data.find(b"smpl") + 8
    headers = data.rfind(b"shdr") + 8
    count = struct.unpack("<I", data[headers - 4:headers])[0] // 46
    for index in range(count - 1):  # the last one marks the end
        header = data[headers + 46 * index:headers + 46 * index + 46]
        start, end, _, _, rate = struct.unpack("<5I", header[20:40])
        (kind,) = struct.unpack("<H", header[44:46])
        if kind == 2 or kind & 0x10 or kind & 0x8000 or end - start < rate * SHORTEST_SAMPLE:
            continue
        name = re.sub(r"[^A-Za-z0-9 ._#-]+", "_", text_at(header[:20]).strip())
        body = data[start_of_samples + 2 * start:start_of_samples + 2 * end]
        yield name + ".wav", wav(rate, 2, body)


def read_openclonk(data: bytes) -> Entries:
    """gzip with other magic bytes; a scrambled header of 204 bytes; entries of 316 bytes; contents."""
    if data[:2] in (b"\x1e\x8c", b"\x1f\x8b"):
        data = zlib.decompressobj(31).decompress(b"\x1f\x8b" + data[2:])
    header = bytearray(byte ^ 237 for byte in data[:204])
    for index in range(0, len(header) - 2, 3):
        header[index], header[index + 2] = header[index + 2], header[index]
    if not header.startswith(b"RedWolf Design GrpFolder"):
        return
    (count,) = struct.unpack("<i", header[36:40])
    contents = 204 + 316 * count
    for index in range(count):
        entry = data[204 + 316 * index:520 + 316 * index]
        name = text_at(entry[:260])
        _, is_group, size, _, start = struct.unpack("<5i", entry[260:280])
        body = data[contents + start:contents + start + size]
        if is_group:
            for path, inner in read_openclonk(body):
                yield f"{name}/{path}", inner
        else:
            yield name, body


def wanted(path: str, size: int) -> bool:
    """Whether a file is a sound or a text about rights."""
    extension = os.path.splitext(path)[1].lower()
    if extension in SOUNDS:
        return True
    return extension in {".txt", ""} and bool(TEXTS.search(os.path.basename(path))) and size < LONGEST_TEXT


def unpack(archive: Path, entries: Entries, target: Path) -> None:
    for path, body in entries:
        if wanted(path, len(body)):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(body)
    archive.unlink()
    print(archive)


def unpack_package(package: Path) -> None:
    """Unpacks what lies below debs/new/PACKAGE."""
    for archive in [path for path in sorted(package.rglob("*")) if path.is_file() and not path.is_symlink()]:
        extension = archive.suffix.lower()
        target = package / "x" / archive.stem
        if extension in {".pk3", ".zip", ".wz"} and zipfile.is_zipfile(archive):
            unpack(archive, read_zip(archive), target)
        elif extension == ".wad":
            unpack(archive, read_doom(archive.read_bytes()), target)
        elif extension == ".sf2":
            unpack(archive, read_soundfont(archive.read_bytes()), target)
        elif extension in {".ocd", ".ocf", ".ocg", ".ocs"}:
            unpack(archive, read_openclonk(archive.read_bytes()), package / "x" / archive.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the collection's folder")
    debs = parser.parse_args().folder / "debs"
    for archive in sorted(debs.glob("usr/share/gcompris-qt/rcc/*.rcc")):
        unpack(archive, read_qt(archive.read_bytes()), debs / "gc" / archive.stem)
    for archive in sorted(debs.glob("usr/share/games/openttd/baseset/opensfx/*.cat")):
        unpack(archive, read_openttd(archive.read_bytes()), debs / "opensfx")
    for package in sorted(debs.glob("new/*")):
        unpack_package(package)


if __name__ == "__main__":
    main()
