"""The example in python/README.md, run as a reader would in a checkout."""

from __future__ import annotations

import doctest
import shutil
from pathlib import Path

import pytest

from .conftest import ROOT


def test_the_readme_shows_what_python_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    shutil.copytree(ROOT / "index-data/sounds", tmp_path / "index-data/sounds")
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(
        str(ROOT / "python/README.md"), module_relative=False, optionflags=doctest.ELLIPSIS
    )
    assert failed == 0 and tried > 15
