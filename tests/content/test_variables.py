import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession
from support.items import add_item, add_user

from rostra.content import variables
from rostra.content.errors import VariablesLocked
from rostra.content.tables import Item, Variable
from rostra.content.variables import Box, open_box
from rostra.errors import Problem

pytestmark = pytest.mark.anyio

BOX = Box([Fernet.generate_key()])


@pytest.fixture
async def item(session: AsyncSession) -> Item:
    return await add_item(session, await add_user(session, "owner"))


async def test_set_merge_remove_replace_clear(session: AsyncSession, item: Item) -> None:
    assert await variables.merge(session, BOX, item, [("B", "2"), ("A", "1")]) == ["A", "B"]
    assert await variables.merge(session, BOX, item, [("A", None), ("C", "3"), ("GONE", None)]) == ["B", "C"]
    assert await variables.for_process(session, BOX, item.id) == {"B": "2", "C": "3"}
    assert await variables.replace(session, BOX, item, [("D", "4"), ("E", None)]) == ["D"]
    assert await variables.names(session, item) == ["D"]
    assert await variables.replace(session, BOX, item, []) == []
    assert await variables.for_process(session, BOX, item.id) == {}


async def test_one_items_variables_are_not_anothers(session: AsyncSession, item: Item) -> None:
    other = await add_item(session, await add_user(session, "other"))
    await variables.merge(session, BOX, item, [("A", "1")])
    await variables.replace(session, BOX, other, [("A", "2")])
    assert await variables.for_process(session, BOX, item.id) == {"A": "1"}


async def test_values_are_not_readable_in_the_database(session: AsyncSession, item: Item) -> None:
    await variables.merge(session, BOX, item, [("A", "a secret")])
    stored = (await session.execute(sa.select(Variable.value))).scalar_one()
    assert "a secret" not in stored


async def test_a_copied_row_opens_nothing(session: AsyncSession, item: Item) -> None:
    await variables.merge(session, BOX, item, [("A", "a secret")])
    await session.execute(sa.update(Variable).values(name="B"))
    with pytest.raises(VariablesLocked):
        await variables.for_process(session, BOX, item.id)


async def test_another_key_opens_nothing_and_says_what_to_do(session: AsyncSession, item: Item) -> None:
    await variables.merge(session, BOX, item, [("A", "a secret")])
    with pytest.raises(VariablesLocked) as told:
        await variables.for_process(session, Box([Fernet.generate_key()]), item.id)
    assert "variables.key" in told.value.hint
    assert "a secret" not in str(told.value)


def test_keys_can_be_changed() -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    closed = Box([old]).close(1, "A", "x")
    both = Box([new, old])
    assert both.open(1, "A", closed) == "x"
    assert Box([new]).open(1, "A", both.close(1, "A", "y")) == "y"


@pytest.mark.parametrize(
    ("name", "value", "number", "why"),
    [
        ("", "x", 266, "no name has its own number"),
        ("A=B", "x", 25, "would set another variable"),
        ("A\0B", "x", 25, "NUL"),
        ("A B", "x", 25, "a space"),
        ("1A", "x", 25, "begins with a digit"),
        ("A\n", "x", 25, "a line end"),
        ("É", "x", 25, "not ASCII"),
        ("A" * 256, "x", 25, "long"),
        (7, "x", 25, "a number"),
        (None, "x", 25, "null"),
        ("A", 7, 25, "a number"),
        ("A", {"b": 1}, 25, "an object"),
        ("A", "a\0b", 25, "NUL"),
        ("A", "\ud800", 25, "half a surrogate pair"),
        ("A", "x" * 100_001, 25, "the kernel would refuse to start"),
        ("A", "é" * 60_000, 25, "bytes count, not letters"),
        ("PATH", "x", 108, "the server's"),
        ("HOME", "x", 108, "the server's"),
        ("POSIT_PRODUCT", "x", 108, "not trustworthy otherwise"),
        ("RSTUDIO_PRODUCT", "x", 108, "not trustworthy otherwise"),
        ("CONNECT_CONTENT_GUID", "x", 108, "the server's"),
        ("CONNECT_CONTENT_JOB_KEY", None, 108, "not even removed"),
        ("ROSTRA_KIND", "x", 108, "the server's"),
        ("LD_PRELOAD", "x", 108, "would act on what starts the process"),
        ("LD_LIBRARY_PATH", "x", 108, "would act on what starts the process"),
        ("GLIBC_TUNABLES", "x", 108, "would act on what starts the process"),
        ("PYTHONHOME", "x", 108, "would break the interpreter"),
    ],
)
async def test_refused(session: AsyncSession, item: Item, name: str, value: str, number: int, why: str) -> None:
    await variables.merge(session, BOX, item, [("KEPT", "1")])
    for call in (variables.merge, variables.replace):
        with pytest.raises(Problem) as told:
            await call(session, BOX, item, [("FINE", "1"), (name, value)])
        assert told.value.number == number, why
        assert told.value.hint
        assert len(told.value.message) < 400
    assert await variables.names(session, item) == ["KEPT"]


async def test_a_name_given_twice(session: AsyncSession, item: Item) -> None:
    with pytest.raises(Problem) as told:
        await variables.merge(session, BOX, item, [("A", "1"), ("A", "2")])
    assert told.value.number == 149


async def test_too_many(session: AsyncSession, item: Item) -> None:
    with pytest.raises(Problem):
        await variables.merge(session, BOX, item, [(f"A{n}", "1") for n in range(1001)])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("CONNECT_SERVER", "the owner may point elsewhere"),
        ("CONNECT_API_KEY", "the owner may use another key"),
        ("_CONNECT_RESTART_TMP_x", "how a client restarts content"),
        ("lower_case", "POSIX"),
        ("spring.config-name", "read by some frameworks"),
        ("PYTHONPATH", "authors arrange their sources with it"),
        ("path", "names differ by case"),
    ],
)
async def test_allowed(session: AsyncSession, item: Item, name: str, why: str) -> None:
    assert await variables.merge(session, BOX, item, [(name, "")]) == [name], why


@given(st.integers(1, 10), st.text(), st.text())
def test_what_is_closed_opens_to_the_same(item_id: int, name: str, value: str) -> None:
    assert BOX.open(item_id, name, BOX.close(item_id, name, value)) == value


def test_the_key_is_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "variables.key"
    closed = open_box(path).close(1, "A", "x")
    assert open_box(path).open(1, "A", closed) == "x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [found.name for found in path.parent.iterdir()] == ["variables.key"]


def test_servers_that_start_together_agree(tmp_path: Path) -> None:
    path, boxes = tmp_path / "variables.key", []
    threads = [threading.Thread(target=lambda: boxes.append(open_box(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {box.open(1, "A", boxes[0].close(1, "A", "x")) for box in boxes} == {"x"}


def test_a_file_that_holds_no_key(tmp_path: Path) -> None:
    for content in (b"", b"short\n"):
        (tmp_path / "variables.key").write_bytes(content)
        with pytest.raises(VariablesLocked):
            open_box(tmp_path / "variables.key")
