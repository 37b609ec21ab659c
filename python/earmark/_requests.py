"""Parts of requests."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

StrPath = Union[str, "os.PathLike[str]"]
"""The path of a file or folder on this machine."""


@dataclass(frozen=True)
class QueryPart:
    """A part of a query: exactly one of `text`, `clip_id` and `file`.

    Attributes:
        text: A description.
        clip_id: A clip of the index.
        file: The path of a sound file.
        start_s: Where the sound begins in the clip or file, seconds.
        end_s: Where it ends, seconds.
        weight: How much the part counts; negative to avoid what it describes.
    """

    text: str | None = None
    clip_id: str | int | np.integer[Any] | None = None
    file: StrPath | None = None
    start_s: float | None = None
    end_s: float | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Filter:
    """Which clips; all conditions that are given must hold.

    Attributes:
        path: Part of the path, such as a folder; an absolute path for all in that folder; or a glob of the
            path, or of the file name if it has no `/` (`*` stays within a folder, `**` does not). Upper and
            lower case differ only if there is a capital in it.
        tags: Only clips with all of these tags.
        formats: Only these formats: `"wav"`, `"flac"`, `"mp3"`, ... or a file extension.
        min_duration_s: Only clips at least this long, seconds.
        max_duration_s: Only clips at most this long, seconds.
        indexed_since: Only clips indexed since then: an RFC 3339 time, a date, or how long ago as in `"7d"`.
    """

    path: str | None = None
    tags: Iterable[str] = ()
    formats: Iterable[str] = ()
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    indexed_since: str | None = None


@dataclass(frozen=True)
class LabelWithPrompts:
    """A label with texts that stand for it.

    Attributes:
        name: What is shown.
        prompts: Texts that describe the sound; at least one. Their vectors are averaged.
    """

    name: str
    prompts: Iterable[str]


def path_text(path: StrPath) -> str:
    r"""A path as earmark's JSON has it: bytes that are not UTF-8 as `\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def several(values: Any, one: type | tuple[type, ...]) -> list[Any]:
    """A list, of one value too."""
    return [values] if isinstance(values, one) else list(values)


def plain(value: Any) -> Any:
    """A value as JSON has it. Fields that are `None` or empty are left out of what dataclasses become."""
    if isinstance(value, QueryPart):
        part = _fields(value)
        if value.clip_id is not None:
            part["clip_id"] = str(value.clip_id)
        if value.file is not None:
            part["file"] = path_text(value.file)
        return part
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    return value


def without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was given: an argument that is `None` is left out, so that the default is earmark's own."""
    return {name: value for name, value in fields.items() if value is not None}


def _fields(value: Any) -> dict[str, Any]:
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    listed = {name: list(v) if _is_list(v) else v for name, v in fields.items()}
    return without_none(listed)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, os.PathLike))
