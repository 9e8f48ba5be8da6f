import asyncio
import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import anyio
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from support.bundles import bundle as packed
from support.items import NOW, StillClock, add_item, add_user

from rostra.config.sections import Applications
from rostra.content import bundles, disk, items, unpack
from rostra.content.bundles import ReceivedFile
from rostra.content.errors import (
    BundleIsLive,
    BundleNotFound,
    BundleNotWritten,
    BundleRefused,
    BundleTooLarge,
    ChecksumMismatch,
    ContentLocked,
    InvalidSource,
    KindChanged,
)
from rostra.content.places import Places
from rostra.content.tables import Bundle, Item
from rostra.db.engine import Sessions, transaction
from rostra.errors import Problem

pytestmark = pytest.mark.anyio

RAW = packed()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "data")


@pytest.fixture
async def item(session: AsyncSession) -> Item:
    return await add_item(session, await add_user(session, "owner"))


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def receive(places: Places, *data: bytes, max_bytes: int = 10**7, md5: str | None = None) -> ReceivedFile:
    folder = places.data_dir / "bundles"
    return await bundles.receive(pieces(*data), folder=folder, max_bytes=max_bytes, expected_md5=md5)


async def upload(session: AsyncSession, item: Item, places: Places, raw: bytes = RAW, **more: Any) -> Bundle:
    received = await receive(places, raw)
    contents = await unpack.inspect(received.path)
    return await bundles.accept(session, item, received, contents, user_id=1, clock=StillClock(), places=places, **more)


def files(places: Places) -> list[str]:
    found = (path for path in places.data_dir.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(places.data_dir)) for path in found)


# receiving


@pytest.mark.parametrize("sizes", [[3], [0, 1, 2], [1_048_576], [700_000, 700_000, 700_000], [1] * 50])
async def test_what_is_sent_arrives(places: Places, sizes: Iterable[int]) -> None:
    data = [bytes([n % 256]) * size for n, size in enumerate(sizes)]
    whole = b"".join(data)
    received = await receive(places, *data, md5=hashlib.md5(whole).hexdigest().upper())
    assert received.path.read_bytes() == whole
    assert received.size == len(whole)
    assert (received.md5, received.sha1) == (hashlib.md5(whole).hexdigest(), hashlib.sha1(whole).hexdigest())
    assert received.sha256 == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize(
    ("data", "more", "refusal", "number", "why"),
    [
        ([b"x" * 60, b"x" * 60], {"max_bytes": 100}, BundleTooLarge, 125, "more than the server takes"),
        ([], {}, BundleRefused, 135, "nothing"),
        ([b"", b""], {}, BundleRefused, 135, "nothing, in pieces"),
        ([b"x"], {"md5": "0" * 32}, ChecksumMismatch, 104, "damaged on its way"),
        ([b"x"], {"md5": "nonsense\n" * 1000}, ChecksumMismatch, 104, "no checksum at all"),
    ],
)
async def test_a_bad_upload_leaves_nothing(
    places: Places, data: list[bytes], more: dict[str, Any], refusal: type[Problem], number: int, why: str
) -> None:
    with pytest.raises(refusal) as told:
        await receive(places, *data, **more)
    assert told.value.number == number, why
    assert told.value.hint
    assert len(told.value.message) < 300
    assert files(places) == []


async def test_the_largest_upload_allowed_is_taken(places: Places) -> None:
    assert (await receive(places, b"x" * 100, max_bytes=100)).size == 100


async def test_a_client_that_goes_away_leaves_nothing(places: Places) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionResetError

    with pytest.raises(BundleNotWritten):
        await bundles.receive(broken(), folder=places.data_dir, max_bytes=10**9)
    assert files(places) == []


