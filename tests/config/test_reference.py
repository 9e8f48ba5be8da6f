from __future__ import annotations

from pathlib import Path

from rostra.config.reference import PAGE, page


def test_the_page_is_what_the_declarations_say() -> None:
    written = Path(__file__).parents[2] / PAGE
    assert written.read_text("utf-8") == page(), "run: python -m rostra.config.reference"
