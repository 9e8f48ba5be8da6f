"""Which renderings are kept."""

import datetime as dt

import pytest

from rostra.rendering.retention import Kept, removable

NOON = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)
MONTH = dt.timedelta(days=30)
FOR_EVER = dt.timedelta(0)


def kept(*days_ago: int, active: int | None = 0, bundles: tuple[int, ...] = ()) -> list[Kept]:
    """Renderings 1, 2, … made so many days ago; ``active`` is the place of the one shown."""
    return [
        Kept(place + 1, bundles[place] if bundles else 1, NOON - dt.timedelta(days=days), place == active)
        for place, days in enumerate(days_ago)
    ]


@pytest.mark.parametrize(
    ("there", "limit", "age", "drafts", "gone", "why"),
    [
        (kept(0, 1, 2), 30, MONTH, (), [], "few and young"),
        (kept(0, 1, 2, 3), 2, MONTH, (), [3, 4], "more than are kept"),
        (kept(0, 1, 2, 3), 0, FOR_EVER, (), [], "no limit and no age"),
        (kept(90, 91, 92), 0, MONTH, (), [2, 3], "replaced 90 and 91 days ago; the newest stays however old"),
        (kept(0, 90, 91), 0, MONTH, (), [3], "the second was shown until today"),
        (kept(0, 1, 2, 3, active=3), 2, MONTH, (), [3], "what is shown stays, also when it is old"),
        (kept(0, 1, 2, active=2, bundles=(1, 2, 1)), 1, MONTH, (2,), [], "a draft that is looked at stays"),
        (kept(0, 1, 2, active=0, bundles=(1, 2, 2)), 1, MONTH, (2,), [3], "but only its newest"),
        (kept(2, 0, 1, active=1), 1, MONTH, (), [3, 1], "whatever order they come in"),
        ([], 1, MONTH, (), [], "nothing there"),
    ],
)
def test_what_is_removed(
    there: list[Kept], limit: int, age: dt.timedelta, drafts: tuple[int, ...], gone: list[int], why: str
) -> None:
    assert removable(there, limit=limit, age=age, now=NOON, drafts=drafts) == gone, why
