"""The class `Library`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar, Union, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _native, _runtime
from ._answers import (
    ClassifyAnswer,
    Clip,
    ClipPage,
    DescribeAnswer,
    DuplicatesAnswer,
    DuplicatesProgress,
    EventsAnswer,
    IndexProgress,
    IndexReport,
    Info,
    SearchAnswer,
    TagAnswer,
    Vectors,
    build,
)
from ._errors import RequestError
from ._requests import (
    Filter,
    LabelWithPrompts,
    QueryPart,
    StrPath,
    path_text,
    plain,
    several,
    without_none,
)

_log = logging.getLogger("earmark")

_PATH = (str, os.PathLike)

_Progress = TypeVar("_Progress")

ClipId = Union[str, int, "np.integer[Any]"]
"""The id of a clip: `Clip.id`, or the same as a number, as in `Vectors.clip_ids`."""

Label = Union[str, LabelWithPrompts]
"""A word or phrase, or a name with texts that stand for it."""

KeepBy = Literal["length", "format", "rate", "channels", "size"]
"""What makes a clip the better one: more of the sound, lossless before lossy, a higher sample rate, more
channels, a larger file."""


class Library:
    """An index of sounds, the model that made its vectors, and the models beside it.

    There need not be an index yet: `index` makes it, and sounds named in requests can be labelled without
    one. Models are opened when first needed and kept. Several threads may use one library; a process made by
    `os.fork` may not. All methods work without the GIL. Ctrl-C takes effect when the sound at hand is done.

    Methods raise `earmark.Error`, or one of its subclasses by kind.
    """

    def __init__(
        self,
        path: StrPath,
        *,
        model: str | None = None,
        onnxruntime: StrPath | None = None,
        device: str | None = None,
        threads: int = 0,
        ffmpeg: StrPath | None = None,
        graph_cache: StrPath | None = None,
    ) -> None:
        """Opens the library whose index is, or will be, in the folder `path`.

        Args:
            path: The folder of the index, as `--db` of the command line, or the address of a PostgreSQL
                database, `postgres://USER@HOST/NAME`.
            model: A model, or a space of the index, by name; the current space's model if absent, and the
                bundled one where there is no index yet.
            onnxruntime: The ONNX Runtime library; by default that of the package `onnxruntime`, unless
                `ORT_DYLIB_PATH` names one. One process uses one.
            device: What runs audio: `"cpu"` (default), `"cuda"`, `"auto"`, ...
            threads: Worker threads; 0 for one a core.
            ffmpeg: The ffmpeg that decodes what earmark does not; `""` for none, by default the first in
                `PATH`.
            graph_cache: Where optimised models are kept; `""` for nowhere, by default the user's cache
                folder.
        """
        _runtime.forbid_telemetry()
        options = {
            "path": path_text(path),
            "model": model,
            "onnxruntime": _runtime.library() if onnxruntime is None else path_text(onnxruntime),
            "device": device,
            "threads": threads,
            "ffmpeg": None if ffmpeg is None else path_text(ffmpeg),
            "graph_cache": None if graph_cache is None else path_text(graph_cache),
        }
        self._native = _native.Library(json.dumps(without_none(options)))
        self._tell_events()

    def __repr__(self) -> str:
        return f"earmark.Library({self._native.location()!r})"

    def index(
        self,
        paths: StrPath | Iterable[StrPath],
        *,
        progress: Callable[[IndexProgress], object] | None = None,
        tags: Iterable[str] = (),
        prune: Literal["never", "careful", "all"] = "never",
        force: bool = False,
        retry_failed: bool = False,
        exclude: Iterable[str] = (),
        hidden: bool = False,
        all_files: bool = False,
    ) -> IndexReport:
        """Adds sound files to the index, which is made if there is none.

        Files whose size and modification time have not changed are skipped. Ctrl-C finishes what is begun,
        keeps it and raises `KeyboardInterrupt`; the same call goes on from there. Files that cannot be
        indexed are in the report.

        Args:
            paths: Sound files and folders.
            progress: Called with how far the work is, for every file and several times a second while a long
                one is decoded. An exception that it raises stops the work as Ctrl-C does, and is raised here.
            tags: Tags for the clips.
            prune: What becomes of clips under `paths` whose files no longer exist: `"never"` keeps them;
                `"careful"` removes them unless files may only be temporarily unavailable, and then the
                report's `prune_refused` says why; `"all"` removes them.
            force: Index every file again, changed or not.
            retry_failed: Try again files that failed before.
            exclude: Globs of paths to skip. Clips that match are removed from the index.
            hidden: Include hidden files and folders.
            all_files: Try every file in a folder, whatever its extension.

        Raises:
            RequestError: An argument is wrong.
            UnavailableError: Another process writes the index.
        """
        request = {
            "paths": _paths(paths),
            "tags": several(tags, str),
            "prune": prune,
            "force": force,
            "retry_failed": retry_failed,
            "exclude": several(exclude, str),
            "hidden": hidden,
            "all_files": all_files,
        }
        told = None if progress is None else _telling(IndexProgress, progress)
        try:
            report = self._native.index(_dumps(request), told)
        finally:
            self._tell_events()
        return build(IndexReport, json.loads(report))

    def search(
        self,
        query: str | QueryPart | Iterable[str | QueryPart],
        *,
        filter: Filter | None = None,
        k: int = 10,
        min_score: float | None | Literal["model"] = "model",
        collapse: bool = True,
        copies: bool = False,
        explain: bool = False,
        by: Literal["both", "sound", "name"] = "both",
        mode: Literal["auto", "exact", "graph"] = "auto",
        sort: Literal["score", "name", "duration", "date"] = "score",
        diversity: float = 0.0,
        templates: Iterable[str] = (),
        exclude: Iterable[ClipId] = (),
        cursor: str | None = None,
    ) -> SearchAnswer:
        """Searches the index by words, by example or both.

        Args:
            query: Words, or parts whose weighted sum is looked for. `QueryPart(text="speech", weight=-0.7)`
                avoids speech. In words, `"quotes"` keep words together, and `-word` leaves out clips that have
                it in their names. An example itself is not found.
            filter: Which clips may be found.
            k: Hits a page.
            min_score: Leave out hits that score less; `"model"` for the model's own limit, `None` for none.
            collapse: Only the best stretch of each clip.
            copies: List copies of a sound too; else the best of them stands for all.
            explain: Name the sound classes that each hit shares with the query.
            by: What counts: what clips sound like, their names, tags and metadata, or both.
            mode: `"auto"` is the fastest way that finds at least 99 % of what `"exact"` finds.
            sort: The order of the hits of a page: the best, by file name, the shortest, or the files changed
                last first.
            diversity: How much hits should differ from each other, 0 to 1.
            templates: Sentences with `{}` where a text goes, whose vectors are averaged; the model's own if
                there are none.
            exclude: Clips that may not be found, nor may their copies.
            cursor: `next_cursor` of the page before.
        """
        request: dict[str, Any] = {
            "query": [
                plain(QueryPart(text=part) if isinstance(part, str) else part)
                for part in several(query, (str, QueryPart))
            ],
            "filter": _plain_filter(filter),
            "k": k,
            "collapse": collapse,
            "copies": copies,
            "explain": explain,
            "by": by,
            "mode": mode,
            "sort": sort,
            "diversity": diversity,
            "templates": several(templates, str),
            "exclude": _ids(exclude),
            "cursor": cursor,
        }
        request = without_none(request)
        # `null` stands for no limit.
        if min_score != "model":
            request["min_score"] = min_score
        return build(SearchAnswer, self._ask("search", request))

    def similar(
        self,
        clip_id: ClipId | Clip,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        filter: Filter | None = None,
        k: int = 10,
        explain: bool = False,
        cursor: str | None = None,
    ) -> SearchAnswer:
        """Clips that sound like this one, which is left out.

        Args:
            clip_id: The clip. For a file, `search(QueryPart(file=path))`.
            start_s: Start of the stretch to compare, seconds; the whole clip if absent.
            end_s: End of the stretch, seconds.
            filter: Which clips may be found.
            k: Hits a page.
            explain: Name the sound classes that each hit shares with the clip.
            cursor: `next_cursor` of the page before.
        """
        name = clip_id.id if isinstance(clip_id, Clip) else str(clip_id)
        return self.search(
            QueryPart(clip_id=name, start_s=start_s, end_s=end_s),
            exclude=[name],
            min_score=None,
            filter=filter,
            k=k,
            explain=explain,
            cursor=cursor,
        )

    def classify(
        self,
        files: StrPath | Iterable[StrPath] = (),
        *,
        labels: Iterable[Label] | None = None,
        label_set: str | None = None,
        clip_ids: ClipId | Iterable[ClipId] = (),
        filter: Filter | None = None,
        templates: Iterable[str] = (),
        multi: bool = False,
        threshold: float | None = None,
        pooling: Literal["mean", "max", "attention"] = "mean",
        top: int | None = None,
    ) -> ClassifyAnswer:
        """Labels sounds with any words.

        Args:
            files: Sound files and folders.
            labels: The labels. Either this or `label_set`.
            label_set: The name of a saved set.
            clip_ids: Clips of the index, from their stored vectors.
            filter: All clips of the index that this lets through, from their stored vectors.
            templates: Sentences with `{}` where the label goes; the model's own if there are none.
            multi: Any number of labels may fit, each by itself.
            threshold: Probability, 0 to 1, that the best label must reach, else none fits; with `multi`, from
                which each label fits. If absent, none fits if "none of these" is more probable; with `multi`,
                0.5.
            pooling: How the windows of a sound become one score: `"mean"` is what it is about as a whole,
                `"max"` whether the label is heard at all, `"attention"` between the two.
            top: Only the likeliest so many scores, and those of accepted labels.
        """
        request = {
            "files": _paths(files),
            "labels": _labels(labels),
            "label_set": label_set,
            "clip_ids": _ids(clip_ids),
            "filter": _plain_filter(filter),
            "templates": several(templates, str),
            "multi": multi,
            "threshold": threshold,
            "pooling": pooling,
            "top": top,
        }
        return build(ClassifyAnswer, self._ask("classify", without_none(request)))

    def events(
        self,
        file: StrPath | None = None,
        *,
        labels: Iterable[Label] | None = None,
        label_set: str | None = None,
        clip_id: ClipId | None = None,
        templates: Iterable[str] = (),
        threshold: float | None = None,
        release: float | None = None,
        hop_s: float | None = None,
        smooth_s: float | None = None,
        min_duration_s: float | None = None,
        merge_gap_s: float | None = None,
        tracks: bool = False,
    ) -> EventsAnswer:
        """Finds when labels are heard in one sound. Settings that are absent are the model's own.

        Args:
            file: A sound file. Either this or `clip_id`.
            labels: The labels. Either this or `label_set`.
            label_set: The name of a saved set.
            clip_id: A clip of the index, whose file is decoded.
            templates: Sentences with `{}` where the label goes.
            threshold: Probability, 0 to 1, at which an event begins.
            release: Probability below which it ends; at most `threshold`.
            hop_s: Seconds between looks.
            smooth_s: Length of the median filter, seconds.
            min_duration_s: Shorter events are dropped, seconds.
            merge_gap_s: Events of one label closer than this become one, seconds.
            tracks: Answer with the probabilities over time too.
        """
        request = {
            "file": None if file is None else path_text(file),
            "labels": _labels(labels),
            "label_set": label_set,
            "clip_id": None if clip_id is None else str(clip_id),
            "templates": several(templates, str),
            "threshold": threshold,
            "release": release,
            "hop_s": hop_s,
            "smooth_s": smooth_s,
            "min_duration_s": min_duration_s,
            "merge_gap_s": merge_gap_s,
            "tracks": tracks,
        }
        return build(EventsAnswer, self._ask("events", without_none(request)))

    def tag(
        self,
        files: StrPath | Iterable[StrPath] = (),
        *,
        clip_ids: ClipId | Iterable[ClipId] = (),
        top: int = 5,
        threshold: float | None = None,
        windows: bool = False,
    ) -> TagAnswer:
        """Tags sounds with a model's fixed classes.

        Args:
            files: Sound files and folders.
            clip_ids: Clips of the index, whose files are decoded.
            top: Classes a sound.
            threshold: Probability, 0 to 1, from which a class counts as heard; the model's own if absent.
            windows: Tag each of the model's windows too.
        """
        request = {
            "files": _paths(files),
            "clip_ids": _ids(clip_ids),
            "top": top,
            "threshold": threshold,
            "windows": windows,
        }
        return build(TagAnswer, self._ask("tag", without_none(request)))

    def describe(
        self,
        files: StrPath | Iterable[StrPath] = (),
        *,
        clip_ids: ClipId | Iterable[ClipId] = (),
        threshold: float | None = None,
    ) -> DescribeAnswer:
        """Short accounts of recordings: how loud they are, what is heard when, and one plain sentence.

        Args:
            files: Sound files and folders.
            clip_ids: Clips of the index, whose files are decoded.
            threshold: Probability, 0 to 1, from which a class counts as heard; the model's own if absent.
        """
        request = {"files": _paths(files), "clip_ids": _ids(clip_ids), "threshold": threshold}
        return build(DescribeAnswer, self._ask("describe", without_none(request)))

    def duplicates(
        self,
        *,
        filter: Filter | None = None,
        threshold: float = 0.95,
        keep: KeepBy | Iterable[KeepBy] = ("length", "format", "rate", "channels"),
        verify: bool = True,
        progress: Callable[[DuplicatesProgress], object] | None = None,
    ) -> DuplicatesAnswer:
        """Finds clips that are the same sound, in groups. Nothing is changed or removed.

        Finds copies, other encodings, sample rates and channels, other gain, and sounds that are cut or
        padded with silence; not sounds that are merely alike. The files are decoded and compared. Ctrl-C
        raises `KeyboardInterrupt` when the files at hand are done.

        Args:
            filter: Which clips. Only these are compared with each other.
            threshold: Likeness, 0.5 to 1, from which two sounds are one: how well one waveform predicts the
                other.
            keep: What decides which clip of a group to keep, the most important first. The shortest path
                decides between clips that are equally good.
            verify: Compare the files. Else only what the index stores is compared, which takes less time and
                finds neither cuts nor padding.
            progress: Called with how far the work is, for every clip and pair. An exception that it raises
                stops the work as Ctrl-C does, and is raised here.

        Raises:
            RequestError: An argument is wrong.
            NotFoundError: There is no index.
        """
        request = {
            "filter": _plain_filter(filter),
            "threshold": threshold,
            "keep": several(keep, str),
            "verify": verify,
        }
        told = None if progress is None else _telling(DuplicatesProgress, progress)
        try:
            answer = self._native.duplicates(_dumps(without_none(request)), told)
        finally:
            self._tell_events()
        return build(DuplicatesAnswer, json.loads(answer))

    def clips(
        self,
        *,
        q: str | None = None,
        filter: Filter | None = None,
        sort: Literal["path", "indexed", "duration"] = "path",
        limit: int | None = None,
        cursor: str | None = None,
    ) -> ClipPage:
        """The clips of the index, a page of them if there is a `limit`.

        Args:
            q: Part of the path, upper and lower case alike.
            filter: Which clips.
            sort: By path, the latest indexed first, or the longest first.
            limit: At most so many.
            cursor: `next_cursor` of the page before.
        """
        request = {
            "q": q,
            "filter": _plain_filter(filter),
            "sort": sort,
            "limit": limit,
            "cursor": cursor,
        }
        return build(ClipPage, self._ask("clips", without_none(request)))

    def clip(self, id: ClipId) -> Clip:
        """A clip by its id.

        Raises:
            NotFoundError: There is no such clip.
        """
        return build(Clip, self._ask("clip", {"id": str(id)}))

    def info(self) -> Info:
        """The library in numbers.

        Raises:
            NotFoundError: There is no index.
        """
        return build(Info, self._ask("info", {}))

    def vectors(self, filter: Filter | None = None) -> Vectors:
        """The vectors of all segments of the clips that a filter lets through, by clip id and time.

        The arrays are made once, in Rust, and not copied: `matrix` is float32 `[rows, dim]`.
        """
        return Vectors(*self._native.vectors(_dumps(_plain_filter(filter) or {})))

    def embed_audio(self, samples: ArrayLike, rate: int) -> NDArray[np.float32]:
        """A sound held as samples, in the model's space: the vector that a file with these samples has.

        Args:
            samples: Floating point, full scale -1 to 1: `[frames]` or `[channels, frames]`.
            rate: Frames a second, Hz.

        Returns:
            float32 `[dim]`, of unit length.

        Raises:
            RequestError: Not such an array; NaN or infinity; a rate beyond 1 to 768 kHz.
            UndecodableError: The model makes nothing of the sound, as some do of silence.
        """
        array = np.asarray(samples)
        if not np.issubdtype(array.dtype, np.floating):
            message = f"samples: expected floating point, full scale -1 to 1, got {array.dtype}"
            raise RequestError(message, field="samples")
        if array.ndim not in (1, 2):
            message = f"samples: expected [frames] or [channels, frames], got shape {array.shape}"
            raise RequestError(message, field="samples")
        if not 0 <= rate < 1 << 32:
            raise RequestError(f"rate: expected 1000 to 768000 Hz, got {rate}", field="rate")
        table = np.ascontiguousarray(np.atleast_2d(array), dtype=np.float32)
        return self._native.embed_audio(table, rate)

    @overload
    def embed_text(self, text: str, *, templates: Iterable[str] = ()) -> NDArray[np.float32]: ...
    @overload
    def embed_text(self, text: Sequence[str], *, templates: Iterable[str] = ()) -> NDArray[np.float32]: ...
    def embed_text(self, text: str | Sequence[str], *, templates: Iterable[str] = ()) -> NDArray[np.float32]:
        """Descriptions in the model's space, as `search` compares them.

        Args:
            text: A description, or several.
            templates: Sentences with `{}` where the text goes, whose vectors are averaged; the model's own if
                there are none.

        Returns:
            float32 `[dim]` of one text, `[texts, dim]` of a list; each row of unit length.
        """
        matrix = self._native.embed_text(several(text, str), several(templates, str))
        return matrix[0] if isinstance(text, str) else matrix

    def _ask(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._native.ask(method, _dumps(request)))
        return answer

    def _tell_events(self) -> None:
        for event in self._native.take_events():
            _log.warning("index: %s", event)


def _telling(cls: type[_Progress], progress: Callable[[_Progress], object]) -> Callable[[str], object]:
    def tell(so_far: str) -> object:
        return progress(build(cls, json.loads(so_far)))

    return tell


def _dumps(request: dict[str, Any]) -> str:
    # NumPy's numbers are taken as Python's.
    return json.dumps(request, default=_number, allow_nan=False)


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"expected a value that JSON has, got {type(value).__name__}")


def _paths(paths: StrPath | Iterable[StrPath]) -> list[str]:
    return [path_text(path) for path in several(paths, _PATH)]


def _ids(ids: ClipId | Iterable[ClipId]) -> list[str]:
    return [str(id) for id in several(ids, (str, int, np.integer))]


def _labels(labels: Iterable[Label] | None) -> list[Any] | None:
    return None if labels is None else [plain(label) for label in several(labels, (str, LabelWithPrompts))]


def _plain_filter(filter: Filter | None) -> dict[str, Any] | None:
    made: dict[str, Any] | None = None if filter is None else plain(filter)
    return made
