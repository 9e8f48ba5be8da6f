"""Everything private that a person can have on a server, each thing with a word in it that nobody else may read.

An authorisation test calls every operation with the real ids of these things: what is refused is refused because of
who asks, and not because there is nothing.
"""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import httpx2
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rostra.auth import keys, sessions, tokens_signed
from rostra.auth.principals import Role
from rostra.auth.tables import User
from rostra.clock import SystemClock
from rostra.content import items, job_records
from rostra.content.tables import Bundle, CheckRun, Item, Rendering, Visit
from rostra.db.base import Table
from rostra.db.engine import transaction
from rostra.execution.logs import LogFile
from rostra.ids import PoolKey
from rostra.jobs.tables import TaskLine
from rostra.rehearsal import records, target
from rostra.rendering import variants
from support import documented
from support.bundles import bundle
from support.controlling import World
from support.people import person

# Words that nobody may read who may not know of the item, and such as also those who may view it never get.
SEEN, KEPT = "zqseen", "zqkept"
PNG = b"\x89PNG\r\n\x1a\n" + SEEN.encode() + bytes(8)

PEOPLE = {
    "root": Role.administrator,
    "ada": Role.publisher,
    "bob": Role.publisher,
    "vic": Role.viewer,
    "helper": Role.publisher,
    "reader": Role.viewer,
    "colleague": Role.publisher,
    "member": Role.viewer,
    "spare": Role.viewer,
}
"""Ada owns it all. Helper is a collaborator; reader and colleague were let view it, member by a group."""


