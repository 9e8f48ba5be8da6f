"""How a bundle becomes content: match, build, prove, switch, drain.

A failure at any step leaves what visitors get as it was. Every step can be repeated: a server that died in the middle
does the whole task again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content import beside, builds, bundles, items, manifest, r_sources, unpack
from rostra.content.builds import Built, RuntimeGone, Say
from rostra.content.manifest import Manifest
from rostra.content.processes import Processes
from rostra.content.rebuild import rebuild
from rostra.content.tables import Bundle, Item, Rendering
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.environments.spec import Environment
from rostra.errors import Invalid, Problem
from rostra.execution.pool import PoolSpec, StartFailed
from rostra.ids import ProcessKey, new_key
from rostra.kinds.kind import Kind, Mode
from rostra.kinds.registry import runnable

DRAIN_SECONDS = 3600.0  # a visitor of the old version may finish; new visitors get the new one


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """``build_only`` makes the environment anew and changes nothing else; ``activate`` False makes a draft.

    ``onto`` names the version of the interpreter to move to, in place of the choice by rule, with the versions ``pins``
    (``name==version``) where the requirements leave a choice. What runs so far stays when the move fails.
    """

    guid: str
    bundle_id: int
    activate: bool = True
    build_only: bool = False
    onto: str = ""
    pins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """One deploy on its way. Rows are detached: they are read here and changed only in transactions of their own."""

    item: Item
    bundle: Bundle
    manifest: Manifest
    kind: Kind


Render = Callable[[Work, Environment | None, Say], Awaitable[Rendering]]
"""Makes a rendering of the bundle and returns its row, not yet stored; the caller makes it the active one."""


class DoesNotStart(Invalid):
    """The new bundle was built but its process did not get ready; what visitors had is still there."""

    code = "does-not-start"

    def __init__(self, bundle_id: int, live: int, why: str) -> None:
        self.bundle_id, self.live = bundle_id, live
        super().__init__(
            f"bundle {bundle_id} does not start: {why}",
            hint=f"Visitors still get bundle {live}. Correct what the lines above say and publish again.",
        )


class PageMissing(Invalid):
    code = "page-missing"
    number = 59

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the bundle has no {name}, the page to show first", hint="Name a file of the bundle as primary_html."
        )


async def deploy(order: Order, tools: Tools, processes: Processes, render: Render, say: Say) -> None:
    """Carry the order out, saying what is done.

    Raises:
        Problem: with what is wrong; nothing a visitor sees has changed.
    """
    work = await begin(order, tools)
    say(f"Building {work.kind.title} {work.item.title or work.item.name} from bundle {work.bundle.id}")
    await unpacked(work, tools)
    built = await environment(order, work, tools, say)
    await record(order, work, built, tools)
    if order.build_only:
        say(f"Built bundle {work.bundle.id}")
        return
    how = {Mode.interactive: _start, Mode.rendered: _render, Mode.static: _show}[work.kind.mode]
    await how(Step(order, work, built, tools, processes, render, say))


@dataclass(frozen=True, slots=True)
class Step:
    """What the last step of each mode is given."""

    order: Order
    work: Work
    built: Built
    tools: Tools
    processes: Processes
    render: Render
    say: Say


async def begin(order: Order, tools: Tools) -> Work:
    """Read what is deployed.

    Raises:
        ItemNotFound, BundleNotFound, KindNotRun
    """
    async with transaction(tools.reading) as session:
        return await read(session, order)


async def read(session: AsyncSession, order: Order) -> Work:
    """Do the same in the caller's transaction."""
    item = await items.get(session, order.guid)
    return work(item, await bundles.get(session, item, order.bundle_id))


def work(item: Item, bundle: Bundle) -> Work:
    """Return what there is to do with a bundle of an item.

    Raises:
        KindNotRun
    """
    told = manifest.read(json.dumps(bundle.manifest).encode())
    return Work(item, bundle, told, runnable(bundle.kind))


