from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from rostra.cli.table import Column, lines

COLUMNS = (
    Column("Python", head=True),
    Column("title", head=True, least=10),
    Column("items", number=True),
    Column("why", least=12),
)
ROWS = [
    ("3.8.18", "Sales of the northern region", "7", "Chose the latest 3.8.X release since all are before 3.8.20"),
    ("3.12.1", "Stock", "12", "Chose exact match"),
]


def test_what_fits_is_a_table() -> None:
    told = lines(COLUMNS, ROWS, 120)
    assert told == [
        "Python  title                         items  why",
        "3.8.18  Sales of the northern region      7  Chose the latest 3.8.X release since all are before 3.8.20",
        "3.12.1  Stock                            12  Chose exact match",
    ]


def test_what_may_wrap_does_before_the_table_is_given_up() -> None:
    assert lines(COLUMNS, ROWS, 60) == [
        "Python  title                  items  why",
        "3.8.18  Sales of the northern      7  Chose the latest 3.8.X",
        "        region                        release since all are",
        "                                      before 3.8.20",
        "3.12.1  Stock                     12  Chose exact match",
    ]


def test_what_does_not_fit_is_a_list() -> None:
    assert lines(COLUMNS, ROWS, 38) == [
        "3.8.18  Sales of the northern region",
        "    items  7",
        "    why    Chose the latest 3.8.X",
        "           release since all are",
        "           before 3.8.20",
        "3.12.1  Stock",
        "    items  12",
        "    why    Chose exact match",
    ]


def test_what_is_piped_keeps_one_line_for_each_row() -> None:
    long = "word " * 200
    told = lines(COLUMNS, [("3.8.18", long, "1", long)], None)
    assert len(told) == 2
    assert told[1].count("word") == 400


def test_an_empty_cell_is_left_out_of_a_list() -> None:
    assert lines(COLUMNS, [("3.8.18", "Stock", "", "x" * 50)], 20) == ["3.8.18  Stock", "    why    " + "x" * 50]


def test_nothing_moves_the_cursor() -> None:
    assert lines(COLUMNS, [("3", "evil\x1b[2J\ntitle", "1", "")], None)[1] == "3       evil?[2J?title      1"


def test_wide_characters_keep_the_columns() -> None:
    told = lines(COLUMNS, [("3.8.18", "売上報告", "7", "ja"), ("3.8.18", "Sales", "7", "en")], 60)
    assert {cell_len(line[: line.index(word)]) for line, word in zip(told[1:], ("ja", "en"), strict=True)} == {25}


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Zs",)), min_size=1, max_size=8)
CELLS = st.lists(WORDS, max_size=12).map(" ".join)


@pytest.mark.parametrize("wide", [60, 80, 120])
@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=4))
def test_no_line_is_wider_than_the_terminal(wide: int, rows: list[tuple[str, str, str, str]]) -> None:
    assert all(cell_len(line) <= wide for line in lines(COLUMNS, rows, wide))
