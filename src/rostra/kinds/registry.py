"""Every kind there is, by the name and the number clients use. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from rostra.errors import Forbidden, Invalid
from rostra.kinds import dashboards, elsewhere, files, notebooks, quarto, r, web
from rostra.kinds.kind import Kind

ALL: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in sorted(
            (
                *(*web.KINDS, *dashboards.KINDS, *notebooks.KINDS, *files.KINDS),
                *(*r.KINDS, *quarto.KINDS, *elsewhere.KINDS),
            ),
            key=lambda kind: kind.number,
        )
    }
)

# Names that clients have used before settling on another.
_ALIASES = {"nodejs-api": "nodejs"}
_BY_NUMBER = {kind.number: kind for kind in ALL.values()}


class UnknownKind(Invalid):
    """No such ``app_mode``. ``name`` is what was asked for."""

    code: ClassVar[str] = "unknown-kind"
    number: ClassVar[int] = 148

    def __init__(self, name: str, guess: str = "") -> None:
        self.name = name
        hint = f"Did you mean {guess}?" if guess else f"It may be one of {', '.join(_runnable_names())}."
        super().__init__(f"There is no kind of content called {name!r}.", hint=hint)


class KindNotRun(Forbidden):
    """A kind that exists, but not on this server. ``name`` is which."""

    code: ClassVar[str] = "kind-not-run"
    number: ClassVar[int] = 109

    def __init__(self, kind: Kind) -> None:
        self.name = kind.name
        super().__init__(kind.refusal, hint=f"It runs {', '.join(_runnable_names())}.")


def by_name(name: str) -> Kind:
    """Return the kind that clients call ``name`` (an ``app_mode``), also one that is refused at deploy.

    Raises:
        UnknownKind: no client knows such a kind.
    """
    kind = ALL.get(_ALIASES.get(name, name))
    if kind is None:
        guesses = difflib.get_close_matches(name, ALL, n=1)
        raise UnknownKind(name, *guesses)
    return kind


def by_number(number: int) -> Kind:
    """Return the kind that older clients call ``number``; ``unknown`` when there is none."""
    return _BY_NUMBER.get(number, files.UNKNOWN)


def runnable(name: str) -> Kind:
    """Return the kind called ``name``, sure that this server can run, render or show it.

    Raises:
        UnknownKind: no client knows such a kind.
        KindNotRun: Rostra does not run it; the message says what it would need.
    """
    kind = by_name(name)
    if kind.refusal:
        raise KindNotRun(kind)
    return kind


def _runnable_names() -> list[str]:
    return [kind.name for kind in ALL.values() if not kind.refusal]