@dataclass
class Estate:
    """``ids`` are what paths are filled with, by what they are about: ``app``, ``document``, ``user``, ..."""

    world: World
    guids: dict[str, str] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, tuple[str, str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    spare: Any = field(default_factory=lambda: itertools.count(1))

    async def ask(self, name: str | None, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """Ask with that person's key; ``path`` is below the server's own address."""
        sent = {header.replace("_", "-"): value for header, value in headers.items()}
        if name:
            sent.setdefault("Authorization", f"Key {self.keys[name]}")
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        async with self._http() as client:
            answer = await client.request(method, path, headers=sent, content=content)
        documented.check(method, path, answer.status_code, answer.headers.get("content-type", ""), answer.content)
        return answer

    async def browse(self, name: str | None, method: str, path: str) -> httpx2.Response:
        """Ask as a browser in which that person is signed in; a form carries what it has to."""
        token, xsrf = self.cookies.get(name or "", ("", ""))
        jar = {sessions.COOKIE: token, sessions.XSRF_COOKIE: xsrf} if token else {}
        form = {} if method == "GET" else {"data": {"xsrf": xsrf, "name": "new", "role": "viewer"}}
        async with self._http(cookies=jar) as client:
            return await client.request(method, path, headers={"Accept": "text/html"}, **form)

    def _http(self, **more: Any) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.world.control.app, raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://rostra.test", **more)

    async def made(self, path: str, body: Any = None, name: str = "ada", method: str = "POST") -> Any:
        answer = await self.ask(name, method, f"/__api__/{path}", body)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json() if answer.content else None

    async def mend(self) -> None:
        """Put back what several operations take away."""
        await self.made(f"v1/content/{self.guids['app']}/thumbnail", PNG, method="PUT")
        path = f"v1/content/{self.guids['document']}/schedule"
        self.ids["schedule_id"] = (await self.made(path, {"type": "day", "schedule": '{"N": 1}'}, method="PUT"))["id"]

        mine = await self.made(f"v1/users/{self.ids['user']}/keys", {"name": f"mended {next(self.spare)}"})
        self.ids["key_id"] = mine["id"]
        await self.runs()

    async def runs(self) -> None:
        """Have a process of the app run, and know its key."""
        guid = self.guids["app"]
        assert self.world.running(guid) or await self.world.control.visits.process(PoolKey(guid))
        self.ids["running_job"] = self.world.running(guid)[0]

    async def records(self) -> dict[str, set[tuple[Any, ...]]]:
        """Return every row there is, by table, without the times of last use."""
        found = {}
        async with transaction(self.world.control.tools.reading) as session:
            for table in Table.metadata.sorted_tables:
                columns = [column for column in table.c if column.name not in ("active_at", "used_at")]
                rows = await session.execute(sa.select(*columns))
                found[table.name] = {tuple(map(repr, row)) for row in rows}
        return found


async def estate(world: World) -> Estate:
    """Make it."""
    made = Estate(world)
    await _people(made)
    world.secrets |= made.keys
    await _app(made)
    await _document(made)
    await _around(made)
    await _hide(made)
    return made


async def _people(made: Estate) -> None:
    tools = made.world.control.tools
    now, settings = tools.clock.now(), tools.settings().authentication
    async with transaction(tools.sessions) as session:
        for name, role in PEOPLE.items():
            there = (await session.execute(sa.select(User).where(User.username == name))).scalar_one_or_none()
            user = made.users[name] = there or await person(session, name, now, role)
            made.keys[name] = (await keys.create(session, user.id, "for tests", now))[1]
            signed = await sessions.begin(session, user.id, settings, now)
            made.cookies[name] = (signed.token, signed.xsrf)
        ada = made.users["ada"]
        made.keys["ada, as a viewer"] = (await keys.create(session, ada.id, f"{KEPT} key", now, cap=Role.viewer))[1]
        made.keys["ada's process"] = await keys.for_process(session, ada.id, "p", now)
        public = rsa.generate_private_key(65537, 2048).public_key()
        shown = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
        await tokens_signed.register(session, "T0123456789abcdef0123456789abcdef", shown, now)
        await tokens_signed.claim(session, "T0123456789abcdef0123456789abcdef", ada.id, now)
        mine = await keys.of_user(session, ada.id)
    made.ids |= {
        "user": ada.guid,
        "key_id": str(mine[-1].id),
        "token": "T0123456789abcdef0123456789abcdef",
        "user_guid": made.users["member"].guid,
        "spare": made.users["spare"].guid,
    }


async def _app(made: Estate) -> None:
    """Make an API with two bundles, the first of them live, and one of everything that belongs to an item."""
    new = {"name": f"{SEEN}-app", "title": f"{SEEN} app", "description": f"{SEEN} text", "access_type": "acl"}
    item = await made.made("v1/content", new)
    guid = made.guids["app"] = item["guid"]
    path = f"v1/content/{guid}"
    told = {
        "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"},
        "python": {"version": "3.11.4", "package_manager": {"name": "pip", "package_file": "r.txt"}},
    }
    packed = bundle({"app.py": f"# {KEPT}\n", f"{KEPT}.txt": KEPT, "r.txt": ""}, **told)
    live = (await made.made(f"{path}/bundles", packed))["id"]
    draft = (await made.made(f"{path}/bundles", packed))["id"]
    task = (await made.made(f"{path}/deploy", {"bundle_id": live}))["task_id"]
    await made.world.finished(task)
    drafted = await made.made(f"{path}/deploy", {"bundle_id": draft, "activate": False})
    await made.world.finished(drafted["task_id"])
    category = await made.made("v1/tags", {"name": "Category"}, "root")
    tag = await made.made("v1/tags", {"name": "Leaf", "parent_id": category["id"]}, "root")
    integration = await made.made("v1/oauth/integrations", {"template": "connect", "name": "Visitors"}, "root")
    group = await made.made("v1/groups", {"name": "Readers"})
    await made.made(f"v1/groups/{group['guid']}/members", {"user_guid": made.users["member"].guid})
    await made.made(f"{path}/environment", [{"name": f"{KEPT}_NAME", "value": KEPT}], method="PATCH")
    await made.made(f"{path}/vanity", {"path": f"/{SEEN}-path/"}, method="PUT")
    await made.made(f"{path}/tags", {"tag_id": tag["id"]})
    await made.made(f"{path}/thumbnail", PNG, method="PUT")
    await made.made(f"{path}/bookmark")
    associated = [{"oauth_integration_guid": integration["guid"]}]
    await made.made(f"{path}/oauth/integrations/associations", associated, method="PUT")
    permission = await _share(made, path, group["guid"])
    made.ids |= {
        "bundle_id": draft,
        "live_bundle_id": live,
        "task_id": task,
        "tag_id": tag["id"],
        "category": category["id"],
        "group": group["guid"],
        "integration": integration["guid"],
        "permission_id": permission,
        "template": "connect",
    }
    await _ran(made, guid)


async def _share(made: Estate, path: str, group: str) -> str:
    for name, role in (("helper", "owner"), ("reader", "viewer"), ("colleague", "viewer")):
        given = await made.made(f"{path}/permissions", {"principal_guid": made.users[name].guid, "role": role})
    await made.made(f"{path}/permissions", {"principal_guid": group, "principal_type": "group", "role": "viewer"})
    return str(given["id"])


async def _ran(made: Estate, guid: str) -> None:
    """Write down a process that ended with an error, what it wrote, and a visit."""
    tools = made.world.control.tools
    now = tools.clock.now()
    async with transaction(tools.sessions) as session:
        item = await items.get(session, guid)
        job = await job_records.begin(session, item.id, "run_fastapi_app", now, log=f"jobs/{guid}/old.log")
        await job_records.end(session, job.key, now, exit_code=1, error=f"{KEPT} error")
        session.add(TaskLine(task_id=made.ids["task_id"], number=900, text=f"{KEPT} line"))
        visit = {"item_id": item.id, "user_id": None, "at": now, "path": f"/{KEPT}", "agent": KEPT, "bundle_id": 1}
        session.add(Visit(**visit))
        log = tools.places.data_dir / f"jobs/{guid}/old.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        writer = LogFile(log, 100_000, SystemClock())
        writer.say(f"{KEPT} said")
        writer.close()
        made.ids["job"] = job.key
    await made.runs()


async def _document(made: Estate) -> None:
    """Make a document with a shown rendering, a draft of one, a private variant, a schedule and people to mail."""
    tools = made.world.control.tools
    now = tools.clock.now()
    item = await made.made("v1/content", {"name": f"{SEEN}-doc", "title": f"{SEEN} document"})
    guid = made.guids["document"] = item["guid"]
    path = f"v1/content/{guid}"
    told = {
        "metadata": {"appmode": "jupyter-static", "entrypoint": "report.ipynb"},
        "python": {"version": "3.11.4", "package_manager": {"name": "pip", "package_file": "r.txt"}},
    }
    uploaded = await made.made(
        f"{path}/bundles", bundle({"report.ipynb": "{}", "r.txt": "", f"{KEPT}.txt": ""}, **told)
    )
    async with transaction(tools.sessions) as session:
        row = await session.get_one(Bundle, int(uploaded["id"]))
        row.state, row.built_at, row.environment_key, row.runtime_version = "built", now, "k", "3.11.7"
        row.runtime_path = "/opt/python/3.11.7/bin/python3"
        await items.make_live(session, int(item["id"]), row, now)
    await _share(made, path, made.ids["group"])
    (default,) = await made.made(f"{path}/variants", method="GET")
    private = await made.made(f"{path}/variants", {"name": f"{KEPT} variant", "parameters": {"kept": KEPT}})
    for name, word, shown, variant in (
        ("rendering", SEEN, True, None),
        ("draft_rendering", KEPT, False, None),
        ("private_rendering", KEPT, True, int(private["id"])),
    ):
        made.ids[name] = await _rendered(made, guid, name, word, shown=shown, variant_id=variant)
    await made.made(f"{path}/schedule", {"type": "day", "schedule": '{"N": 1}'}, method="PUT")
    await made.made(f"{path}/failure-subscribers/{made.users['helper'].guid}", method="PUT")
    await made.made(f"variants/{default['id']}/subscribers", {"guid": made.users["helper"].guid})
    (schedule,) = await made.made(f"variants/{default['id']}/schedules", method="GET")
    made.ids |= {
        "variant": default["key"],
        "private_variant": private["key"],
        "variant_id": default["id"],
        "private_variant_id": private["id"],
        "schedule_id": str(schedule["id"]),
        "document_bundle_id": uploaded["id"],
    }


async def _rendered(made: Estate, guid: str, name: str, word: str, *, shown: bool, variant_id: int | None) -> str:
    tools = made.world.control.tools
    folder = tools.places.data_dir / "renderings" / guid / name
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(f"<p>{word} page</p>")
    async with transaction(tools.sessions) as session:
        item = await items.get(session, guid)
        row = Rendering(
            item_id=item.id,
            bundle_id=item.live_bundle_id or 0,
            path=str(folder.relative_to(tools.places.data_dir)),
            primary="index.html",
            rendered_at=tools.clock.now(),
            duration_ms=1500,
            variant_id=variant_id,
        )
        await items.add_rendering(session, row, active=shown)
        return str(row.id)


async def _around(made: Estate) -> None:
    """Make what only administrators look after."""
    tools = made.world.control.tools
    await made.made("v1/system/documentation", {"content": "Hello"}, "root")
    repository = {"repository": f"https://127.0.0.1:1/{KEPT}.git", "polling": False}
    await made.made(f"v1/content/{made.guids['document']}/repository", repository, method="PUT")
    scopes = {"name": "Robot", "scopes": ["server-settings:read"]}
    token = await made.made("v1/system/service-tokens", scopes, "root")
    environment = await made.made("v1/environments", {"title": "Image", "name": "image"}, "root")
    given = {"user_guid": made.users["bob"].guid}
    permission = await made.made(f"v1/environments/{environment['guid']}/permissions", given, "root")
    async with transaction(tools.sessions) as session:
        wanted = records.Wanted(wish=target.wish(["3.8"], "auto"), steps=(), keep=False, fresh=False)
        rehearsal = await records.begin(session, wanted, tools.clock.now(), made.users["root"].id)
        passed = {"group": {"name": "disk"}, "test": "free", "passed": True, "output": KEPT, "error": None}
        results = {"results": [passed]}
        run = CheckRun(status="done", hostname=KEPT, started_at=tools.clock.now(), results=results)
        session.add(run)
        await session.flush()
        made.ids |= {"rehearsal_id": rehearsal.id, "run_id": str(run.id)}
    entry = (await made.made("v1/audit_logs?limit=1", name="root", method="GET"))["results"][0]
    made.ids |= {
        "environment": environment["guid"],
        "permission_guid": permission["guid"],
        "entry_id": entry["id"],
        "token_guid": token["guid"],
        "app_mode": "python-api",
    }


async def _hide(made: Estate) -> None:
    """Note what must not be in an answer to whom: words, and ids that are secrets because they open something."""
    tools = made.world.control.tools
    async with transaction(tools.reading) as session:
        rows = (await session.execute(sa.select(Item.guid, Bundle.id).join(Bundle, Bundle.item_id == Item.id))).all()
        archives = [tools.places.archive(guid, number).read_bytes()[:64] for guid, number in rows]
        assert await variants.find_default(session, await items.get(session, made.guids["document"]))
    kept = [KEPT.encode(), *archives, *(made.ids[name].encode() for name in ("private_variant", "job", "running_job"))]
    made.hidden["viewers"] = tuple(kept)
    made.hidden["strangers"] = (SEEN.encode(), *kept, *(guid.encode() for guid in made.guids.values()))
