"""Lists in numbered pages: ``{results, current_page, total}``, exactly these keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query

LARGEST = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """``number`` counts from 1. A client may ask for a million rows a page; it gets ``LARGEST``."""

    number: int
    size: int

    def of(self, results: list[dict[str, Any]], total: int) -> dict[str, Any]:
        return {"results": results, "current_page": self.number, "total": total}


def _asked(page_number: Annotated[int, Query()] = 1, page_size: Annotated[int, Query()] = 20) -> Asked:
    return Asked(max(page_number, 1), min(max(page_size, 1), LARGEST))


Paged = Annotated[Asked, Depends(_asked)]


def _asked_many(page_number: Annotated[int, Query()] = 1, page_size: Annotated[int, Query()] = 100_000) -> Asked:
    return Asked(max(page_number, 1), min(max(page_size, 1), 100_000))


PagedWidely = Annotated[Asked, Depends(_asked_many)]
"""For rows so small that clients read them all at once."""
