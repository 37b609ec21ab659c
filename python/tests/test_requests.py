"""What is refused, and how."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import earmark

from .conftest import PYTHON, noise, write_wav


def test_a_bad_argument_is_named(library: earmark.Library) -> None:
    bad: dict[str, Callable[[], object]] = {
        "query": lambda: library.search([]),
        "query[0].text": lambda: library.search(" "),
        "query[1].clip_id": lambda: library.search(["rain", earmark.QueryPart(clip_id="seven")]),
        "k": lambda: library.search("rain", k=0),
        "cursor": lambda: library.search("rain", cursor="x"),
        "templates": lambda: library.search("rain", templates=["no place"]),
        "filter.formats": lambda: library.search("rain", filter=earmark.Filter(formats=["banana"])),
        "labels": lambda: library.classify(clip_ids=[1]),
        "threshold": lambda: library.classify(clip_ids=[1], labels=["a"], threshold=2.0),
        "clip_id": lambda: library.events(labels=["a"]),
        "id": lambda: library.clip("seven"),
        "keep": lambda: library.duplicates(keep=["size"] * 6),
        "limit": lambda: library.clips(limit=0),
        "paths": lambda: library.index([]),
        "input": lambda: library.embed_text(""),
    }
    for field, call in bad.items():
        with pytest.raises(earmark.RequestError) as refused:
            call()
        assert (refused.value.kind, refused.value.field) == ("bad-request", field)
        assert isinstance(refused.value, ValueError)


def test_a_word_that_is_no_choice_names_the_argument(library: earmark.Library) -> None:
    with pytest.raises(earmark.RequestError, match="expected one of `auto`, `exact`, `graph`") as refused:
        library.search("rain", mode="quick")  # type: ignore[arg-type]
    assert refused.value.field == "mode"
    with pytest.raises(earmark.RequestError) as refused:
        library.search("rain", k="ten")  # type: ignore[arg-type]
    assert refused.value.field == "k"
    with pytest.raises(earmark.RequestError, match="`length`, `format`, `rate`, `channels`, `size`") as refused:
        library.duplicates(keep="beauty")  # type: ignore[arg-type]
    assert refused.value.field == "keep[0]"
    with pytest.raises(earmark.RequestError, match="expected 0.5 to 1") as refused:
        library.duplicates(threshold=0.1)
    assert refused.value.field == "threshold"


def test_what_is_not_there_is_a_lookup_error(library: earmark.Library, tmp_path: Path) -> None:
    absent = earmark.Library(tmp_path / "none.earmark")
    calls: list[Callable[[], object]] = [
        lambda: library.clip(999_999),
        lambda: library.similar(999_999),
        lambda: library.classify(clip_ids=[1], label_set="none"),
        lambda: library.events(tmp_path / "none.wav", labels=["a"]),
        lambda: absent.info(),
        lambda: absent.search("rain"),
        lambda: absent.duplicates(),
        lambda: absent.vectors(),
    ]
    for call in calls:
        with pytest.raises(earmark.NotFoundError) as refused:
            call()
        assert refused.value.kind == "not-found" and isinstance(refused.value, LookupError)


def test_a_sound_that_cannot_be_used(library: earmark.Library, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    write_wav(tmp_path / "silent.wav", np.zeros(16_000, np.float32), 16_000)
    with pytest.raises(earmark.UndecodableError) as refused:
        library.search(earmark.QueryPart(file=tmp_path / "text.wav"))
    assert refused.value.kind == "undecodable" and isinstance(refused.value, ValueError)
    # The bundled model has a vector for silence, and the answer says that it was silent.
    silent = library.search(earmark.QueryPart(file=tmp_path / "silent.wav"))
    assert silent.remarks[0].remarks == ("all its samples are zero",)
    assert library.embed_audio(np.zeros(16_000, np.float32), 16_000).any()
    # One of several has its error in its place.
    answer = library.classify([tmp_path / "text.wav", tmp_path / "none.wav"], labels=["a", "b"])
    assert [result.error.kind if result.error else None for result in answer] == ["undecodable", "not-found"]


def test_an_index_that_does_not_fit(db: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    library = earmark.Library(tmp_path)
    with pytest.raises(earmark.RequestError) as refused:
        library.index(tmp_path)
    assert refused.value.field == "db"
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(earmark.RequestError) as refused:
        earmark.Library(db, device="abacus")
    assert refused.value.field == "device"
    with pytest.raises(earmark.RequestError) as refused:
        earmark.Library(db, model="none")
    assert refused.value.field == "model"


def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(earmark.Error, match=r"postgres://127\.0\.0\.1:1/sounds") as caught:
        earmark.Library("postgres://ann:s3cret@127.0.0.1:1/sounds")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ValueError, match="postgres://USER@HOST") as malformed:
        earmark.Library("postgres://ann:s3cret@127.0.0.1:s3cret/sounds")
    assert "s3cret" not in str(malformed.value)


def test_a_runtime_that_is_not_there() -> None:
    # One process uses one ONNX Runtime, so another process.
    program = (
        "import earmark\n"
        "try:\n    earmark.Library('none.earmark', onnxruntime='/nowhere.so').embed_text('rain')\n"
        "except earmark.InternalError as e:\n    print(e.kind, e)\n"
    )
    done = subprocess.run([*PYTHON, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("internal") and "/nowhere.so" in done.stdout


def test_samples_of_the_wrong_kind(library: earmark.Library) -> None:
    bad: dict[str, list[tuple[NDArray[Any], int]]] = {
        "samples": [
            (np.zeros(100, np.int16), 16_000),
            (np.zeros((2, 2, 2), np.float32), 16_000),
            (np.zeros((48_000, 2), np.float32), 48_000),
            (np.zeros(0, np.float32), 16_000),
            (np.array([0.0, np.nan], np.float32), 16_000),
        ],
        "rate": [(noise(1.0), 10), (noise(1.0), -1), (noise(1.0), 1 << 40)],
    }
    for field, calls in bad.items():
        for samples, rate in calls:
            with pytest.raises(earmark.RequestError) as refused:
                library.embed_audio(samples, rate)
            assert refused.value.field == field


def test_errors_can_be_pickled(library: earmark.Library) -> None:
    with pytest.raises(earmark.RequestError) as refused:
        library.search("rain", k=0)
    copy = pickle.loads(pickle.dumps(refused.value))
    assert (type(copy), copy.kind, copy.field, str(copy)) == (
        earmark.RequestError, "bad-request", "k", str(refused.value),
    )  # fmt: skip


def test_names_that_are_not_utf8(library: earmark.Library, tmp_path: Path) -> None:
    try:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.wav"))
        write_wav(path, noise(2.0), 16_000)
    except OSError:
        pytest.skip("the file system has no such names")
    (result,) = library.classify(path, labels=["noise", "speech"])
    assert result.error is None and result.source.endswith("bad\\xff.wav")


def test_json_lines_of_the_private_helper(db: Path) -> None:
    asked = [
        {"method": "search", "request": {"query": [{"text": "rain"}], "k": 1}},
        {"method": "search", "request": {"query": [], "k": 1}},
        {"method": "clip", "request": {"id": "999999"}},
        {"method": "nonsense", "request": {}},
    ]
    lines = "".join(json.dumps(line) + "\n" for line in asked)
    command = [*PYTHON, "-m", "earmark._ask", str(db)]
    done = subprocess.run(command, input=lines, check=True, capture_output=True, text=True)
    search, empty, clip, nonsense = map(json.loads, done.stdout.splitlines())
    assert search["version"] == 1 and len(search["hits"]) == 1
    assert (empty["error"]["kind"], empty["error"]["field"]) == ("bad-request", "query")
    assert clip["error"]["kind"] == "not-found"
    assert nonsense["error"]["field"] == "method"
