"""Where a rehearsal is carried out: by a running server, or in a data folder that nobody serves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from rostra.cli import rehearse_table as table
from rostra.cli.remote import Remote, key_of, server_of
from rostra.cli.serve import loaded
from rostra.db.engine import transaction
from rostra.errors import Invalid, Problem
from rostra.rehearsal import records, report, retire
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.model import up_to
from rostra.rehearsal.notify import MailIsOff, NotifiedOwnersJson, notify, require_mail
from rostra.rehearsal.records import Present, Wanted
from rostra.rehearsal.target import AUTO, Wish, require_target, wish
from rostra.rehearsal.walk import Walk

T = TypeVar("T")
ONLY_READS = (
    "A server works on this data folder: nothing is built or started here. To have that, name it: --server URL."
)
Item = Mapping[str, Any]


class OnlyTheServerMoves(Invalid):
    """Moving content is a deploy, which only a running server does."""

    code = "only-the-server-moves"

    def __init__(self) -> None:
        super().__init__(
            "content is moved by a running server", hint="Start it, and name it: --server URL --api-key KEY."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``told`` is the rehearsal, ``items`` its results, ``still`` the guids that run on what it is about now."""

    told: Mapping[str, Any]
    items: Sequence[Item]
    still: Sequence[str]
    server: str


class Source(Protocol):
    def rehearse(self, wanted: Wanted | None, resume: str) -> Report: ...

    def last(self, version: str) -> Report | None: ...

    def still(self, version: str) -> Sequence[Present]: ...

    def move_safe(self, last: Report) -> Iterator[tuple[str, str]]: ...

    def require_mail(self) -> None: ...

    def notify(self, found: Report) -> NotifiedOwnersJson: ...


def source(server: str, key: str, config: Path | None) -> Source:
    """Return the running server that was named, else the data folder of ``config``."""
    url = server_of(server) if not config or server else ""
    return Served(Remote(url, key_of(key))) if url else Folder(config)


@dataclass(frozen=True, slots=True)
class Served:
    remote: Remote

    def rehearse(self, wanted: Wanted | None, resume: str) -> Report:
        told = self.remote.ask("POST", "v1/rehearsals", _body(wanted)) if wanted else self._gone_on(resume)
        print(_named(told["id"]), file=sys.stderr)
        try:
            with table.progress() as show:
                self._follow(told, show)
        except KeyboardInterrupt:
            self.remote.ask("DELETE", f"v1/rehearsals/{told['id']}")
            print(_stopped(told["id"]), file=sys.stderr)
            raise
        return self._report(told["id"])

    def _gone_on(self, rehearsal_id: str) -> dict[str, Any]:
        """Return one that was stopped as it goes on, any other as it is."""
        told = self._told(rehearsal_id)
        if told["state"] in ("cancelled", "failed"):
            told = dict(self.remote.ask("POST", f"v1/rehearsals/{rehearsal_id}/resume"))
        return told

    def _follow(self, told: Mapping[str, Any], show: table.Shown) -> None:
        first = 0
        while True:
            seen = self.remote.ask("GET", f"v1/tasks/{told['task_id']}?first={first}&wait=5")
            first = seen["last"]
            now = self._told(told["id"])
            total = now["waiting"] + sum(now["summary"].values())
            for line in seen["output"] or [""]:
                show(total - now["waiting"], total, line)
            if seen["finished"]:
                if seen["code"]:
                    raise Problem(str(seen["error"]))
                return

    def _told(self, rehearsal_id: str) -> dict[str, Any]:
        return dict(self.remote.ask("GET", f"v1/rehearsals/{rehearsal_id}"))

    def _report(self, rehearsal_id: str) -> Report:
        told = self.remote.ask("GET", f"v1/rehearsals/{rehearsal_id}/report")
        items, still = told.pop("items"), told.pop("still")
        return Report(told=told, items=items, still=still, server=self.remote.url)

    def last(self, version: str) -> Report | None:
        every = self.remote.ask("GET", "v1/rehearsals")
        found = next((each for each in every if retire.covers(each, version)), None)
        return self._report(found["id"]) if found else None

    def still(self, version: str) -> Sequence[Present]:
        told = self.remote.ask("GET", f"v1/rehearsals/affected?retire={quote(version)}")
        return [Present(**each) for each in told["items"]]

    def move_safe(self, last: Report) -> Iterator[tuple[str, str]]:
        titles = {each["guid"]: each["title"] for each in last.items}
        for one in self.remote.ask("POST", f"v1/rehearsals/{last.told['id']}/rebuild", {})["tasks"]:
            seen = self.remote.ask("GET", f"v1/tasks/{one['task_id']}")
            while not seen["finished"]:
                seen = self.remote.ask("GET", f"v1/tasks/{one['task_id']}?first={seen['last']}&wait=5")
            yield str(titles[one["guid"]]), str(seen["error"]) if seen["code"] else ""

    def require_mail(self) -> None:
        if not self.remote.ask("GET", "server_settings")["mail_configured"]:
            raise MailIsOff

    def notify(self, found: Report) -> NotifiedOwnersJson:
        told: NotifiedOwnersJson = self.remote.ask("POST", f"v1/rehearsals/{found.told['id']}/notify", {})
        return told


