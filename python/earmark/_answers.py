"""Answers: frozen dataclasses whose fields are those of `earmark --json` and the HTTP API.

`build` makes them from JSON. Fields that this version does not know are ignored.
"""

from __future__ import annotations

import functools
import types
import typing
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Listed(Sequence[T_co]):
    """An answer that is a list: it has a length, can be indexed and iterated, and becomes a data frame."""

    @abstractmethod
    def _items(self) -> tuple[T_co, ...]: ...

    @abstractmethod
    def _rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """The names of the columns, and the rows."""

    def __len__(self) -> int:
        return len(self._items())

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | Sequence[T_co]:
        return self._items()[index]

    def to_pandas(self) -> pandas.DataFrame:
        """The answer as a data frame, with the columns of the command line's `--format csv`. Needs pandas."""
        import pandas

        columns, rows = self._rows()
        frame: pandas.DataFrame = pandas.DataFrame.from_records(rows, columns=list(columns))
        return frame


@dataclass(frozen=True)
class Clip:
    """A sound file in the index.

    Attributes:
        id: Its lasting name.
        path: Absolute path.
        name: File name.
        folder: Folder.
        duration_s: Length, seconds.
        sample_rate: Hz.
        channels: Channels.
        format: Container: `"wav"`, `"mp3"`, ...
        size: File size, bytes.
        tags: Free labels.
        indexed_at: When it was indexed, RFC 3339 in UTC.
        segments: Stretches with a vector of their own, about five seconds each.
        decoder: The program that decoded it, if it was not earmark.
    """

    id: str
    path: str
    name: str
    folder: str
    duration_s: float
    sample_rate: int
    channels: int
    format: str
    size: int
    tags: tuple[str, ...]
    indexed_at: str
    segments: int
    decoder: str | None = None


@dataclass(frozen=True)
class ClipPage(_Listed[Clip]):
    """A page of clips.

    Attributes:
        version: The version of the fields.
        items: The clips.
        next_cursor: Where the next page begins; `None` on the last.
        total: Clips on all pages.
    """

    version: int
    items: tuple[Clip, ...]
    next_cursor: str | None
    total: int

    def _items(self) -> tuple[Clip, ...]:
        return self.items

    def _rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        columns = (
            "clip_id", "path", "duration_s", "format", "sample_rate", "channels", "size", "tags",
            "indexed_at",
        )  # fmt: skip
        rows = [
            (c.id, c.path, c.duration_s, c.format, c.sample_rate, c.channels, c.size, c.tags, c.indexed_at)
            for c in self.items
        ]
        return columns, rows


@dataclass(frozen=True)
class KnownText:
    """A text, and how well the model knows it.

    Attributes:
        text: The text.
        cut: Whether it has more tokens than the model reads, so that its end was left out.
        familiarity: Probability that it describes a sound in words that the model knows; below 0.5 the answer
            may mean little. `None` if the model cannot tell.
    """

    text: str
    cut: bool
    familiarity: float | None = None


@dataclass(frozen=True)
class FileRemarks:
    """How a file was read, where it was not read as it is: cut off, damaged, with gaps, silent.

    Attributes:
        file: The file.
        remarks: Sentences.
    """

    file: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class SoundError:
    """Why a sound of several could not be used.

    Attributes:
        kind: One word for programs, as `Error.kind`.
        detail: What is wrong.
    """

    kind: str
    detail: str


@dataclass(frozen=True)
class Share:
    """What a sound class adds to a score.

    Attributes:
        class_: The class; `class` in JSON.
        share: Its part of the score.
    """

    class_: str
    share: float


@dataclass(frozen=True)
class Reason:
    """Why a clip is a hit.

    Attributes:
        by: Where it shows: `"sound"`, `"name"`, `"tag"`, `"folder"`, or the name of what a file says about
            itself, such as `"description"`.
        text: The words of the query there, or the sound class that the query and the stretch share.
    """

    by: str
    text: str


