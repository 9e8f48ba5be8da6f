from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from rostra.execution import logs
from rostra.execution.logs import LogFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs" / "one.log"


def size(path: Path) -> int:
    return sum(part.stat().st_size for part in path.parent.iterdir())


def test_lines_come_back_with_stream_and_time(path: Path) -> None:
    log = LogFile(path, 10_000)
    log.feed("out", "grüße\nto ".encode())
    log.feed("err", b"oops\r\n")
    log.feed("out", b"you\n")
    log.close()
    found = logs.read(path)
    assert [(line.source, line.text) for line in found] == [
        ("stdout", "grüße"),
        ("stderr", "oops"),
        ("stdout", "to you"),
    ]
    assert abs(found[0].at - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=10)


def test_an_unfinished_line_is_kept_at_the_end(path: Path) -> None:
    log = LogFile(path, 10_000)
    log.feed("err", b"Segmentation fault")
    log.close()
    assert [line.text for line in logs.read(path)] == ["Segmentation fault"]


def test_undecodable_bytes_do_not_hurt(path: Path) -> None:
    log = LogFile(path, 10_000)
    log.feed("out", b"\xff\xfe\x00\x1b[31m\n")
    log.close()
    assert logs.read(path)[0].text == "\ufffd\ufffd\x00\x1b[31m"


@pytest.mark.parametrize("most", [4_000, 50_000, 400_000])
def test_beginning_and_end_are_kept_within_the_bound(path: Path, most: int) -> None:
    log = LogFile(path, most)
    for number in range(20_000):
        log.feed("out", b"line %d\n" % number)
        if number % 997 == 0:
            assert size(path) <= most
    log.close()
    assert size(path) <= most
    lines = logs.read(path)
    texts = [line.text for line in lines]
    assert texts[0] == "line 0"
    assert texts[-1] == "line 19999"
    notice = next(line for line in lines if line.source == "rostra")
    assert "bytes were left out here" in notice.text


def test_what_fits_is_whole_and_says_nothing_of_leaving_out(path: Path) -> None:
    log = LogFile(path, 100_000)
    for number in range(1000):
        log.feed("out", b"line %d\n" % number)
    log.close()
    assert [line.text for line in logs.read(path)] == [f"line {number}" for number in range(1000)]


def test_the_end_can_be_read_while_it_is_written(path: Path) -> None:
    log = LogFile(path, 4_000)
    for number in range(5_000):
        log.feed("out", b"line %d\n" % number)
    assert [line.text for line in logs.read(path, 2)] == ["line 4998", "line 4999"]
    log.close()


def test_the_end_survives_a_launcher_that_was_killed(path: Path) -> None:
    log = LogFile(path, 4_000)
    for number in range(5_000):
        log.feed("out", b"line %d\n" % number)
    never_closed = logs.read(path, 1)
    assert never_closed[0].text == "line 4999"
    log.close()


def test_a_long_line_is_cut_and_the_next_is_whole(path: Path) -> None:
    log = LogFile(path, 1_000_000)
    for _ in range(100):
        log.feed("out", b"x" * 10_000)
    log.feed("out", b"\nnext\n")
    log.close()
    first, second = logs.read(path)
    assert first.text.endswith("(long line cut)")
    assert len(first.text) < logs.LONGEST_LINE + 50
    assert second.text == "next"


def test_a_line_cut_short_by_a_crash_is_passed_over(path: Path) -> None:
    log = LogFile(path, 10_000)
    log.feed("out", b"whole\n")
    log.close()
    with path.open("ab") as handle:
        handle.write(b'["out",17320')
    assert [line.text for line in logs.read(path)] == ["whole"]


def test_a_missing_log_is_empty(path: Path) -> None:
    assert logs.read(path) == []


def test_only_the_last_lines(path: Path) -> None:
    log = LogFile(path, 10_000)
    log.feed("out", b"1\n2\n3\n")
    log.close()
    assert [line.text for line in logs.read(path, 2)] == ["2", "3"]
    assert logs.read(path, 0) == []


def test_a_full_disk_loses_lines_and_not_the_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(path, 10_000)

    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None: ...

    log._head.close()
    log._head = Full()  # type: ignore[assignment]
    log.feed("out", b"lost\n")
    log.close()
