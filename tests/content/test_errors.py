import inspect

import pytest

from rostra.content import errors, limits
from rostra.errors import Problem

CLASSES = [
    found
    for module in (errors, limits)
    for found in vars(module).values()
    if inspect.isclass(found) and issubclass(found, Problem) and found.__module__ == module.__name__
]


def test_every_code_is_used_once() -> None:
    codes = [found.code for found in CLASSES]
    assert len(codes) == len(set(codes))


def test_a_number_of_its_own_is_used_once() -> None:
    shared = {1, 4, 22, 25}  # the wire's general ones
    numbers = [found.number for found in CLASSES if found.number not in shared]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("app", "'app'"),
        ("a\x1b[2J\n", r"'a\x1b[2J\n'"),
        (b"\xff", r"'b\'\\xff\''"),
        ("\u202eevil", r"'\u202eevil'"),
        (None, "'None'"),
    ],
)
def test_hostile_text_is_shown_plainly(text: object, shown: str) -> None:
    assert errors.shown(text) in (shown, shown.replace("'b\\'", "\"b'").replace("\\''", "'\""))


def test_hostile_text_is_shown_short() -> None:
    assert len(errors.shown("x" * 10**6)) <= 120