@dataclass(frozen=True)
class Hit:
    """A stretch of a clip that matches.

    Attributes:
        clip: The clip.
        score: Cosine of the query with the stretch, -1 to 1; larger is closer.
        weak: Whether the hit is more likely wrong than right.
        reasons: Why it is a hit, the best reason first.
        copies: Other clips of the same sound that are not listed.
        missing: Whether the file is gone.
        start_s: Seconds from the start of the clip.
        end_s: Seconds from the start of the clip.
        probability: The probability that the hit is right, by its sound and its name; `None` where a sound is
            looked for, or where the model's cosines are not calibrated.
        shares: The sound classes that the query and the stretch share, if they were asked for and the model's
            axes have names.
    """

    clip: Clip
    score: float
    weak: bool
    reasons: tuple[Reason, ...]
    copies: int
    missing: bool
    start_s: float
    end_s: float
    probability: float | None = None
    shares: tuple[Share, ...] | None = None


@dataclass(frozen=True)
class SearchAnswer(_Listed[Hit]):
    """What was found: a list of hits.

    Attributes:
        version: The version of the fields.
        hits: The best first.
        next_cursor: Where the next page begins; `None` on the last.
        below_min_score: Hits of this page that scored less than `min_score` and were left out.
        clips_admitted: Clips that the filter lets through.
        min_score: The limit that was used; `None` for none.
        texts: How well the model knows each text of the query; empty if it cannot tell.
        remarks: How the sound files of the query were read.
        model: The model that compared.
    """

    version: int
    hits: tuple[Hit, ...]
    next_cursor: str | None
    below_min_score: int
    clips_admitted: int
    min_score: float | None
    texts: tuple[KnownText, ...]
    remarks: tuple[FileRemarks, ...]
    model: str

    def _items(self) -> tuple[Hit, ...]:
        return self.hits

    def _rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        columns = (
            "rank", "score", "probability", "path", "start_s", "end_s", "clip_id", "duration_s", "format", "tags",
            "reasons", "shares", "copies", "missing",
        )  # fmt: skip
        rows = [
            (
                rank, hit.score, hit.probability, hit.clip.path, hit.start_s, hit.end_s, hit.clip.id,
                hit.clip.duration_s, hit.clip.format, hit.clip.tags,
                [f"{reason.by}: {reason.text}" for reason in hit.reasons],
                {share.class_: share.share for share in hit.shares or ()}, hit.copies, hit.missing,
            )
            for rank, hit in enumerate(self.hits, 1)
        ]  # fmt: skip
        return columns, rows


@dataclass(frozen=True)
class LabelScore:
    """How a label fits.

    Attributes:
        label: The label.
        probability: Among all labels, or by itself with `multi`.
        cosine: Cosine of the sound and the label.
    """

    label: str
    probability: float
    cosine: float


@dataclass(frozen=True)
class Classified:
    """What was heard in one sound, or why it could not be used.

    Attributes:
        source: The clip's id or the file's name.
        label: The label that fits best; `None` if none does.
        accepted: All labels that fit.
        scores: The likeliest first.
        remarks: How the file was read: whether it is cut off, damaged or silent. Empty for clips.
        path: The path of a clip of the index.
        none_probability: Probability that it is none of the labels, if the model can tell.
        error: Why the sound could not be used.
    """

    source: str
    label: str | None
    accepted: tuple[str, ...]
    scores: tuple[LabelScore, ...]
    remarks: tuple[str, ...]
    path: str | None = None
    none_probability: float | None = None
    error: SoundError | None = None


@dataclass(frozen=True)
class ClassifyAnswer(_Listed[Classified]):
    """What was heard in each sound: a list, in the order of the request, clips first.

    `to_pandas` gives a row a label of each sound.

    Attributes:
        version: The version of the fields.
        results: One for each sound.
        texts: How well the model knows each text that stands for a label; empty if it cannot tell, and for
            fitted sets.
        calibrated: Whether the probabilities were calibrated.
        model: The model that listened.
    """

    version: int
    results: tuple[Classified, ...]
    texts: tuple[KnownText, ...]
    calibrated: bool
    model: str

    def _items(self) -> tuple[Classified, ...]:
        return self.results

    def _rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        rows: list[tuple[Any, ...]] = [
            (r.path or r.source, rank, s.label, s.probability, s.cosine, s.label in r.accepted)
            for r in self.results
            for rank, s in enumerate(r.scores, 1)
        ]
        return ("file", "rank", "label", "probability", "cosine", "accepted"), rows


@dataclass(frozen=True)
class Event:
    """A stretch in which a label is heard.

    Attributes:
        onset_s: Seconds.
        offset_s: Seconds.
        label: The label.
        score: The highest probability in it.
    """

    onset_s: float
    offset_s: float
    label: str
    score: float


