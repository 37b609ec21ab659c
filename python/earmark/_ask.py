"""Answers requests in JSON, a line each: `python -m earmark._ask DB`. Private: for earmark's own tests.

Each line of standard input is `{"method": "search", "request": {...}}`, with the request as in the HTTP API
and files named by path. Each line of standard output is the answer, or
`{"error": {"kind": ..., "field": ..., "detail": ...}}`. Methods: search, classify, events, tag, describe,
clips, clip (`{"id": "17"}`), info, duplicates and index.
"""

from __future__ import annotations

import json
import sys

from ._errors import Error
from ._library import Library


def answer(library: Library, line: str) -> str:
    """The answer to a line, without the line's end."""
    asked = json.loads(line)
    method, request = asked["method"], json.dumps(asked["request"])
    try:
        if method == "index":
            return library._native.index(request)
        if method == "duplicates":
            return library._native.duplicates(request)
        return library._native.ask(method, request)
    except Error as e:
        return json.dumps({"error": {"kind": e.kind, "field": e.field, "detail": str(e)}})


def main() -> None:
    (path,) = sys.argv[1:]
    library = Library(path)
    for line in sys.stdin:
        print(answer(library, line), flush=True)


if __name__ == "__main__":
    main()
