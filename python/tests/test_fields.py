"""Dataclasses and arguments have the fields of the Rust types, by their schemas."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest

import earmark
from earmark import _answers, _native

SCHEMAS: dict[str, Any] = json.loads(_native.schemas())

# Where schemas have other names, so as not to clash with types of the HTTP API.
RENAMED = {"Info": "LibraryInfo", "Graph": "GraphInfo"}

# Not answers: made of NumPy arrays.
OWN = {"Vectors"}

ANSWERS = [
    value
    for name, value in vars(_answers).items()
    if dataclasses.is_dataclass(value) and isinstance(value, type) and name not in OWN
]


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMAS[name]["properties"]
    return found


@pytest.mark.parametrize("cls", ANSWERS, ids=lambda cls: str(cls.__name__))
def test_an_answer_has_the_fields_of_its_schema(cls: type[Any]) -> None:
    schema = SCHEMAS[RENAMED.get(cls.__name__, cls.__name__)]
    fields = dataclasses.fields(cls)
    assert {field.name.rstrip("_") for field in fields} == set(schema["properties"])
    # What is not always there has a default.
    optional = {f.name.rstrip("_") for f in fields if f.default is not dataclasses.MISSING}
    required = {name for name in schema.get("required", ())}
    assert optional.isdisjoint(required)


def test_every_class_documents_its_fields() -> None:
    for cls in ANSWERS:
        for field in dataclasses.fields(cls):
            assert f"        {field.name}: " in (cls.__doc__ or ""), f"{cls.__name__}.{field.name}"


METHODS: list[tuple[Callable[..., Any], str]] = [
    (earmark.Library.search, "SearchRequest"),
    (earmark.Library.classify, "ClassifyRequest"),
    (earmark.Library.events, "EventsRequest"),
    (earmark.Library.tag, "TagRequest"),
    (earmark.Library.describe, "DescribeRequest"),
    (earmark.Library.duplicates, "DuplicatesRequest"),
    (earmark.Library.clips, "ListRequest"),
    (earmark.Library.index, "IndexRequest"),
]


@pytest.mark.parametrize(("method", "schema"), METHODS, ids=lambda value: getattr(value, "__name__", value))
def test_a_method_takes_the_fields_of_its_request(method: Callable[..., Any], schema: str) -> None:
    parameters = set(inspect.signature(method).parameters) - {"self", "progress"}
    assert parameters == set(properties(schema))


@pytest.mark.parametrize("cls", [earmark.Filter, earmark.QueryPart, earmark.LabelWithPrompts])
def test_a_part_of_a_request_has_the_fields_of_its_schema(cls: type[Any]) -> None:
    assert {field.name for field in dataclasses.fields(cls)} == set(properties(cls.__name__))


def test_every_public_method_and_argument_is_documented() -> None:
    for name, method in inspect.getmembers(earmark.Library, inspect.isfunction):
        if name.startswith("_") and name != "__init__":
            continue
        doc = inspect.getdoc(method) or ""
        for parameter in set(inspect.signature(method).parameters) - {"self"}:
            assert f"{parameter}:" in doc or name == "clip" or parameter == "filter", f"{name}({parameter})"
