"""The ONNX Runtime library of the installed package `onnxruntime`, so that nothing is shipped twice."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

# The library's file on Linux, macOS and Windows.
_NAMES = ("libonnxruntime.so.*", "libonnxruntime.*.dylib", "onnxruntime.dll")


def library() -> str | None:
    """The path of the library, or `None` to let earmark search as its command line does.

    The package is found without importing it. `ORT_DYLIB_PATH` goes first.
    """
    if os.environ.get("ORT_DYLIB_PATH"):
        return None
    spec = importlib.util.find_spec("onnxruntime")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in _NAMES:
            for path in sorted(Path(folder, "capi").glob(name)):
                return str(path)
    return None


def forbid_telemetry() -> None:
    """ONNX Runtime's builds from 1.29 on tell their maker what they are used for. earmark sends nothing."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
