"""Every public method of the SDK, called against a real server, by its newest release and by one of a year earlier.

Which methods there are is asked of the SDK itself, and which were called is traced: none can be forgotten.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from compat_sdk.conftest import NEWEST, Sdk

pytestmark = [pytest.mark.compat, pytest.mark.server, pytest.mark.xdist_group("sdk")]

START = (Path(__file__).parent / "start.py").read_text()
METHODS = (Path(__file__).parent / "methods.py").read_text()

PROGRAMS = {
    "the client": """
        assert client.version and client.me["user_role"] == "administrator"
        assert client.get("v1/user").json()["guid"] == client.me["guid"]
        name = client.post("v1/content", json={}).json()["guid"]
        assert client.patch(f"v1/content/{name}", json={"title": "Title"}).json()["title"] == "Title"
        assert client.put(f"v1/content/{name}/environment", json=[]).status_code in (200, 204)
        assert client.request("GET", f"v1/content/{name}").json()["title"] == "Title"
        assert client.delete(f"v1/content/{name}").status_code == 204
        with connect.Client() as other:
            assert other.me["guid"] == client.me["guid"]
    """,
    "people": """
        before = client.users.count()
        ann = client.users.create(username=unique("ann"), email="ann@example.org", first_name="Ann", last_name="Lee",
                                  user_role="publisher", password="correct-horse", user_must_set_password=False)
        assert client.users.count() == before + 1
        assert dict(client.users.get(ann["guid"])) == dict(ann)
        assert ann["email"] == "ann@example.org" and ann["confirmed"] and not ann["locked"]
        assert ann["guid"] in [user["guid"] for user in client.users.find(prefix=ann["username"])]
        assert client.users.find_one(prefix=ann["username"], user_role="publisher")["guid"] == ann["guid"]
        assert client.users.find_one(prefix="nobody-has-this") is None
        ann.update(first_name="Anna", user_role="viewer")
        found = client.users.get(ann["guid"])
        assert (found["first_name"], found["user_role"], found["last_name"]) == ("Anna", "viewer", "Lee")
        ann.lock()
        assert client.users.get(ann["guid"])["locked"] and ann["locked"]
        assert ann["guid"] in [user["guid"] for user in client.users.find(account_status="locked")]
        ann.unlock()
        assert not client.users.get(ann["guid"])["locked"]
        refused(400, lambda: client.me.lock(force=True))
        assert ann.content.find() == [] and ann.content.count() == 0
        assert client.me.content.count() == len(client.me.content.find())
        raises(RuntimeError, client.me.lock)
        refused(409, lambda: client.users.create(username=ann["username"], email=""))
    """,
    "groups": """
        name = unique("team")
        team = client.groups.create(name=name)
        assert dict(client.groups.get(team["guid"])) == dict(team)
        assert team["owner_guid"] == client.me["guid"]
        assert client.groups.count() == len(client.groups.find())
        assert client.groups.find_one(prefix=name)["guid"] == team["guid"]
        user = client.users.create(username=unique("member"), email="")
        team.members.add(user)
        assert [one["guid"] for one in team.members.find()] == [user["guid"]] and team.members.count() == 1
        assert [one["guid"] for one in user.groups.find()] == [team["guid"]]
        team.members.delete(user)
        team.members.add(user_guid=user["guid"])
        team.members.delete(user_guid=user["guid"])
        assert team.members.find() == []
        user.groups.add(team); user.groups.delete(team); user.groups.add(team["guid"])
        assert team.members.count() == 1
        user.groups.delete(team["guid"])
        assert user.groups.find() == []
        team.delete()
        assert client.groups.find_one(prefix=name) is None
        refused(404, lambda: client.groups.get(team["guid"]))
    """,
    "content": """
        before = client.content.count()
        name = unique("item")
        item = client.content.create(name=name, title="One", description="of many", access_type="acl",
                                     max_processes=2, min_processes=0, connection_timeout=60)
        assert client.content.count() == before + 1
        assert without(client.content.get(item["guid"]), "owner") == without(item, "owner")
        assert (item["max_processes"], item["connection_timeout"], item["access_type"]) == (2, 60, "acl")
        assert client.content.find_one(name=name)["guid"] == item["guid"]
        assert client.content.find_by(name=name)["guid"] == item["guid"]
        assert client.content.find_by(title="nobody has this") is None
        assert [one["guid"] for one in client.content.find(name=name, include="owner")] == [item["guid"]]
        assert item.owner["username"] == client.me["username"]
        item.update(title="Two", description="")
        found = client.content.get(item["guid"])
        assert (found["title"], found["description"], found["name"]) == ("Two", "", name)
        assert not item.is_interactive and not item.is_rendered
        raises(ValueError, item.restart); raises(ValueError, item.render)
        assert item.tags.find() == [] and list(item.jobs) == [] and item.bundles.find() == []
        item.delete()
        refused(404, lambda: client.content.get(item["guid"]))
    """,
    "bundles, deploys and tasks": """
        item = client.content.create()
        one = item.bundles.create(page("one"))
        assert one["content_guid"] == item["guid"] and not one["active"] and int(one["size"]) > 0
        assert one.metadata is not None
        assert item.bundles.active() is None
        task = one.deploy()
        task.wait_for()
        assert task.is_finished and task.error_code in (0, None) and not task.error_message
        again = client.tasks.get(task["id"], first=0, wait=0)
        assert again.is_finished and again["output"]
        again.update(first=0, wait=1)
        assert again["output"] == task["output"]
        assert item.bundles.active()["id"] == one["id"]
        with open("two.tar.gz", "wb") as file:
            file.write(page("two"))
        two = item.bundles.create("two.tar.gz")
        with open("two.tar.gz", "rb") as file:
            three = item.bundles.create(file)
        assert [row["id"] for row in item.bundles.find()] == [three["id"], two["id"], one["id"]]
        assert item.bundles.find_one()["id"] == three["id"]
        assert item.bundles.get(two["id"])["id"] == two["id"]
        two.download("copy.tar.gz")
        assert open("copy.tar.gz", "rb").read() == open("two.tar.gz", "rb").read()
        with open("again.tar.gz", "wb") as file:
            two.download(file)
        item.deploy().wait_for()
        two.deploy().wait_for()
        assert item.bundles.active()["id"] == two["id"]
        refused(400, two.delete, code=75)
        three.delete(); one.delete()
        assert [row["id"] for row in item.bundles.find()] == [two["id"]]
        item.delete()
    """,
    "variables": """
        item = client.content.create()
        variables = item.environment_variables
        variables.create("A", "1"); variables["B"] = "2"; variables.update({"C": "3"}, D="4")
        assert sorted(variables.find()) == ["A", "B", "C", "D"] == sorted(variables)
        assert len(variables) == 4
        variables.delete("A"); del variables["B"]
        assert sorted(variables) == ["C", "D"]
        raises(NotImplementedError, variables.items)
        variables.clear()
        assert variables.find() == []
        item.delete()
    """,
    "permissions": """
        item = client.content.create()
        user = client.users.create(username=unique("other"), email="", user_role="publisher")
        team = client.groups.create(name=unique("readers"))
        one = item.permissions.create(principal_guid=user["guid"], principal_type="user", role="viewer")
        two = item.permissions.create(team, role="viewer")
        assert item.permissions.count() == 2 == len(item.permissions.find())
        assert item.permissions.get(one["id"])["role"] == "viewer"
        one.update(role="owner")
        assert item.permissions.get(one["id"])["role"] == "owner"
        assert item.permissions.find_one(principal_guid=team["guid"])["id"] == two["id"]
        two.destroy()
        item.permissions.destroy(user)
        assert item.permissions.find() == []
        three = item.permissions.create(user, role="viewer")
        item.permissions.destroy(three["id"])
        assert item.permissions.count() == 0
        team.delete(); item.delete()
    """,
    "tags": """
        name = unique("tree")
        root = client.tags.create(name=name)
        a = client.tags.create(name="a", parent=root); b = client.tags.create(name="b", parent_id=a["id"])
        assert dict(client.tags.get(a["id"])) == dict(a)
        assert [one["id"] for one in client.tags.find(name=name)] == [root["id"]]
        assert [one["id"] for one in client.tags.find(parent=root)] == [a["id"]]
        assert {one["id"] for one in client.tags.find()} >= {root["id"], a["id"], b["id"]}
        assert b.parent_tag["id"] == a["id"] and root.parent_tag is None
        assert [one["id"] for one in root.child_tags.find()] == [a["id"]]
        assert {one["id"] for one in root.descendant_tags.find()} == {a["id"], b["id"]}
        item = client.content.create()
        item.tags.add(b)
        assert {one["id"] for one in item.tags.find()} == {a["id"], b["id"]}
        assert [one["guid"] for one in b.content_items.find()] == [item["guid"]]
        item.tags.delete(a["id"])
        assert item.tags.find() == []
        a.update(name="c"); assert client.tags.get(a["id"])["name"] == "c"
        b.update(parent=root); assert client.tags.get(b["id"])["parent_id"] == root["id"]
        root.destroy()
        assert client.tags.find(name=name) == []
        item.delete()
    """,
    "vanity paths": """
        item = client.content.create()
        path = "/" + unique("address") + "/"
        assert item.vanity is None
        made = item.create_vanity(path=path)
        assert made["path"] == path and item.find_vanity()["path"] == path
        assert path in [one["path"] for one in client.vanities.all()]
        assert item.vanity == path
        del item.vanity; assert item.vanity is None
        item.vanity = path; assert item.vanity == path
        other = client.content.create()
        refused(409, lambda: other.create_vanity(path=path), code=51)
        assert other.create_vanity(path=path, force=True)["content_guid"] == other["guid"]
        item.reset_vanity(); assert item.vanity is None
        del other.vanity; assert other.vanity is None
        other.vanity = path
        other.find_vanity().destroy()
        other.reset_vanity(); assert other.vanity is None
        item.delete(); other.delete()
    """,
    "an API, its jobs and its restart": """
        item = client.content.create(access_type="all", title="API")
        item.bundles.create(api()).deploy().wait_for()
        item = client.content.get(item["guid"])
        assert item["app_mode"] == "python-fastapi" and item.is_interactive and item["py_version"]
        visited = client.get(f"../content/{item['guid']}/")
        assert visited.status_code == 200
        jobs = list(item.jobs)
        assert {job["tag"] for job in jobs} >= {"run_fastapi_app"}
        assert len(item.jobs) == len(jobs) and item.jobs[0]["key"] == jobs[0]["key"]
        running = next(job for job in jobs if job["status"] == 0)
        assert dict(item.jobs.find(running["key"]))["key"] == running["key"]
        assert item.jobs.find_by(key=running["key"])["id"] == running["id"]
        assert [job["key"] for job in item.jobs.fetch()] == [job["key"] for job in item.jobs]
        item.restart()
        def fresh():
            there = [job["key"] for job in item.jobs.fetch() if job["status"] == 0]
            return there and running["key"] not in there and there[0]
        key = until(fresh)
        item.jobs.find(key).destroy()
        ended = until(lambda: item.jobs.find(key)["status"] != 0 and item.jobs.find(key))
        assert ended["end_time"]
        refused(409, item.jobs.find(key).destroy, code=163)
        # what a visitor's token is exchanged for acts for the visitor, and for no more than the integration allows
        made = client.oauth.integrations.create(
            name="Visitors", description="", template="connect", config={"max_role": "Viewer"})
        item.oauth.associations.update([made["guid"]])
        os.environ["CONNECT_CONTENT_GUID"] = item["guid"]
        headers = dict(client.get(f"../content/{item['guid']}/").json()["headers"])
        token = headers["posit-connect-user-session-token"]
        given = client.oauth.get_credentials(token, "urn:posit:connect:api-key")
        assert given["access_token"] and given["token_type"] == "Key"
        visitor = client.with_user_session_token(token)
        assert visitor.me["guid"] == client.me["guid"]
        refused(403, lambda: visitor.content.create(), code=22)
        assert visitor.oauth.sessions.find() == []
        if hasattr(client.oauth, "has_content_credentials"):
            assert client.oauth.has_content_credentials() is False
            assert client.oauth.get_content_credentials() is None
        else:
            refused(400, lambda: client.oauth.get_content_credentials("no token of ours"))
        item.oauth.associations.delete()
        refused(400, lambda: client.oauth.get_credentials(token), code=212)
        made.delete()
        hits = until(lambda: [hit for hit in client.metrics.hits.fetch() if hit["content_guid"] == item["guid"]])
        assert hits[0]["user_guid"] == client.me["guid"] and hits[0]["timestamp"] and hits[0]["data"]["path"]
        assert client.metrics.hits.find_by(content_guid=item["guid"])["content_guid"] == item["guid"]
        assert item.packages is not None and list(item.packages.fetch()) == list(item.packages)
        item.delete()
    """,
    "packages, lock file and caches": """
        item = client.content.create(access_type="all")
        item.bundles.create(api(requirements="iniconfig==2.0.0\\n")).deploy().wait_for()
        rows = {row["name"]: row for row in item.packages.fetch()}
        assert rows["iniconfig"]["version"] == "2.0.0" and rows["iniconfig"]["language"] == "python"
        assert item.packages.find_by(name="iniconfig")["version"] == "2.0.0"
        mine = [row for row in client.packages.fetch(name="iniconfig") if row["app_guid"] == item["guid"]]
        assert [row["version"] for row in mine] == ["2.0.0"]
        assert client.packages.find_by(name="iniconfig", version="2.0.0")["language"] == "python"
        assert len(client.packages) >= 1
        if hasattr(type(item), "get_lockfile"):
            lock = item.get_lockfile()
            lock.write("lock.txt")
            assert "iniconfig==2.0.0" in open("lock.txt").read()
        caches = client.system.caches.runtime.find()
        version = client.content.get(item["guid"])["py_version"]
        cache = next(one for one in caches if one["version"] == version)
        assert cache["language"] == "Python" and cache["image_name"] == "Local"
        assert cache.destroy(dry_run=True) is None
        told = dict(language="Python", version=version, image_name="Local")
        assert client.system.caches.runtime.destroy(**told, dry_run=True) is None
        refused(404, lambda: client.system.caches.runtime.destroy(**{**told, "version": "1.2.3"}), code=4)
        item.delete()
        task = cache.destroy()
        task.wait_for()
        assert task.is_finished and not task.error_message
    """,
    "a document, its rendering, variants and visits": """
        import warnings
        warnings.simplefilter("ignore")
        item = client.content.create(access_type="all", title="Report")
        item.bundles.create(notebook()).deploy().wait_for()
        item = client.content.get(item["guid"])
        assert item["app_mode"] == "jupyter-static" and item.is_rendered and not item.is_interactive
        first = client.get(f"../content/{item['guid']}/").text
        assert "six times seven" in first
        task = item.render()
        task.wait_for()
        assert task.is_finished and not task.error_message
        (variant,) = item._variants.find()
        assert variant["is_default"] and variant["rendering_id"]
        variant.render().wait_for()
        assert item._variants.find()[0]["rendering_id"] > variant["rendering_id"]
        if hasattr(type(variant), "send_mail"):
            variant.send_mail("me")
        if hasattr(type(item), "schedule"):
            made = item.schedule.create(type="dayofweek", days=["monday", 3], timezone="Europe/Berlin")
            assert made.rule == {"Days": [1, 3]} and made["timezone"] == "Europe/Berlin" and made["next_run"]
            assert item.schedule.find_one()["id"] == made["id"]
            assert item.schedule.create(type="hour", n=6).rule == {"N": 6}
            for more in (dict(type="weekday"), dict(type="semimonth", first=False), dict(type="dayofmonth", day=31),
                         dict(type="dayweekofmonth", day=1, week=2), dict(type="minute", n=30), dict(type="year", n=1)):
                assert variant.schedules.create(**more)["type"] == more["type"]
            variant.schedules.find_one().destroy()
            assert item.schedule.find_one() is None
            item.schedule.create(type="day", n=1); item.schedule.delete()
            assert item.schedule.find_one() is None
        def visited():
            return [one for one in client.metrics.usage.find(content_guid=item["guid"])]
        event = until(visited)[0]
        assert event.content_guid == item["guid"] and event.user_guid == client.me["guid"]
        assert event.started and event.ended and event.data_version and event.path
        assert event.bundle_id and event.rendering_id and event.variant_key is None or event.variant_key
        assert client.metrics.usage.find_one(content_guid=item["guid"]).content_guid == item["guid"]
        item.delete()
    """,
    "sessions of an application and what usage says of them": """
        from posit.connect.metrics import shiny_usage, visits
        every = shiny_usage.ShinyUsage(client._ctx).find()
        assert isinstance(every, list)
        none = "00000000-0000-4000-8000-000000000000"
        assert shiny_usage.ShinyUsage(client._ctx).find_one(content_guid=none) is None
        assert visits.Visits(client._ctx).find(content_guid=none) == []
        assert visits.Visits(client._ctx).find_one(content_guid=none) is None
        assert client.metrics.usage.find(content_guid=none) == []
    """,
    "integrations": """
        made = client.oauth.integrations.create(
            name="Mine", description="d", template="connect", config={"max_role": "Viewer"})
        assert dict(client.oauth.integrations.get(made["guid"])) == dict(made)
        assert made["guid"] in [one["guid"] for one in client.oauth.integrations.find()]
        if hasattr(client.oauth.integrations, "find_by"):
            assert client.oauth.integrations.find_by(name="Mine")["guid"] == made["guid"]
        made.update(name="Yours", description="e")
        found = client.oauth.integrations.get(made["guid"])
        assert (found["name"], found["description"], found["template"]) == ("Yours", "e", "connect")
        item = client.content.create()
        item.oauth.associations.update([made["guid"]])
        assert [one["oauth_integration_guid"] for one in item.oauth.associations.find()] == [made["guid"]]
        if hasattr(item.oauth.associations, "find_by"):
            assert item.oauth.associations.find_by(name="Yours")["app_guid"] == item["guid"]
        assert [one["app_guid"] for one in made.associations.find()] == [item["guid"]]
        item.oauth.associations.delete()
        assert item.oauth.associations.find() == []
        made.delete()
        refused(404, lambda: client.oauth.integrations.get(made["guid"]))
        assert client.oauth.sessions.find(all=True) == []
        refused(404, lambda: client.oauth.sessions.get("00000000-0000-4000-8000-000000000000"))
        item.delete()
    """,
    "execution environments": """
        name = unique("image")
        made = client.environments.create(title="Image", name=name, cluster_name="Kubernetes", matching="exact",
            python={"installations": [{"path": "/opt/python", "version": "3.11.7"}]})
        found = client.environments.find(made["guid"])
        assert dict(found) == dict(made) and found["python"]["installations"][0]["version"] == "3.11.7"
        assert client.environments.find_by(name=name)["guid"] == made["guid"]
        assert made["guid"] in [one["guid"] for one in client.environments]
        made.update(title="Other")
        assert client.environments.find(made["guid"])["title"] == "Other"
        made.destroy()
        refused(404, lambda: client.environments.find(made["guid"]))
    """,
    "content from a repository": """
        item = client.content.create()
        assert item.repository is None
        try:
            made = item.create_repository(repository="https://git.example.org/a/b.git", branch="main", directory=".")
        except ClientError as why:
            assert why.http_status in (400, 404), why
        else:
            assert item.repository["repository"] == "https://git.example.org/a/b.git"
            made.update(branch="other")
            assert item.repository["branch"] == "other"
            made.destroy()
            assert item.repository is None
        item.delete()
    """,
}
# Methods that nobody can call here, and why.
NEVER = {
    "Session.delete": "an OAuth session comes of a browser's visit to another provider",
    "Environment.": "what the SDK makes is its plain resource, whose methods are called in its place",
    "_RelatedTagsBase.find": "it is abstract",
    "ShinyUsageEvent": "an event's own fields are read only where one was found",
    "VisitEvent": "the same",
    "UsageEvent.from_shiny_usage_event": "the same",
}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calls")


@pytest.mark.parametrize("what", PROGRAMS)
def test_the_resource(released: Sdk, calls: Path, what: str) -> None:
    traced = calls / f"{released.release}-{what}".replace(" ", "-")
    released.run(START + textwrap.dedent(PROGRAMS[what]), SDK_CALLS=str(traced))


def test_every_method_was_called(released: Sdk, calls: Path) -> None:
    called: set[str] = set()
    for what, program in PROGRAMS.items():
        traced = calls / f"{released.release}-{what}".replace(" ", "-")
        if not traced.exists():  # it ran elsewhere, or not at all
            released.run(START + textwrap.dedent(program), SDK_CALLS=str(traced))
        called |= set(json.loads(traced.read_text()))
    there: list[str] = json.loads(released.run(METHODS))
    assert len(there) > 100
    forgotten = [name for name in there if name not in called and not any(name.startswith(n) for n in NEVER)]
    assert not forgotten, forgotten


def test_the_newest_release_is_newer(released: Sdk) -> None:
    version = released.run("import importlib.metadata as m; print(m.version('posit-sdk'))").strip()
    assert (version == released.release) == (released.release != NEWEST)
