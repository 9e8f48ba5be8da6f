import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.content import names


@pytest.mark.parametrize(
    ("name", "legal", "why"),
    [
        ("abc", True, "three letters"),
        ("Sales_2024-v1.2", True, "everything allowed"),
        ("___", True, "clients fill short names up with _"),
        ("x" * 64 + "12", True, "clients append a number after cutting to 64"),
        ("x" * 80, True, "the longest"),
        ("x" * 81, False, "longer"),
        ("ab", False, "short"),
        ("", False, "empty"),
        ("a b", False, "a space"),
        ("a/b", False, "a path"),
        ("äbc", False, "an accent"),
        ("٣٣٣", False, "digits, but not these"),
        ("abc\n", False, "a line end"),
    ],
)
def test_item_names(name: str, legal: bool, why: str) -> None:
    assert names.legal_item_name(name) is legal, why


def test_generated_names_are_legal_and_differ() -> None:
    made = {names.generated_item_name() for _ in range(50)}
    assert len(made) == 50
    assert all(map(names.legal_item_name, made))


@given(st.text())
def test_a_path_without_fault_stays_inside(path: str) -> None:
    if names.path_fault(path) is None:
        parts = names.components(path)
        assert not path.startswith("/")
        assert not {"..", ".", ""} & set(parts)
        assert all("/" not in part and "\0" not in part for part in parts)