@dataclass(frozen=True, eq=False)
class Tracks:
    """Probabilities over time.

    Attributes:
        times: Middle of the stretch that each column stands for, seconds: float64 `[columns]`.
        rows: A row a label, in the order of `labels`: float32 `[labels, columns]`.
        reach_s: How far high scores reach beyond a sound at each end, seconds; `events` have it taken off.
    """

    times: NDArray[np.float64]
    rows: NDArray[np.float32]
    reach_s: float


@dataclass(frozen=True)
class EventsAnswer(_Listed[Event]):
    """What is heard when: a list of events, in order of onset.

    Attributes:
        version: The version of the fields.
        source: The clip's id or the file's name.
        duration_s: Length of the sound, seconds.
        remarks: How the sound was read: whether it is cut off, damaged or silent.
        labels: The labels that were listened for.
        threshold: Probability at which events begin; `None` if each label has a threshold of its own.
        calibrated: Whether the probabilities were calibrated.
        texts: How well the model knows each text that stands for a label.
        events: In order of onset.
        model: The model that listened.
        tracks: The probabilities over time, if they were asked for.
    """

    version: int
    source: str
    duration_s: float
    remarks: tuple[str, ...]
    labels: tuple[str, ...]
    threshold: float | None
    calibrated: bool
    texts: tuple[KnownText, ...]
    events: tuple[Event, ...]
    model: str
    tracks: Tracks | None = None

    def _items(self) -> tuple[Event, ...]:
        return self.events

    def _rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        rows: list[tuple[Any, ...]] = [(e.onset_s, e.offset_s, e.label, e.score) for e in self.events]
        return ("onset_s", "offset_s", "label", "score"), rows


@dataclass(frozen=True)
class TagScore:
    """A class of the tagger's own.

    Attributes:
        class_: The class; `class` in JSON.
        score: Its probability.
        heard: Whether the score reaches the threshold.
    """

    class_: str
    score: float
    heard: bool


@dataclass(frozen=True)
class TaggedWindow:
    """What is heard in a window of the model.

    Attributes:
        start_s: Seconds.
        end_s: Seconds.
        tags: The most probable classes first, heard or not.
    """

    start_s: float
    end_s: float
    tags: tuple[TagScore, ...]


@dataclass(frozen=True)
class Tagged:
    """What is heard in one sound, or why it could not be used.

    Attributes:
        source: The clip's id or the file's name.
        duration_s: Length of the sound, seconds.
        tags: The most probable classes first, heard or not.
        remarks: How the file was read: whether it is cut off, damaged or silent.
        path: The path of a clip of the index.
        windows: The same for each of the model's windows, if it was asked for.
        error: Why the sound could not be used.
    """

    source: str
    duration_s: float
    tags: tuple[TagScore, ...]
    remarks: tuple[str, ...]
    path: str | None = None
    windows: tuple[TaggedWindow, ...] | None = None
    error: SoundError | None = None


@dataclass(frozen=True)
class TagAnswer(_Listed[Tagged]):
    """What a tagger hears in each sound: a list, in the order of the request, clips first.

    `to_pandas` gives a row a class of each sound, or of each window if windows were asked for.

    Attributes:
        version: The version of the fields.
        results: One for each sound.
        model: The tagger.
    """

    version: int
    results: tuple[Tagged, ...]
    model: str

    def _items(self) -> tuple[Tagged, ...]:
        return self.results

    def _rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        rows: list[tuple[Any, ...]] = [
            (result.source, window.start_s, window.end_s, rank, tag.class_, tag.score, tag.heard)
            for result in self.results
            for window in result.windows or (TaggedWindow(0.0, result.duration_s, result.tags),)
            for rank, tag in enumerate(window.tags, 1)
        ]
        return ("file", "start_s", "end_s", "rank", "class", "score", "heard"), rows


@dataclass(frozen=True)
class Level:
    """How loud a recording is.

    Attributes:
        peak_dbfs: Largest sample of the mono mix, dB relative to full scale; `None` if all samples are zero.
        rms_dbfs: Root mean square of the mono mix, dB relative to full scale: -3.01 for a full-scale sine.
            `None` if all samples are zero.
        loudness_lufs: Integrated loudness by ITU-R BS.1770-4, LUFS; `None` for more than one channel, and for
            sounds too short or too quiet for it.
        clipped_share: Share of the samples, 0 to 1, that are clipped.
    """

    peak_dbfs: float | None
    rms_dbfs: float | None
    loudness_lufs: float | None
    clipped_share: float


