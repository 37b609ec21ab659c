"""What a recipe leaves behind: the manifest's table of files, and whether a rebuild is what is committed."""

import hashlib
from pathlib import Path

import numpy as np


def write_manifest(committed: Path, out: Path, files: dict[str, Path]) -> None:
    """Rewrites the table of files at the end of a manifest; everything above it is edited by hand.

    `files`: where each file of the model lies, by its name in the manifest; `out` is the folder for the result.
    """
    head = committed.read_text(encoding="utf-8").split("[[files]]")[0]
    tables = []
    for name, path in files.items():
        data = path.read_bytes()
        tables.append(f'[[files]]\npath = "{name}"\nbytes = {len(data)}\n'
                      f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n')
    (out / "manifest.toml").write_text(head + "\n".join(tables), encoding="utf-8")


def compare(pairs: list[tuple[Path, Path]]) -> None:
    """`pairs` of rebuilt and committed files; refuses, naming every file that differs."""
    differing = [str(old) for new, old in pairs if not old.exists() or not _same(new, old)]
    if differing:
        raise SystemExit("not what the recipe makes:\n  " + "\n  ".join(differing))
    print(f"{len(pairs)} files are what the recipe makes")


def _same(new: Path, old: Path) -> bool:
    """The same bytes; for golden arrays, which another machine's BLAS may round differently, nearly."""
    if new.suffix == ".npy":
        a, b = np.load(new), np.load(old)
        return a.shape == b.shape and np.allclose(a, b, rtol=0.0, atol=1e-6)
    return new.read_bytes() == old.read_bytes()
