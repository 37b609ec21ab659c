"""What requests fail with."""

from __future__ import annotations


class Error(Exception):
    """A request failed. `str(error)` says what went wrong and what was expected.

    Attributes:
        kind: One word for programs, the same as in `earmark --json` and over HTTP: `"bad-request"`,
            `"not-found"`, `"forbidden"`, `"conflict"`, `"too-large"`, `"undecodable"`, `"busy"`,
            `"unavailable"` or `"internal"`.
        field: The argument at fault by its path, as in `"query[0].text"`, or `None`.
    """

    kind: str = "internal"

    def __init__(self, message: str, *, kind: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind
        self.field = field

    def __reduce__(self) -> tuple[object, ...]:
        return make, (self.kind, self.field, str(self))


class RequestError(Error, ValueError):
    """An argument is wrong; `field` names it."""

    kind = "bad-request"


class NotFoundError(Error, LookupError):
    """There is no such clip, file, label set or index."""

    kind = "not-found"


class ForbiddenError(Error, PermissionError):
    """It is not allowed here."""

    kind = "forbidden"


class ConflictError(Error):
    """It does not fit the state of the library: another model's index, for example."""

    kind = "conflict"


class TooLargeError(Error, ValueError):
    """The file is larger than earmark reads."""

    kind = "too-large"


class UndecodableError(Error, ValueError):
    """The sound cannot be used: it cannot be decoded, or the model makes nothing of it. Another one can."""

    kind = "undecodable"


class BusyError(Error):
    """Too many requests wait. Try again soon."""

    kind = "busy"


class UnavailableError(Error):
    """Something is in the way, such as another process that writes the index or a full disk."""

    kind = "unavailable"


class InternalError(Error):
    """The machine or earmark is at fault: a file that cannot be read, a damaged index, no ONNX Runtime."""

    kind = "internal"


_CLASSES: dict[str, type[Error]] = {
    cls.kind: cls
    for cls in (
        RequestError,
        NotFoundError,
        ForbiddenError,
        ConflictError,
        TooLargeError,
        UndecodableError,
        BusyError,
        UnavailableError,
        InternalError,
    )
}


def make(kind: str, field: str | None, message: str) -> Error:
    """The exception of a kind. The native module calls this."""
    return _CLASSES.get(kind, Error)(message, kind=kind, field=field)