def _named(rehearsal_id: str) -> str:
    return f"Rehearsal {rehearsal_id}: to go on with it or to see its report again, --resume {rehearsal_id}"


def _stopped(rehearsal_id: str) -> str:
    return f"Stopped. What was found out is kept; to go on: rostra runtimes rehearse --resume {rehearsal_id}"


def _body(wanted: Wanted) -> dict[str, Any]:
    deepest = wanted.steps[-1]
    left_out = [step.value for step in up_to(deepest) if step not in wanted.steps]
    return {
        "retire": list(wanted.wish.retire),
        "onto": wanted.wish.onto,
        "depth": deepest.value,
        "leave_out": left_out,
        "keep": wanted.keep,
        "fresh": wanted.fresh,
    }


@dataclass(frozen=True, slots=True)
class Folder:
    config: Path | None

    def rehearse(self, wanted: Wanted | None, resume: str) -> Report:
        async def work(bench: Bench) -> Report:
            rehearsal_id = resume
            if wanted is not None:
                require_target(wanted.wish, bench.tools.runtimes())
                async with transaction(bench.tools.sessions) as session:
                    rehearsal_id = (await records.begin(session, wanted, bench.tools.clock.now())).id
            print(_named(rehearsal_id), file=sys.stderr)
            with table.progress() as show:

                def told(done: int, total: int, result: Mapping[str, Any]) -> None:
                    show(done, total, f"{result['title']}: {result['outcome']}")

                walk = Walk(bench, rehearsal_id, lambda _: None, told)
                if not bench.may_build:
                    print(ONLY_READS, file=sys.stderr)
                await walk.run()
            return await _report(bench, rehearsal_id)

        return self._with(work)

    def last(self, version: str) -> Report | None:
        async def work(bench: Bench) -> Report | None:
            async with transaction(bench.tools.reading) as session:
                every = [report.head(each, {}) for each in await records.listing(session)]
            found = next((each for each in every if retire.covers(each, version)), None)
            return await _report(bench, found["id"]) if found else None

        return self._with(work)

    def still(self, version: str) -> Sequence[Present]:
        async def work(bench: Bench) -> Sequence[Present]:
            async with transaction(bench.tools.reading) as session:
                return await records.present(session, wish([version], AUTO))

        return self._with(work)

    def move_safe(self, last: Report) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        raise OnlyTheServerMoves

    def require_mail(self) -> None:
        require_mail(loaded(self.config).settings)

    def notify(self, found: Report) -> NotifiedOwnersJson:
        async def work(bench: Bench) -> NotifiedOwnersJson:
            if bench.may_build:
                print("The mails go out when the server runs", file=sys.stderr)
            async with transaction(bench.tools.sessions) as session:
                settings, now = bench.tools.settings(), bench.tools.clock.now()
                return (await notify(session, str(found.told["id"]), settings, now)).to_json()

        return self._with(work)

    def _with(self, work: Callable[[Bench], Coroutine[Any, Any, T]]) -> T:
        from rostra.app.logs import configure
        from rostra.app.rehearsing import standalone

        configure("error", "text")  # what is started and ended meanwhile is nobody's news

        async def run() -> T:
            async with standalone(loaded(self.config)) as bench:
                return await work(bench)

        return asyncio.run(run())


async def _report(bench: Bench, rehearsal_id: str) -> Report:
    async with transaction(bench.tools.reading) as session:
        found = await records.get(session, rehearsal_id)
        told = report.head(found, await records.counts(session, rehearsal_id))
        items = await records.results(session, rehearsal_id)
        still = await records.affected(session, Wish(tuple(found.retire)))
    return Report(told=told, items=items, still=still, server=bench.tools.settings().server.system_display_name)