async def unpacked(work: Work, tools: Tools) -> None:
    """Make sure that the bundle's files are there; they are complete or absent."""
    target = tools.places.app(work.item.guid, work.bundle.id)
    if not target.exists():
        archive = tools.places.archive(work.item.guid, work.bundle.id)
        await unpack.unpack(archive, target, bundles.bounds(tools.settings().applications))


async def environment(order: Order, work: Work, tools: Tools, say: Say) -> Built:
    """Choose what the bundle runs on and make its environment, or take what an earlier build of it chose.

    Raises:
        RuntimeGone: it is only to be built, and its interpreter is not there any more.
        LanguageNotHere, NoMatchingR, PackagesMissing: it needs more than Python.
    """
    chosen = await _beside(work, tools, say)
    return dataclasses.replace(await _python(order, work, tools, say), beside=chosen)


async def _beside(work: Work, tools: Tools, say: Say) -> beside.Chosen:
    wanted, offer = beside.wish(work.manifest), await tools.beside()
    if work.bundle.state == "built":
        try:
            return beside.recorded(work.kind, wanted, work.bundle, offer)
        except beside.ProgramGone as gone:
            say(f"{gone.message}; choosing anew")
    needs_r = beside.needs_r(work.kind, wanted)
    code = tools.places.app(work.item.guid, work.bundle.id)
    sources = await asyncio.to_thread(r_sources.read, code) if needs_r else r_sources.NOTHING
    return beside.choose(work.kind, wanted, offer, say, sources)


async def _python(order: Order, work: Work, tools: Tools, say: Say) -> Built:
    """Choose an interpreter and make the environment, or take what an earlier build of this bundle chose.

    Building alone proves nothing, so it stays on the interpreter the bundle has; only a deploy may choose anew.

    Raises:
        RuntimeGone: it is only to be built, and its interpreter is not there any more.
    """
    source = builds.Source(work.manifest, work.kind, tools.places.app(work.item.guid, work.bundle.id))
    if order.onto and work.kind.python:
        return await builds.move(
            source,
            work.bundle,
            tools.environments,
            onto=order.onto,
            pins=order.pins,
            runtimes=tools.runtimes(),
            say=say,
        )
    if work.bundle.state == "built" and beside.needs_python(work.kind, work.manifest):
        try:
            ready = await rebuild(source, work.bundle, tools, say)
        except RuntimeGone as gone:
            if order.build_only:
                raise
            say(f"{gone.message}; choosing anew")
        else:
            runtime = ready.runtime
            say(f"Using Python {runtime.version} from {runtime.executable}, as bundle {work.bundle.id} was built")
            return Built(None, ready)
    return await builds.build(
        source, work.item, tools.environments, settings=tools.settings(), runtimes=tools.runtimes(), say=say
    )


async def record(order: Order, work: Work, built: Built, tools: Tools) -> None:
    """Remember what the bundle was matched to: it runs on that and on nothing else.

    What visitors get now keeps what it has until the new choice is proven; `_switch` writes it then.
    """
    for name, value in chosen(built, tools).items():
        setattr(work.bundle, name, value)
    if order.build_only or work.bundle.id != work.item.live_bundle_id:
        async with transaction(tools.sessions) as session:
            await session.execute(_recorded(work.bundle))


def chosen(built: Built, tools: Tools) -> dict[str, object]:
    """Return what a build settles about its bundle, by column."""
    facts: dict[str, object] = {"state": "built", "built_at": tools.clock.now()}
    if built.environment is not None:
        facts["runtime_version"] = str(built.environment.runtime.version)
        facts["runtime_path"] = str(built.environment.runtime.executable)
        facts["environment_key"] = built.environment.key
        facts["managed"] = built.environment.root is not None
    if built.match is not None:
        facts["match_reason"] = built.match.reason
    return facts | beside.facts(built.beside)


