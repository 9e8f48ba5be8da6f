"""Decisions: who may reach what, and where it is answered; remembered by (credential, prefix).

The table is filled from what control answers and corrected by what control pushes (architecture.md, decide.sock).
No I/O here; times are seconds of one monotonic clock, passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rostra.errors import Unavailable
from rostra.gateway import headers, paths

STALE_SECONDS = 600.0  # how much longer than its ttl a decision serves while control is away
MOST_REMEMBERED = 50_000

Credential = tuple[bytes, bytes]  # (scheme, value) as in head.Fields.credential


class BadDecision(Unavailable):
    """Control said something that is no decision; the request goes to control, which can explain itself."""

    code = "bad-decision"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decision:
    """What to do with requests under one prefix with one credential.

    Exactly one of ``pool`` and ``redirect`` is set, or neither: pass to control.
    """

    until: float
    pool: str = ""
    redirect: bytes = b""
    prefix: bytes = b""
    base: bytes = b""
    item: str = ""
    user: str | None = None
    identity: bytes = b""  # header lines
    sticky: bool = False
    stripped: bool = False  # the process knows no base path and gets requests as if it were mounted at /


def read_decision(message: dict[str, Any], now: float) -> Decision:
    """Return what ``message``, an answer to ``decide``, says.

    Raises:
        BadDecision: a field is missing or of the wrong type.
    """
    try:
        until = now + float(message["ttl"])
        if message.get("to") == "control":
            return Decision(until=until)
        if "redirect" in message:
            return Decision(until=until, redirect=_path(message["redirect"]))
        if message["to"] != "pool":
            raise BadDecision("control decided for something unknown")
        return Decision(
            until=until,
            pool=str(message["pool"]),
            prefix=_path(message["prefix"]),
            base=_path(message["base"]),
            item=str(message["item"]),
            user=message["user"],
            identity=b"".join(headers.line(name, value) for name, value in message["headers"]),
            sticky=bool(message["sticky"]),
            stripped=bool(message.get("stripped")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as why:
        raise BadDecision(f"control's decision lacks something: {why!r}") from why


def _path(text: str) -> bytes:
    """A path as it goes into a head: no character of it may end a line or a word there."""
    if not text.startswith("/") or any(mark <= " " or mark == "\x7f" for mark in text):
        raise ValueError(f"{text!r} is not a path")
    return paths.as_browsers_write(text)


class Decisions:
    """What is remembered; the oldest go when there are too many, so that made-up credentials cannot fill memory."""

    def __init__(self) -> None:
        self._known: dict[tuple[Credential, bytes], Decision] = {}

    def __len__(self) -> int:
        return len(self._known)

    def fresh(self, credential: Credential, prefix: bytes, now: float) -> Decision | None:
        found = self._known.get((credential, prefix))
        return found if found is not None and found.until > now else None

    def stale(self, credential: Credential, prefix: bytes, now: float) -> Decision | None:
        """Return what may be used when control does not answer."""
        found = self._known.get((credential, prefix))
        return found if found is not None and found.until + STALE_SECONDS > now else None

    def remember(self, credential: Credential, prefix: bytes, decision: Decision) -> None:
        known = self._known
        known.pop((credential, prefix), None)
        known[credential, prefix] = decision
        if len(known) > MOST_REMEMBERED:
            for key in list(known)[: MOST_REMEMBERED // 10]:
                del known[key]

    def forget(self, prefix: bytes | None, credential: bytes | None) -> None:
        """Drop what was decided under ``prefix`` (drafts below it too) for ``credential``'s value; None is every."""
        if prefix is None and credential is None:
            self._known.clear()
            return
        for key, decision in list(self._known.items()):
            (_, value), asked = key
            under = prefix is None or asked.startswith(prefix) or asked + b"/" == prefix or decision.prefix == prefix
            if under and credential in (None, value):
                del self._known[key]

    def forget_expired(self, now: float) -> None:
        for key in [key for key, decision in self._known.items() if decision.until + STALE_SECONDS <= now]:
            del self._known[key]


def exchanged(target: bytes, decision: Decision) -> bytes | None:
    """Return ``target`` under the base the process knows; None when it does not lie under the decision's prefix.

    >>> exchanged(b"/sales/a?b", Decision(until=0, pool="p", prefix=b"/sales/", base=b"/content/1/"))
    b'/content/1/a?b'
    """
    if not target.startswith(decision.prefix):
        return None
    if decision.stripped:
        return b"/" + target[len(decision.prefix) :]
    if decision.prefix == decision.base:
        return target
    return decision.base + target[len(decision.prefix) :]