@dataclass(frozen=True)
class SilentStretch:
    """A stretch of silence.

    Attributes:
        start_s: Seconds.
        end_s: Seconds.
    """

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Silence:
    """Where a recording is silent.

    Attributes:
        share: Share of the recording, 0 to 1.
        stretches: In order.
    """

    share: float
    stretches: tuple[SilentStretch, ...]


@dataclass(frozen=True)
class HeardEvent:
    """A stretch in which a class is heard.

    Attributes:
        class_: The class, as the tagger names it; `class` in JSON.
        onset_s: Seconds.
        offset_s: Seconds.
        score: The highest probability in it.
    """

    class_: str
    onset_s: float
    offset_s: float
    score: float


@dataclass(frozen=True)
class Described:
    """An account of a recording, or why there is none.

    Attributes:
        source: The clip's id or the file's name.
        sentence: One plain sentence.
        duration_s: Length, seconds.
        level: How loud it is.
        silence: Where it is silent.
        speech_share: Share of the time, 0 to 1, in which speech is heard; `None` if the tagger has no class
            of speech.
        music_share: Share of the time, 0 to 1, in which music is heard, singing included; `None` if the
            tagger has no class of music.
        events: What is heard, by onset.
        remarks: How the file was read: whether it is cut off, damaged or silent.
        path: The path of a clip of the index.
        error: Why the recording could not be used.
    """

    source: str
    sentence: str
    duration_s: float
    level: Level
    silence: Silence
    speech_share: float | None
    music_share: float | None
    events: tuple[HeardEvent, ...]
    remarks: tuple[str, ...]
    path: str | None = None
    error: SoundError | None = None


@dataclass(frozen=True)
class DescribeAnswer(_Listed[Described]):
    """Accounts of recordings: a list, in the order of the request, clips first.

    Attributes:
        version: The version of the fields.
        results: One for each recording.
        model: The tagger that listened.
    """

    version: int
    results: tuple[Described, ...]
    model: str

    def _items(self) -> tuple[Described, ...]:
        return self.results

    def _rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        columns = (
            "file", "sentence", "duration_s", "peak_dbfs", "rms_dbfs", "silence_share", "speech_share",
            "music_share",
        )  # fmt: skip
        rows = [
            (
                r.source, r.sentence, r.duration_s, r.level.peak_dbfs, r.level.rms_dbfs, r.silence.share,
                r.speech_share, r.music_share,
            )
            for r in self.results
        ]  # fmt: skip
        return columns, rows


@dataclass(frozen=True)
class Duplicate:
    """A clip that is the same sound as the one to keep.

    Attributes:
        clip: The clip.
        relation: How it differs from the clip to keep: `"copy"`, `"trim"`, `"padding"`, `"gain"`,
            `"encoding"`, or `"unverified"` if the files were not compared.
        likeness: How well the two agree where they overlap, up to 1.
        offset_s: Where it begins in the clip to keep, seconds.
        gain_db: By how much it is louder, dB.
    """

    clip: Clip
    relation: str
    likeness: float
    offset_s: float
    gain_db: float


@dataclass(frozen=True)
class DuplicateGroup:
    """Clips that are one sound.

    Attributes:
        keep: The one to keep.
        clips: The others, each compared with the one to keep.
    """

    keep: Clip
    clips: tuple[Duplicate, ...]