def _recorded(bundle: Bundle) -> sa.Update:
    names = ("state", "built_at", "runtime_version", "runtime_path", "environment_key", "managed", "match_reason")
    more = ("r_version", "r_path", "quarto_version", "quarto_path")
    return sa.update(Bundle).where(Bundle.id == bundle.id).values({n: getattr(bundle, n) for n in (*names, *more)})


async def _start(step: Step) -> None:
    if not step.order.activate:
        await _start_draft(step)
        return
    work, tools = step.work, step.tools
    step.say(f"Launching {work.kind.title} application to see that it answers")
    member = None
    spec = await _spec(step, draft=False)
    try:
        first = await step.processes.launch_of(work.item, work.bundle, ProcessKey(new_key()), spec.labels, draft=False)
        member = await tools.pools.prove(first, init_timeout=spec.init_timeout)
        step.say(f"Bundle {work.bundle.id} answers")
    except StartFailed as failed:
        for line in failed.lines:
            step.say(line.text)
        live = work.item.live_bundle_id
        if live is not None and (live != work.bundle.id or step.order.onto):
            raise DoesNotStart(work.bundle.id, live, failed.message) from failed
        # There is nothing working to protect: the author can correct it in place, and visitors see why it fails.
        step.say(
            f"Warning: {failed.message}. There was no working version before, so this one is made live all the same."
        )
    try:
        await _switch(step)
        await tools.pools.define(spec, first=member, drain_seconds=DRAIN_SECONDS)
    except BaseException:
        if member is not None:  # in no pool yet: nobody else would ever end it
            await asyncio.shield(tools.pools.discard(member))
        raise
    step.say(f"Bundle {work.bundle.id} is live at {tools.server_url}/content/{work.item.guid}/")


async def _start_draft(step: Step) -> None:
    """Start the draft at its preview address. It may fail: whoever opens the preview is told, nobody else sees it."""
    work, tools = step.work, step.tools
    spec = await _spec(step, draft=True)
    step.say(f"Launching {work.kind.title} application as a draft")
    await tools.pools.define(spec)
    await tools.pools.restart(spec.key, drain_seconds=0)
    try:
        await tools.pools.ensure(spec.key)
    except Problem as failed:
        for line in failed.lines if isinstance(failed, StartFailed) else ():
            step.say(line.text)
        step.say(f"Warning: the draft does not start: {failed.message}")
        live = work.item.live_bundle_id
        still = f"Visitors still get bundle {live}. " if live is not None else ""
        step.say(f"{still}Correct what the lines above say and publish again.")
        return
    step.say(f"Draft: {tools.server_url}/content/{work.item.guid}/_bundle{work.bundle.id}/")


async def _spec(step: Step, *, draft: bool) -> PoolSpec:
    async with transaction(step.tools.reading) as session:
        return await step.processes.spec(session, step.work.item, step.work.bundle, draft=draft)


async def _render(step: Step) -> None:
    step.say(f"Launching {step.work.kind.title} to render it")
    rendering = await step.render(step.work, step.built.environment, step.say)
    await _switch(step, rendering)
    step.say("Rendered" if step.order.activate else "Rendered as a draft")


async def _show(step: Step) -> None:
    step.say("Building static content")
    page = step.work.manifest.primary_html or step.work.manifest.entrypoint or "index.html"
    if not (step.tools.places.app(step.work.item.guid, step.work.bundle.id) / page).is_file():
        raise PageMissing(page)
    await _switch(step)
    step.say("Launching static content")


async def _switch(step: Step, rendering: Rendering | None = None) -> None:
    """Make the bundle (and its rendering) what visitors get, in one transaction; a draft only stores its rendering."""
    async with transaction(step.tools.sessions) as session:
        if rendering is not None:
            await items.add_rendering(session, rendering, active=step.order.activate)
        if step.order.activate:
            await session.execute(_recorded(step.work.bundle))
            await items.make_live(session, step.work.item.id, step.work.bundle, step.tools.clock.now())
