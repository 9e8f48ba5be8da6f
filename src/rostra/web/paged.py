"""Lists in pages: which one is asked for, and the addresses of those beside it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from rostra.web.screens import Call


@dataclass(frozen=True, slots=True)
class Pages:
    """``previous`` and ``next`` are queries for the same address; empty where there is nothing."""

    number: int
    last: int
    total: int
    previous: str = ""
    next: str = ""


def page_number(call: Call) -> int:
    text = call.asked("page")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def pager(call: Call, number: int, total: int, size: int) -> Pages:
    """Return where page ``number`` of ``total`` rows stands; other words of the address are kept."""
    last = max(1, -(-total // size))
    kept = {name: value for name, value in call.request.query_params.items() if name not in {"page", "done"}}

    def at(page: int) -> str:
        return "?" + urlencode({**kept, "page": page})

    return Pages(
        number,
        last,
        total,
        previous=at(min(number, last + 1) - 1) if number > 1 else "",
        next=at(number + 1) if number < last else "",
    )