@pytest.mark.parametrize("native", [True, False], ids=["asyncio", "anyio"])
async def test_a_cancelled_upload_leaves_nothing(places: Places, native: bool) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000
            await anyio.sleep(0)

    receiving = bundles.receive(endless(), folder=places.data_dir, max_bytes=10**12)
    if native:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receiving, 0.05)
    else:
        with anyio.move_on_after(0.05):
            await receiving
    assert files(places) == []


async def test_a_disk_that_fails_is_said(places: Places) -> None:
    places.data_dir.write_text("a file where the folder should be")
    with pytest.raises(BundleNotWritten) as told:
        await receive(places, b"x")
    assert (told.value.number, bool(told.value.hint)) == (134, True)


# accepting


async def test_an_accepted_bundle_is_what_was_sent(session: AsyncSession, item: Item, places: Places) -> None:
    raw = packed(python={"version": "3.11.4"}, environment={"python": {"requires": ">=3.9"}})
    made = await upload(session, item, places, raw, source={"source": "git", "source_commit": None})
    await session.refresh(made)
    assert places.archive(item.guid, made.id).read_bytes() == raw
    assert files(places) == [f"bundles/{item.guid}/{made.id}.tar.gz"]
    assert (made.kind, made.entrypoint, made.state, made.size) == ("python-api", "app", "uploaded", len(raw))
    assert (made.requested_version, made.requested_range) == ("3.11.4", ">=3.9")
    assert (made.created_by_id, made.created_at) == (1, NOW)
    assert made.metadata_ == {"source": "git", "source_commit": None}
    assert made.manifest["metadata"]["entrypoint"] == "app"


async def test_newest_first_and_only_ones_own(session: AsyncSession, item: Item, places: Places) -> None:
    other = await add_item(session, await add_user(session, "other"))
    assert await bundles.latest(session, item) is None
    made = [await upload(session, item, places) for _ in range(3)]
    theirs = await upload(session, other, places)
    assert [b.id for b in await bundles.listing(session, item)] == [b.id for b in reversed(made)]
    assert await bundles.latest(session, item) is made[-1]
    assert await bundles.get(session, item, str(made[0].id)) is made[0]
    for wrong in (theirs.id, 10**6, 10**30, -1, "x", "1 or 1", ""):
        with pytest.raises(BundleNotFound) as told:
            await bundles.get(session, item, wrong)
        assert told.value.number == 4


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"a": 1}, "a number"),
        ({"a": {"b": "c"}}, "an object"),
        ({"a": "x" * 5000}, "long"),
        ({"a\0": "x"}, "NUL"),
        ({"a": "\udc00"}, "half a surrogate pair"),
        ({str(n): "x" for n in range(51)}, "many"),
    ],
)
async def test_source_that_cannot_be_kept(
    session: AsyncSession, item: Item, places: Places, source: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidSource):
        await upload(session, item, places, source=source)
    assert files(places) == [], why


async def test_locked_content_takes_no_bundle(session: AsyncSession, item: Item, places: Places) -> None:
    item.locked = True
    with pytest.raises(ContentLocked):
        await upload(session, item, places)
    assert files(places) == []


async def test_another_kind_is_refused_once_deployed(session: AsyncSession, item: Item, places: Places) -> None:
    await items.make_live(session, item.id, await upload(session, item, places), NOW)
    with pytest.raises(KindChanged):
        await upload(session, item, places, packed(metadata={"appmode": "static"}))
    assert len(files(places)) == 1


# letting go


async def test_the_live_bundle_stays(session: AsyncSession, item: Item, places: Places) -> None:
    live, other = await upload(session, item, places), await upload(session, item, places)
    await items.make_live(session, item.id, live, NOW)
    with pytest.raises(BundleIsLive) as told:
        await bundles.delete(session, item, live, places)
    assert told.value.number == 75
    await unpack.unpack(places.archive(item.guid, other.id), places.app(item.guid, other.id))
    await disk.remove_all(await bundles.delete(session, item, other, places))
    assert [b.id for b in await bundles.listing(session, item)] == [live.id]
    assert files(places) == [f"bundles/{item.guid}/{live.id}.tar.gz"]


