"""What answers are: lists, data frames, arrays."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import earmark

from .conftest import noise, write_wav


def test_answers_are_lists(library: earmark.Library) -> None:
    answer = library.search("a dog barks", k=3)
    assert len(answer) == 3 and list(answer) == list(answer.hits) and answer[-1] == answer.hits[2]
    assert answer[:2] == answer.hits[:2]
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.hits = ()  # type: ignore[misc]


def test_pages_follow_each_other(library: earmark.Library) -> None:
    first = library.search("a dog barks", k=2, min_score=None)
    second = library.search("a dog barks", k=2, min_score=None, cursor=first.next_cursor)
    four = library.search("a dog barks", k=4, min_score=None)
    assert (*first, *second) == four.hits
    pages = [library.clips(limit=20)]
    while pages[-1].next_cursor:
        pages.append(library.clips(limit=20, cursor=pages[-1].next_cursor))
    assert [clip for page in pages for clip in page] == list(library.clips())


def test_similar_leaves_the_clip_out(library: earmark.Library) -> None:
    dog = library.search("a dog barks", k=1)[0].clip
    answer = library.similar(dog, k=5)
    assert len(answer) == 5 and dog.id not in {hit.clip.id for hit in answer}
    assert answer == library.similar(int(dog.id), k=5)
    part = library.similar(dog.id, start_s=0, end_s=1.0, k=1)
    assert part[0].clip.id != dog.id
    assert library.clip(dog.id) == dog == library.clip(np.uint64(dog.id))


def test_classify_with_prompts_clips_and_filters(library: earmark.Library) -> None:
    dog = earmark.LabelWithPrompts("dog", ["a dog barks", "a hound howls"])
    labels: list[str | earmark.LabelWithPrompts] = ["siren", dog]
    filter = earmark.Filter(path="animals/*")
    answer = library.classify(filter=filter, labels=labels, multi=True, threshold=0.5, pooling="max", top=1)
    assert len(answer) == library.clips(filter=filter).total > 0
    assert {score.label for result in answer for score in result.scores} <= {"siren", "dog"}
    by_id = library.classify(clip_ids=[clip.id for clip in library.clips(filter=filter)], labels=labels)
    assert [result.source for result in by_id] == [clip.id for clip in library.clips(filter=filter)]


def test_tracks_are_arrays(library: earmark.Library, sounds: Path) -> None:
    file = sorted((sounds / "events").glob("*"))[0]
    tracks = library.events(file, labels=["dog bark", "siren"], tracks=True).tracks
    assert tracks is not None
    assert tracks.times.dtype == np.float64 and tracks.rows.dtype == np.float32
    assert tracks.rows.shape == (2, len(tracks.times))


def test_vectors_are_unit_rows_and_not_copies(library: earmark.Library) -> None:
    vectors, info = library.vectors(), library.info()
    rows = info.segments
    assert vectors.matrix.shape == (rows, info.dim) and vectors.matrix.dtype == np.float32
    assert vectors.times.shape == (rows, 2) and vectors.times.dtype == np.float64
    assert vectors.clip_ids.shape == (rows,) and vectors.clip_ids.dtype == np.uint64
    np.testing.assert_allclose(np.linalg.norm(vectors.matrix, axis=1), 1.0, atol=1e-5)
    assert (vectors.times[:, 0] < vectors.times[:, 1]).all()
    # The memory is Rust's, and may be written to.
    assert vectors.matrix.flags.c_contiguous and vectors.matrix.flags.writeable
    assert not vectors.matrix.flags.owndata and vectors.matrix.base is not None
    some = library.vectors(earmark.Filter(path="animals/*"))
    assert 0 < len(some) < rows
    none = library.vectors(earmark.Filter(path="nothing/*"))
    assert none.matrix.shape == (0, info.dim) and none.times.shape == (0, 2)


def test_text_vectors(library: earmark.Library) -> None:
    one, dim = library.embed_text("rain"), library.info().dim
    both = library.embed_text(["rain", "a dog barks"])
    assert one.shape == (dim,) and both.shape == (2, dim) and both.dtype == np.float32
    assert one.tobytes() == both[0].tobytes()
    assert library.embed_text([]).shape == (0, dim)
    plain = library.embed_text("rain", templates=["{}", "the sound of {}"])
    assert abs(float(np.linalg.norm(plain)) - 1.0) < 1e-5 and plain.tobytes() != one.tobytes()


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_samples_have_the_vector_of_their_file(
    library: earmark.Library, tmp_path: Path, channels: int, rate: int
) -> None:
    samples = np.stack([noise(7.0, rate=rate, seed=seed) for seed in range(channels)])
    write_wav(tmp_path / "noise.wav", samples, rate)
    fresh = earmark.Library(tmp_path / "index.earmark")
    vector = fresh.embed_audio(samples if channels > 1 else samples[0], rate)
    assert vector.shape == (library.info().dim,) and vector.dtype == np.float32
    fresh.index(tmp_path / "noise.wav")
    clip = fresh.clips()[0]
    # The same sound in other bytes: a search leaves out the example itself.
    (tmp_path / "other.wav").write_bytes((tmp_path / "noise.wav").read_bytes() + b"junk\0\0\0\0")
    hit = fresh.search(earmark.QueryPart(file=tmp_path / "other.wav"), k=1, min_score=None)[0]
    rows = fresh.vectors().matrix
    if len(rows) == 1:
        assert rows[0].tobytes() == vector.tobytes()
    assert (clip.channels, clip.sample_rate) == (channels, rate)
    assert abs(float((rows @ vector).max()) - hit.score) < 1e-6
    # Other layouts and widths of floats are the same samples.
    assert library.embed_audio(np.asfortranarray(samples), rate).tobytes() == vector.tobytes()
    assert library.embed_audio(samples.astype(np.float64), rate).tobytes() == vector.tobytes()
    assert library.embed_audio(samples.tolist(), rate).tobytes() == vector.tobytes()


def test_duplicates_are_groups_with_a_clip_to_keep(doubled: Path) -> None:
    answer = earmark.Library(doubled).duplicates()
    (group,) = answer
    found = {other.clip.name: other for other in group.clips}
    assert (group.keep.name, set(found)) == ("a.wav", {"a-copy.wav", "softer.wav"})
    copy, softer = found["a-copy.wav"], found["softer.wav"]
    assert (copy.relation, copy.likeness, copy.offset_s, copy.gain_db) == ("copy", 1.0, 0.0, 0.0)
    assert softer.relation == "gain" and abs(softer.gain_db + 6.02) < 0.05 and softer.likeness > 0.99
    assert (answer.clips, answer.uncompared, answer.interrupted) == (4, (), False)
    pytest.importorskip("pandas")
    frame = answer.to_pandas()
    assert list(frame["keep"]) == [True, False, False] and list(frame["group"]) == [1, 1, 1]
    assert frame["relation"].isna()[0] and list(frame["relation"][1:]) == ["copy", "gain"]


def test_answers_become_data_frames(library: earmark.Library, sounds: Path) -> None:
    pytest.importorskip("pandas")
    frame = library.search("a dog barks", k=3).to_pandas()
    assert list(frame.columns[:3]) == ["rank", "score", "probability"] and len(frame) == 3
    assert frame["probability"].is_monotonic_decreasing

    labels = ["dog", "cat", "cow"]
    frame = library.classify(sounds / "animals", labels=labels).to_pandas()
    assert set(frame["label"]) == set(labels) and frame["accepted"].dtype == bool

    file = sorted((sounds / "events").glob("*"))[0]
    answer = library.events(file, labels=["dog bark", "siren"], threshold=0.2)
    assert len(answer.to_pandas()) == len(answer)
    assert list(answer.to_pandas().columns) == ["onset_s", "offset_s", "label", "score"]

    frame = library.tag(file, top=2).to_pandas()
    assert list(frame["rank"]) == [1, 2] and "class" in frame.columns
    assert len(library.describe(file).to_pandas()) == 1
    assert len(library.clips().to_pandas()) == library.info().clips

    vectors = library.vectors()
    frame = vectors.to_pandas()
    assert frame.shape == vectors.matrix.shape
    assert frame.index.names == ["clip_id", "start_s", "end_s"]
    # An answer without rows keeps its columns.
    nothing = library.search("a dog barks", min_score=1.0).to_pandas()
    assert len(nothing) == 0 and "score" in nothing.columns
