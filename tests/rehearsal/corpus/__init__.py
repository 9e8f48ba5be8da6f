"""The rehearsal corpus: small real items, each with the outcome that was found by really doing it (``truth.json``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rehearsal.corpus import code, dashboards, documents, packages
from rehearsal.corpus.item import Item

__all__ = ["ITEMS", "TRUTH", "Item", "truth"]
ITEMS: tuple[Item, ...] = (*code.ITEMS, *packages.ITEMS, *documents.ITEMS, *dashboards.ITEMS)
TRUTH = Path(__file__).parent / "truth.json"


def truth() -> dict[str, dict[str, Any]]:
    """Return {name: {"outcome", "detail"}} as `benchmarks.rehearsal_truth` found it."""
    found: dict[str, dict[str, Any]] = json.loads(TRUTH.read_text())
    return found