@dataclass(frozen=True)
class Uncompared:
    """A clip whose file could not be compared.

    Attributes:
        path: Absolute path.
        reason: Why, for people.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class DuplicatesAnswer(_Listed[DuplicateGroup]):
    """The clips that are the same sound: a list of groups.

    `to_pandas` gives a row a clip, the one to keep first in each group.

    Attributes:
        version: The version of the fields.
        groups: By the path of the clip to keep.
        clips: Clips that were looked at.
        uncompared: Clips whose files could not be read, or have changed since they were indexed.
        interrupted: Whether it was cut short; then there are no groups.
    """

    version: int
    groups: tuple[DuplicateGroup, ...]
    clips: int
    uncompared: tuple[Uncompared, ...]
    interrupted: bool

    def _items(self) -> tuple[DuplicateGroup, ...]:
        return self.groups

    def _rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        columns = (
            "group", "keep", "path", "relation", "likeness", "offset_s", "gain_db", "clip_id", "duration_s",
            "format", "sample_rate", "channels", "size",
        )  # fmt: skip
        rows: list[tuple[Any, ...]] = []
        for rank, group in enumerate(self.groups, 1):
            for c, d in [(group.keep, None), *((duplicate.clip, duplicate) for duplicate in group.clips)]:
                differs = (d.relation, d.likeness, d.offset_s, d.gain_db) if d else (None,) * 4
                facts = (c.id, c.duration_s, c.format, c.sample_rate, c.channels, c.size)
                rows.append((rank, d is None, c.path, *differs, *facts))
        return columns, rows


@dataclass(frozen=True)
class DuplicatesProgress:
    """How far the search for duplicates is.

    Attributes:
        stage: What is being done: `"decoding"`, then `"searching"`, then `"comparing"`.
        done: Clips that are done; pairs of clips where these are compared.
        total: All clips or pairs of this stage.
    """

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class GraphFigures:
    """What a graph finds for one kind of query.

    Attributes:
        recall_at_10: Share of the ten best that it finds.
        ef: Candidates that it keeps for that.
        ms: Time on one thread, milliseconds.
        scan_ms: Comparing with every segment on all cores, milliseconds.
        used: Whether searches use it without being asked to.
    """

    recall_at_10: float
    ef: int
    ms: float
    scan_ms: float
    used: bool


@dataclass(frozen=True)
class Graph:
    """An HNSW graph or inverted lists, in numbers.

    Attributes:
        method: Which of the two: `hnsw` or `lists`.
        segments: Segments that it covers.
        built_at: When it was built, RFC 3339 in UTC.
        build_s: How long that took, seconds.
        text: For queries with words, if they were measured.
        sound: For queries of sounds alone.
    """

    method: str
    segments: int
    built_at: str
    build_s: float
    text: GraphFigures | None = None
    sound: GraphFigures | None = None


@dataclass(frozen=True)
class Info:
    """The library in numbers.

    Attributes:
        version: The version of the fields.
        clips: Clips.
        segments: Stretches with a vector of their own.
        duration_s: All clips together, seconds.
        bytes: Size of the sound files, bytes.
        disk_bytes: Size of the index, bytes.
        failures: Files that could not be indexed.
        space: The space of the index that this is about.
        spaces: All spaces.
        model: The model of the vectors.
        manifest_hash: Hash of everything in its manifest that decides vectors.
        pipeline_version: Version of the code between a file's bytes and its vectors.
        format_version: Version of the index's layout.
        dim: Length of a vector.
        calibrated: Whether probabilities were calibrated for the model.
        tagger: The tagger's name, if there is one.
        created_at: When the index was created, RFC 3339 in UTC.
        graphs: HNSW graphs, with what was measured of each.
        label_sets: Saved label sets.
        earmark_version: Version of the program.
        min_score: Score below which hits are left out unless a request says otherwise; `None` if the model is
            not here.
        label_sets_error: What is wrong with the file of label sets, if anything is.
    """

    version: int
    clips: int
    segments: int
    duration_s: float
    bytes: int
    disk_bytes: int
    failures: int
    space: str
    spaces: tuple[str, ...]
    model: str
    manifest_hash: str
    pipeline_version: int
    format_version: int
    dim: int
    calibrated: bool
    tagger: str | None
    created_at: str
    graphs: tuple[Graph, ...]
    label_sets: int
    earmark_version: str
    min_score: float | None = None
    label_sets_error: str | None = None


@dataclass(frozen=True)
class IndexProgress:
    """How far indexing is.

    Attributes:
        files: Files that need a look.
        done: Of these, done.
        failed: Of these, failed.
        bytes: Size of the files that need a look, bytes.
        bytes_done: Size of those that are done, bytes.
        audio_s: Audio decoded so far, that of unfinished files included, seconds.
        path: The file that was finished just now, if one was.
        reason: Why that file failed, if it did.
    """

    files: int
    done: int
    failed: int
    bytes: int
    bytes_done: int
    audio_s: float
    path: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Failure:
    """A file that could not be indexed.

    Attributes:
        path: Absolute path.
        kind: `"unsupported"`, `"malformed"`, `"limit"`, `"empty"`, `"non-finite"`, `"no-decoder"`,
            `"silent"`, `"io"` or `"encoder"`.
        reason: Why, for people.
        seen_at: When it was tried last, RFC 3339 in UTC.
    """

    path: str
    kind: str
    reason: str
    seen_at: str | None = None


@dataclass(frozen=True)
class PruneRefused:
    """Why a careful prune removed nothing.

    Attributes:
        root: The path that was given, absolute.
        kind: `"missing"`, `"empty"`, `"dangling"` or `"many"`.
        reason: Why, for people.
        gone: Clips under `root` whose files are gone.
        clips: All clips under `root`.
    """

    root: str
    kind: str
    reason: str
    gone: int
    clips: int


@dataclass(frozen=True)
class IndexReport:
    """What indexing did.

    Attributes:
        version: The version of the fields.
        files: Sound files found.
        added: New clips.
        updated: Clips whose file had changed.
        unchanged: Clips whose file had not changed.
        moved: Clips whose file has another path now.
        retagged: Unchanged clips that were given tags.
        copied: New clips with the content of one that was known: not encoded again.
        pruned: Clips removed because their files are gone.
        excluded: Clips removed because their files are excluded now.
        elsewhere: Files that other workers of the same database indexed meanwhile.
        prune_refused: Why nothing was removed, for each path that speaks against it.
        known_bad: Files that failed before and have not changed since: not tried again.
        other_files: Files passed over for their extension.
        failed: Files that could not be indexed, this time.
        remarks: Files that were not read as they are: cut off, damaged, with gaps.
        audio_s: Audio encoded, seconds.
        segments: Segments written.
        seconds: How long it took, seconds.
        interrupted: Whether it was cut short.
    """

    version: int
    files: int
    added: int
    updated: int
    unchanged: int
    moved: int
    retagged: int
    copied: int
    pruned: int
    excluded: int
    elsewhere: int
    prune_refused: tuple[PruneRefused, ...]
    known_bad: int
    other_files: int
    failed: tuple[Failure, ...]
    remarks: tuple[FileRemarks, ...]
    audio_s: float
    segments: int
    seconds: float
    interrupted: bool


@dataclass(frozen=True, eq=False)
class Vectors:
    """The vectors of an index's segments, by clip id and time.

    Attributes:
        clip_ids: The clip of each row: uint64 `[rows]`. `str(clip_ids[i])` is a `Clip.id`.
        times: Start and end of each row in its clip, seconds: float64 `[rows, 2]`.
        matrix: The vectors, each of unit length: float32 `[rows, dim]`. The dot product of two is their
            cosine.
    """

    clip_ids: NDArray[np.uint64]
    times: NDArray[np.float64]
    matrix: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.clip_ids)

    def to_pandas(self) -> pandas.DataFrame:
        """The matrix as a data frame, indexed by `clip_id`, `start_s` and `end_s`. Needs pandas."""
        import pandas

        names = ["clip_id", "start_s", "end_s"]
        rows = [self.clip_ids, self.times[:, 0], self.times[:, 1]]
        index = pandas.MultiIndex.from_arrays(rows, names=names)
        frame: pandas.DataFrame = pandas.DataFrame(self.matrix, index=index, copy=False)
        return frame


def build(cls: type[T], json: Mapping[str, Any]) -> T:
    """A dataclass from JSON."""
    known: dict[str, Any] = {}
    of: Any = cls
    for name, key, convert in _converters(of):
        if key in json:
            value = json[key]
            known[name] = value if convert is None or value is None else convert(value)
    return cls(**known)


@functools.cache
def _converters(cls: Any) -> list[tuple[str, str, Callable[[Any], Any] | None]]:
    """The name of each field, its name in JSON, and what makes its value."""
    hints = typing.get_type_hints(cls)
    # `class` is a word of Python's.
    return [(f.name, f.name.rstrip("_"), _converter(hints[f.name])) for f in fields(cls)]


def _converter(hint: Any) -> Callable[[Any], Any] | None:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        (inner,) = (arg for arg in args if arg is not type(None))
        return _converter(inner)
    if origin is tuple:
        inner_converter = _converter(args[0])
        return tuple if inner_converter is None else lambda values: tuple(map(inner_converter, values))
    if origin is np.ndarray:
        (dtype,) = typing.get_args(args[1])
        return functools.partial(np.array, dtype=dtype)
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda value: build(hint, value)
    return None
