"""The package answers as the command line does, bit for bit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

import earmark
from earmark._answers import build

from .conftest import Cli


def same(answer: Any, printed: dict[str, Any]) -> None:
    """The answer is what the command line printed, to the last bit of every number."""
    assert answer == build(type(answer), printed)
    assert repr(answer) == repr(build(type(answer), printed))


def test_search_by_words(library: earmark.Library, cli: Cli) -> None:
    answer = library.search("a dog barks", k=5, explain=True)
    same(answer, cli("search", "a dog barks", "-k", "5", "--explain"))
    assert len(answer) == 5 and "dog" in answer[0].clip.name


def test_search_by_words_and_example(library: earmark.Library, cli: Cli, sounds: Path) -> None:
    siren = sounds / "alarms/siren-wail.mp3"
    query = [
        earmark.QueryPart(file=siren),
        earmark.QueryPart(text="rain"),
        earmark.QueryPart(text="speech", weight=-0.7),
    ]
    filter = earmark.Filter(tags=["sample"], max_duration_s=20)
    answer = library.search(query, filter=filter, min_score=-1.0)
    args = ["rain", "--like", siren, "--not", "speech", "--with-tag", "sample", "--max-duration", "20s"]
    printed = cli("search", *args, "--min-score", "-1")
    found = {hit["clip"]["id"]: hit["score"] for hit in printed["hits"]}
    # The order of the parts decides how their sum is rounded, and the command line has words first.
    assert {hit.clip.id for hit in answer} == set(found)
    assert all(abs(hit.score - found[hit.clip.id]) < 1e-6 for hit in answer)
    words_first = [query[1], query[0], query[2]]
    same(library.search(words_first, filter=filter, min_score=-1.0), printed)


def test_classify(library: earmark.Library, cli: Cli, sounds: Path) -> None:
    files = [sounds / "animals", sounds / "alarms/siren-wail.mp3"]
    labels = ["dog", "cat", "siren"]
    printed = cli("classify", *files, "--labels", ",".join(labels))
    same(library.classify(files, labels=labels), printed)


def test_events(library: earmark.Library, cli: Cli, sounds: Path) -> None:
    file = sorted((sounds / "events").glob("*"))[0]
    answer = library.events(file, labels=["dog bark", "siren"])
    same(answer, cli("events", file, "--labels", "dog bark,siren"))


def test_tag(library: earmark.Library, cli: Cli, sounds: Path) -> None:
    answer = library.tag(sounds / "animals", top=3, windows=True)
    same(answer, cli("tag", sounds / "animals", "--top", "3", "--windows"))


def test_describe(library: earmark.Library, cli: Cli, sounds: Path) -> None:
    file = sounds / "alarms/siren-wail.mp3"
    same(library.describe(file), cli("describe", file))


def test_duplicates(doubled: Path, cli: Cli) -> None:
    library = earmark.Library(doubled)
    answer = library.duplicates()
    same(answer, cli("duplicates", index=doubled))
    assert len(answer) == 1
    stored = library.duplicates(keep="size", threshold=0.9, verify=False, filter=earmark.Filter(path="a*.wav"))
    args = ["--keep", "size", "--threshold", "0.9", "--no-verify", "--path", "a*.wav"]
    same(stored, cli("duplicates", *args, index=doubled))
    assert stored.clips == 2


def test_clips_and_info(library: earmark.Library, cli: Cli) -> None:
    clips = library.clips()
    same(clips, cli("list"))
    assert clips.total == len(clips) == library.info().clips
    same(library.info(), cli("info"))


def test_vectors_are_those_of_an_export(library: earmark.Library, cli: Cli, tmp_path: Path) -> None:
    cli("export", tmp_path / "export", as_json=False)
    exported = np.load(tmp_path / "export/vectors.npy")
    lines = [json.loads(line) for line in (tmp_path / "export/clips.jsonl").read_text().splitlines()]
    vectors = library.vectors()
    paths = {clip.id: clip.path for clip in library.clips()}
    row_of = {line["path"]: line["row"] for line in lines}
    times_of = {line["path"]: line["segments"] for line in lines}
    seen: dict[str, int] = {}
    assert len(vectors) == len(exported)
    for clip_id, time, vector in zip(vectors.clip_ids, vectors.times, vectors.matrix, strict=True):
        path = paths[str(clip_id)]
        segment = seen.get(path, 0)
        seen[path] = segment + 1
        assert time.tolist() == times_of[path][segment]
        assert vector.tobytes() == exported[row_of[path] + segment].tobytes()


def test_a_cosine_of_vectors_is_the_score_of_a_search(library: earmark.Library) -> None:
    vectors = library.vectors()
    cosines = vectors.matrix @ library.embed_text("a dog barks")
    best = library.search("a dog barks", k=1, min_score=None)[0]
    at = int(np.argmax(cosines))
    assert str(vectors.clip_ids[at]) == best.clip.id
    assert vectors.times[at].tolist() == [best.start_s, best.end_s]
    assert abs(float(cosines[at]) - best.score) < 1e-6


def test_no_field_of_an_answer_is_left_out(library: earmark.Library, cli: Cli) -> None:
    def check(value: Any, printed: Any) -> None:
        if dataclasses.is_dataclass(value):
            names = {field.name.rstrip("_") for field in dataclasses.fields(value)}
            assert set(printed) <= names
            for name in printed:
                part = getattr(value, name, None) if name != "class" else getattr(value, "class_")
                check(part, printed[name])
        elif isinstance(value, tuple):
            for part, json_part in zip(value, printed, strict=True):
                check(part, json_part)

    printed = cli("search", "a dog barks", "--explain")
    check(library.search("a dog barks", explain=True), printed)
