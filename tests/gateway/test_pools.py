from __future__ import annotations

import asyncio

import pytest

from rostra.gateway.pools import Pool, choose, wants_one_more


def pool_of(**loads: int) -> Pool:
    pool = Pool("p", [])
    pool.update([{"key": key, "socket": f"/{key}", "room": 3} for key in loads], comfort=2)
    for key, load in loads.items():
        pool.processes[key].load = load
    return pool


@pytest.mark.parametrize(
    ("loads", "sticky", "expected", "why"),
    [
        ({}, [], None, "nobody"),
        ({"a": 0}, [], "a", "the only one"),
        ({"a": 2, "b": 1}, [], "b", "the least busy"),
        ({"a": 3, "b": 3}, [], None, "no room"),
        ({"a": 2, "b": 0}, [b"a"], "a", "the visitor was there before"),
        ({"a": 5, "b": 0}, [b"a"], "a", "a session may exceed the room of its process"),
        ({"a": 6, "b": 0}, [b"a"], "b", "but not without bound"),
        ({"a": 1, "b": 0}, [b"gone"], "b", "that process is no more"),
        ({"a": 1, "b": 0}, [b"gone", b"a"], "a", "several cookies: the first that means something"),
        ({"a": 1}, [b"\xff\xfe"], "a", "a cookie that is no key"),
    ],
)
def test_choose_table(loads: dict[str, int], sticky: list[bytes], expected: str | None, why: str) -> None:
    found = choose(pool_of(**loads).processes, sticky)
    assert (found.key if found else None) == expected, why


def test_an_unreachable_process_is_left_out_until_the_next_push() -> None:
    pool = pool_of(a=0, b=1)
    pool.processes["a"].reachable = False
    assert pool.choose([b"a"]).key == "b"
    pool.update([{"key": "a", "socket": "/a", "room": 3}], comfort=0)
    assert pool.choose([]).key == "a"


def test_a_push_keeps_what_is_known_of_a_process() -> None:
    pool = pool_of(a=2)
    pool.update([{"key": "a", "socket": "/a", "room": 9}, {"key": "b", "socket": "/b", "room": 1}], comfort=0)
    assert (pool.processes["a"].load, pool.processes["a"].room) == (2, 9)


def test_a_process_that_is_not_listed_is_counted_until_it_is_empty() -> None:
    pool = pool_of(a=0)
    process = pool.processes["a"]
    process.take()
    assert pool.loads() == {"a": 1}
    assert [gone.key for gone in pool.update([], comfort=0)] == ["a"]
    assert pool.choose([b"a"]) is None
    assert not pool.is_over
    process.leave()
    assert pool.loads() == {"a": 0}
    assert pool.is_over


def test_loads_are_told_once_and_only_when_changed() -> None:
    to_tell: list[Pool] = []
    pool = Pool("p", to_tell)
    pool.update([{"key": key, "socket": key, "room": 3} for key in "ab"], comfort=0)
    pool.processes["a"].take()
    pool.processes["a"].leave()
    assert to_tell == [pool]
    assert pool.loads() == {"a": 0}
    assert pool.loads() == {}


@pytest.mark.parametrize(
    ("load", "comfort", "expected", "why"),
    [
        (2, 2, False, "as busy as is comfortable"),
        (3, 2, True, "busier"),
        (9, 0, False, "nobody said what is comfortable"),
    ],
)
def test_one_more_table(load: int, comfort: int, expected: bool, why: str) -> None:
    pool = pool_of(a=load)
    pool.comfort = comfort
    assert wants_one_more(pool, pool.processes["a"]) is expected, why


async def test_room_wakes_who_waits() -> None:
    pool = pool_of(a=3)
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    pool.waiting.append(waiter)
    pool.processes["a"].leave()
    await waiter
    assert pool.waiting == []
