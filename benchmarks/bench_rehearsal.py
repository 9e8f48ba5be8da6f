"""A rehearsal costs what its distinct environments cost, however many items share them.

The peer is the full rebuild that finds out the same elsewhere: one new environment for each item, with the same
installer and a warm cache. Nothing is started on either side.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.harness import Row, rounds, row

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from rehearsal.corpus.item import Item, wsgi
from support import interpreters
from support.rehearsals import opened, publish
from support.server import running_server

from rostra.content.tables import Bundle
from rostra.content.tables import Item as ItemRow
from rostra.db.engine import transaction
from rostra.ids import new_guid
from rostra.rehearsal import records
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import Step
from rostra.rehearsal.records import Wanted
from rostra.rehearsal.tables import RehearsedItem
from rostra.rehearsal.target import wish
from rostra.rehearsal.walk import Walk

NAME = "rehearsal"
SAMPLES = (
    Item(name="one", why="pure", code=wsgi(), requires=("attrs==23.2.0", "click==8.1.7", "requests==2.32.3")),
    Item(name="two", why="compiled", code=wsgi(), requires=("pyyaml==6.0.2", "jinja2==3.1.4", "markupsafe")),
)
STEPS = (Step.match, Step.resolve, Step.build, Step.static)


def run(quick: bool) -> list[dict[str, Any]]:
    on, onto = interpreters.minor("3.8"), interpreters.minor("3.12")
    if on is None or onto is None:
        return [row("rehearsal", "needs Python 3.8 and 3.12", ours=0, peer=None, unit="s", target="-", met=None)]
    many = 24 if quick else 40
    with tempfile.TemporaryDirectory(prefix="rb-") as place:
        with running_server(Path(place), [on, onto]) as server:
            for sample in SAMPLES:
                publish(server, sample)
            config = server.config
        return asyncio.run(_measured(config, onto, many, rounds(quick)))


async def _measured(config: Path, onto: Path, many: int, repeats: int) -> list[Row]:
    ours: list[float] = []
    few: list[float] = []
    peer: list[float] = []
    asked = 0
    async with opened(config) as bench:
        guids = await _copies(bench, many)
        await asyncio.to_thread(_rebuild, onto, len(guids[:2]), Path(config.parent))  # warms the peer's cache
        for _ in range(repeats):
            begun = time.perf_counter()
            asked = await _rehearse(bench, guids)
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await _rehearse(bench, guids[: len(SAMPLES)])
            few.append(time.perf_counter() - begun)
            peer.append(await asyncio.to_thread(_rebuild, onto, many, Path(config.parent)))
    middle = {name: sorted(times)[len(times) // 2] for name, times in (("ours", ours), ("few", few), ("peer", peer))}
    shared = len(SAMPLES)
    return [
        row(
            "rehearse without rebuilding everything",
            f"{many} items in {shared} environments; peer: an environment for each",
            ours=middle["ours"], peer=middle["peer"], unit="s", target="<= 0.5 x",
            met=middle["ours"] <= middle["peer"] / 2,
        ),
        row(
            "cost follows environments, not items",
            f"{many} items against {shared}, the same {shared} environments",
            ours=middle["ours"], peer=middle["few"], unit="s", target="<= 2 x", met=middle["ours"] <= middle["few"] * 2,
        ),
        row(
            "each thing is found out once",
            f"findings of {many} items (resolve, build, static)",
            ours=float(asked), peer=float(3 * shared), unit="findings", target="= 1 x", met=asked == 3 * shared,
        ),
    ]  # fmt: skip


async def _copies(bench: Bench, many: int) -> list[str]:
    """Make ``many`` items of the published ones: other items, the same files and environments."""
    async with transaction(bench.tools.sessions) as session:
        live = sa.select(ItemRow, Bundle).join(Bundle, Bundle.id == ItemRow.live_bundle_id).order_by(ItemRow.id)
        originals = [(item, bundle) for item, bundle in (await session.execute(live)).all()]
        guids = [item.guid for item, _ in originals]
        for number in range(many - len(originals)):
            item, bundle = originals[number % len(originals)]
            copy = ItemRow(
                guid=new_guid(), owner_id=item.owner_id, name=f"copy-{number}", kind=item.kind,
                created_at=item.created_at, updated_at=item.updated_at,
            )  # fmt: skip
            session.add(copy)
            await session.flush()
            skipped = ("id", "item_id", "metadata")
            values = {c.key: getattr(bundle, c.key) for c in Bundle.__table__.columns if c.key not in skipped}
            made = Bundle(item_id=copy.id, metadata_={}, **values)
            session.add(made)
            await session.flush()
            copy.live_bundle_id = made.id
            places = bench.tools.places
            shutil.copytree(places.app(item.guid, bundle.id), places.app(copy.guid, made.id))
            guids.append(copy.guid)
    return guids


async def _rehearse(bench: Bench, guids: Sequence[str], steps: Sequence[Step] = STEPS) -> int:
    """Rehearse these items with nothing remembered; return how much had to be found out."""
    wanted = Wanted(wish=wish(["3.8"], "3.12"), steps=tuple(steps), fresh=True)
    async with transaction(bench.tools.sessions) as session:
        made = await records.begin(session, wanted, bench.tools.clock.now())
        others = sa.and_(RehearsedItem.rehearsal_id == made.id, RehearsedItem.guid.not_in(guids))
        await session.execute(sa.delete(RehearsedItem).where(others))
    walk = Walk(bench, made.id, lambda _: None)
    assert await walk.run() == "done"
    return walk.asked


def _rebuild(python: Path, many: int, folder: Path) -> float:
    """Return the seconds of one new environment for each item."""
    uv = str(Path(sys.executable).parent / "uv")
    begun = time.perf_counter()
    for number in range(many):
        env = folder / f"peer-{number}"
        subprocess.run([uv, "venv", "-q", "--python", str(python), str(env)], check=True)
        wanted = SAMPLES[number % len(SAMPLES)].requires
        words = [uv, "pip", "install", "-q", "--compile-bytecode", "--python", str(env / "bin/python"), *wanted]
        subprocess.run(words, check=True)
    taken = time.perf_counter() - begun
    for number in range(many):
        shutil.rmtree(folder / f"peer-{number}")
    return taken