@pytest.mark.parametrize(
    ("keep", "live", "left", "why"),
    [
        (0, 0, [0, 1, 2, 3], "0 keeps all"),
        (9, 0, [0, 1, 2, 3], "fewer than the limit"),
        (2, 3, [2, 3], "the newest two"),
        (2, 0, [0, 2, 3], "the live one stays, however old"),
        (1, None, [3], "a draft is all there is"),
    ],
)
async def test_retention(
    session: AsyncSession, item: Item, places: Places, keep: int, live: int | None, left: list[int], why: str
) -> None:
    made = [await upload(session, item, places) for _ in range(4)]
    if live is not None:
        await items.make_live(session, item.id, made[live], NOW)
    await disk.remove_all(await bundles.prune(session, item, keep, places))
    expected = [made[n].id for n in left]
    assert sorted(b.id for b in await bundles.listing(session, item)) == expected, why
    assert files(places) == [f"bundles/{item.guid}/{number}.tar.gz" for number in expected]


# after a crash


async def test_an_upload_that_was_never_committed_is_removed(sessions: Sessions, places: Places) -> None:
    async with transaction(sessions) as session:
        item = await add_item(session, await add_user(session, "owner"))
        kept = await upload(session, item, places)
    async with sessions() as session:  # never committed
        await upload(session, item, places)
    (places.data_dir / "bundles" / ".scratch-half").write_text("half an upload")
    scratch = places.app(item.guid, 7).parent / ".scratch-x" / "deep"
    scratch.mkdir(parents=True)
    scratch.parent.chmod(0o555)
    places.app(item.guid, kept.id + 5).mkdir()
    assert len(files(places)) == 3
    async with transaction(sessions) as session:
        said = await bundles.reconcile(session, places)
    assert len(said) == 4
    assert files(places) == [f"bundles/{item.guid}/{kept.id}.tar.gz"]
    assert list(places.app(item.guid, 7).parent.iterdir()) == []
    async with transaction(sessions) as session:
        assert await bundles.reconcile(session, places) == []


async def test_a_bundle_whose_file_is_gone_is_marked_and_said_once(sessions: Sessions, places: Places) -> None:
    async with transaction(sessions) as session:
        item = await add_item(session, await add_user(session, "owner"))
        lost, kept = await upload(session, item, places), await upload(session, item, places)
    places.archive(item.guid, lost.id).unlink()
    for expected in (1, 0):
        async with transaction(sessions) as session:
            assert len(await bundles.reconcile(session, places)) == expected
    async with transaction(sessions) as session:
        states = dict((await session.execute(sa.select(Bundle.id, Bundle.state))).all())
    assert states == {lost.id: "failed", kept.id: "uploaded"}


async def test_a_wrong_database_destroys_nothing(sessions: Sessions, places: Places) -> None:
    stranger = places.archive("11111111-1111-4111-8111-111111111111", 1)
    stranger.parent.mkdir(parents=True)
    stranger.write_text("precious")
    async with transaction(sessions) as session:
        said = await bundles.reconcile(session, places)
    assert len(said) == 1
    assert "left alone" in said[0]
    assert stranger.read_text() == "precious"


async def test_reconciling_before_anything_was_published(session: AsyncSession, places: Places) -> None:
    assert await bundles.reconcile(session, places) == []


def test_bounds_come_from_the_settings() -> None:
    made = bundles.bounds(Applications(max_unpacked_size=5, max_bundle_files=7))
    assert (made.total_bytes, made.members) == (5, 7)


async def test_the_standard_library_opens_a_download(session: AsyncSession, item: Item, places: Places) -> None:
    made = await upload(session, item, places)
    raw = places.archive(item.guid, made.id).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(raw)) as opened:
        assert opened.getnames() == ["manifest.json", "app.py"]
