"""A thousand items with sixty distinct environments cost sixty: of resolving, building and looking at code.

Starting is another matter: where it is asked for, each item is started on its own, and that is measured apart. The peer
is what finds out the same without sharing: a full rebuild of each of the sixty environments with the same installer and
a warm cache, of which a thousand would be needed where nothing is shared. Small packages from the index, in sixty
combinations.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from benchmarks.bench_rehearsal import STEPS, _rehearse
from benchmarks.harness import Row, row

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from rehearsal.corpus.item import Item, wsgi
from support import interpreters
from support.rehearsals import opened, publish
from support.server import running_server

from rostra.content import builds, deploy
from rostra.content.tables import Bundle
from rostra.content.tables import Item as ItemRow
from rostra.db.engine import transaction
from rostra.ids import new_guid
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import Step

NAME = "rehearsal-many"
RESOLVE = (Step.match, Step.resolve)
STARTED = 10
VERSIONS = {
    "six": ("1.12.0", "1.13.0", "1.14.0", "1.15.0", "1.16.0"),
    "toolz": ("0.11.2", "0.12.0", "0.12.1", "1.0.0"),
    "iniconfig": ("1.1.1", "2.0.0", "1.0.1"),
}
COMBINATIONS = [
    tuple(f"{name}=={version}" for name, version in zip(VERSIONS, each, strict=True))
    for each in itertools.product(*VERSIONS.values())
]


def run(quick: bool) -> list[Row]:
    on, onto = interpreters.minor("3.8"), interpreters.minor("3.12")
    if on is None or onto is None:
        return [row("rehearsal", "needs Python 3.8 and 3.12", ours=0, peer=None, unit="s", target="-", met=None)]
    distinct, many = (12, 200) if quick else (60, 1000)
    base = Item(name="base", why="copied", code=wsgi(), requires=COMBINATIONS[0])
    with tempfile.TemporaryDirectory(prefix="rm-") as place:
        with running_server(Path(place), [on, onto]) as server:
            publish(server, base)
            config = server.config
        return asyncio.run(_measured(config, onto, COMBINATIONS[:distinct], many))


async def _measured(config: Path, onto: Path, wanted: Sequence[Sequence[str]], many: int) -> list[Row]:
    async with opened(config) as bench:
        guids = await _items(bench, wanted, many)
        await asyncio.to_thread(_rebuilt, onto, wanted, config.parent)  # warms the peer's cache
        # Nobody has an advantage: the packages of both interpreters are known before anything is measured.
        await _rehearse(bench, guids[: len(wanted)])
        resolved, _ = await _timed(bench, guids, RESOLVE)
        ours, asked = await _timed(bench, guids, STEPS)
        few, _ = await _timed(bench, guids[: len(wanted)], STEPS)
        alike = guids[:: len(wanted)][:STARTED]  # in one environment
        built, _ = await _timed(bench, alike, STEPS)
        started, _ = await _timed(bench, alike, (*STEPS, Step.start))
        peer = await asyncio.to_thread(_rebuilt, onto, wanted, config.parent)
    distinct = len(wanted)
    what = f"{many} items in {distinct} environments"
    unshared = peer / distinct * many
    return [
        row("each thing is found out once", f"{what}: findings (resolve, build, static)", ours=float(asked),
            peer=float(3 * distinct), unit="findings", target="= 1 x", met=asked == 3 * distinct),
        row("cost follows environments, not items", f"{what}, against {distinct} items in them", ours=ours, peer=few,
            unit="s", target="<= 2 x", met=ours <= 2 * few),
        row("what an item more costs, nothing started", f"each of {many - distinct} whose environment was examined",
            ours=(ours - few) / (many - distinct), peer=None, unit="s", target="-", met=None),
        row("what starting adds", f"each of {len(alike)} items in one environment, WSGI without a framework",
            ours=(started - built) / len(alike), peer=None, unit="s", target="-", met=None),
        row("resolve alone", f"{what}: match, resolve", ours=resolved, peer=None, unit="s", target="-", met=None),
        row("rehearse without rebuilding everything", f"{what}; peer: {many} full rebuilds, from {distinct} measured",
            ours=ours, peer=unshared, unit="s", target="<= 0.5 x", met=ours <= unshared / 2),
        row("an environment, rehearsed and rebuilt", f"each of {distinct}; peer: its full rebuild, nothing found out",
            ours=few / distinct, peer=peer / distinct, unit="s", target="<= 3 x", met=few <= 3 * peer),
    ]  # fmt: skip


async def _timed(bench: Bench, guids: Sequence[str], steps: Sequence[Step]) -> tuple[float, int]:
    """Return the seconds, and how much was found out."""
    begun = time.perf_counter()
    asked = await _rehearse(bench, guids, steps)
    return time.perf_counter() - begun, asked


async def _items(bench: Bench, wanted: Sequence[Sequence[str]], many: int) -> list[str]:
    """Make ``many`` items, one after the other of the next combination of packages, each with its real environment."""
    tools = bench.tools
    async with transaction(tools.sessions) as session:
        live = sa.select(ItemRow, Bundle).join(Bundle, Bundle.id == ItemRow.live_bundle_id)
        original, bundle = (await session.execute(live)).one()
        values = {c.key: getattr(bundle, c.key) for c in Bundle.__table__.columns if c.key not in _NOT_COPIED}
    work = await deploy.begin(deploy.Order(guid=original.guid, bundle_id=bundle.id), tools)
    runtime = next(each for each in tools.runtimes() if str(each.version) == bundle.runtime_version)
    spec = builds.spec(
        runtime, builds.Source(work.manifest, work.kind, tools.places.app(original.guid, bundle.id)), install=True
    )
    specs = [dataclasses.replace(spec, requirements="".join(f"{line}\n" for line in lines)) for lines in wanted]
    keys = [(await bench.store.ensure(each, lambda _: None)).key for each in specs]
    assert len(set(keys)) == len(wanted)
    guids = []
    for number in range(many):
        which = number % len(wanted)
        async with transaction(tools.sessions) as session:
            item = ItemRow(
                guid=new_guid(), owner_id=original.owner_id, name=f"item-{number}", kind=original.kind,
                created_at=original.created_at, updated_at=original.updated_at,
            )  # fmt: skip
            session.add(item)
            await session.flush()
            told = {**values, "environment_key": keys[which], "sha256": hashlib.sha256(bytes([which])).hexdigest()}
            made = Bundle(item_id=item.id, metadata_={}, **told)
            session.add(made)
            await session.flush()
            item.live_bundle_id = made.id
        folder = tools.places.app(item.guid, made.id)
        shutil.copytree(tools.places.app(original.guid, bundle.id), folder)
        (folder / "requirements.txt").unlink()
        (folder / "requirements.txt").write_text(specs[which].requirements or "")
        guids.append(item.guid)
    return guids


_NOT_COPIED = ("id", "item_id", "metadata", "environment_key", "sha256")


def _rebuilt(python: Path, wanted: Sequence[Sequence[str]], folder: Path) -> float:
    """Return the seconds of one new environment for each combination."""
    uv = str(Path(sys.executable).parent / "uv")
    begun = time.perf_counter()
    for number, lines in enumerate(wanted):
        env = folder / f"peer-{number}"
        subprocess.run([uv, "venv", "-q", "--python", str(python), str(env)], check=True)
        words = [uv, "pip", "install", "-q", "--compile-bytecode", "--python", str(env / "bin/python"), *lines]
        subprocess.run(words, check=True)
    taken = time.perf_counter() - begun
    for number in range(len(wanted)):
        shutil.rmtree(folder / f"peer-{number}")
    return taken
