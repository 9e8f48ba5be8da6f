"""The errors every room raises. An edge (HTTP, command line, log) decides how each one looks."""

from __future__ import annotations

from typing import ClassVar


class Problem(Exception):
    """Something the caller can understand and, usually, fix.

    ``code`` is public and never changes once released; ``hint`` says what to do next.
    ``number`` is the integer that publishing clients know (docs/reference/errors.md); 1 when the wire has none.
    Anything that is not a ``Problem`` is a bug: it is logged with its traceback and shown to nobody.
    """

    code: ClassVar[str] = "problem"
    number: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        ends = "" if self.message.endswith((".", "!", "?", "…")) or not self.hint else "."
        return f"{self.message}{ends} {self.hint}".strip()


class Invalid(Problem):
    """The request cannot be understood or breaks a rule."""

    code = "invalid"


class NotSignedIn(Problem):
    """Nobody, or somebody whose credential is no good."""

    code = "not-signed-in"
    number = 24


class Forbidden(Problem):
    """Known, but not allowed."""

    code = "forbidden"
    number = 22


class NotFound(Problem):
    code = "not-found"
    number = 4


class Conflict(Problem):
    code = "conflict"


class TooLarge(Invalid):
    code = "too-large"


class Unavailable(Problem):
    """The request was fine; the server cannot serve it now. Retrying may help."""

    code = "unavailable"


class Gone(Problem):
    """What was asked for cannot run any more until somebody acts (a removed interpreter, for example)."""

    code = "gone"
