"""What tests share: the sample sounds, an index of them made by the package, and the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import earmark
from earmark import _runtime

# Other processes must not import the package's sources from the folder in which tests run.
PYTHON = (sys.executable, "-P")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample sounds."""
    copy = tmp_path_factory.mktemp("samples") / "sounds"
    shutil.copytree(ROOT / "index-data/sounds", copy)
    return copy


@pytest.fixture(scope="session")
def db(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the sample sounds."""
    folder = tmp_path_factory.mktemp("index") / "sounds.earmark"
    report = earmark.Library(folder).index(sounds, tags=["sample"])
    assert report.failed == ()
    return folder


@pytest.fixture(scope="session")
def library(db: Path) -> earmark.Library:
    return earmark.Library(db)


@pytest.fixture(scope="session")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a sound, a copy of it, a softer one, and another sound."""
    folder = tmp_path_factory.mktemp("doubled")
    sound = noise(4.0)
    for name, samples in {"a": sound, "a-copy": sound, "softer": 0.5 * sound, "b": noise(4.0, seed=1)}.items():
        write_wav(folder / f"{name}.wav", samples, 16_000)
    earmark.Library(folder / "doubled.earmark").index(folder)
    return folder / "doubled.earmark"


Cli = Callable[..., Any]


@pytest.fixture(scope="session")
def cli(db: Path) -> Cli:
    """Runs `earmark ARGS... --json` on the index, or on another one, and gives what it prints. EARMARK_BINARY names the program;
    without it, the test is skipped."""
    program = os.environ.get("EARMARK_BINARY")
    if not program:
        pytest.skip("EARMARK_BINARY names no program")

    def run(*args: str | Path, as_json: bool = True, index: Path = db) -> Any:
        command = [program, "--quiet", "--db", str(index), *map(str, args), *(["--json"] if as_json else [])]
        # The same ONNX Runtime.
        if library := _runtime.library():
            command[1:1] = ["--onnxruntime", library]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout) if as_json else done.stdout

    return run


def noise(seconds: float, *, rate: int = 16_000, seed: int = 0) -> NDArray[np.float32]:
    """Noise that swells, another one for each seed: float32 `[frames]`."""
    random = np.random.default_rng(seed)
    frames = int(seconds * rate)
    swell = 0.5 + 0.4 * np.sin(np.linspace(0.0, 3.0 + seed % 7, frames))
    return (0.3 * swell * random.standard_normal(frames)).astype(np.float32)


def write_wav(path: Path, samples: NDArray[np.float32], rate: int) -> None:
    """Writes float32 `[frames]` or `[channels, frames]` as a WAV file of 32-bit floats."""
    table = np.atleast_2d(samples)
    channels, data = table.shape[0], np.ascontiguousarray(table.T, dtype="<f4").tobytes()
    words = (18, 3, channels, rate, rate * 4 * channels, 4 * channels, 32, 0)
    sizes = (4, 2, 2, 4, 4, 2, 2, 2)
    fmt = b"".join(word.to_bytes(size, "little") for word, size in zip(words, sizes, strict=True))
    chunks = b"WAVEfmt " + fmt + b"data" + len(data).to_bytes(4, "little") + data
    path.write_bytes(b"RIFF" + len(chunks).to_bytes(4, "little") + chunks)
