"""What the SDK knows beside the recipes: each program is the SDK's own calls and what its users rely on."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.compat, pytest.mark.server]
START = "from posit import connect\nclient = connect.Client()\n"

PROGRAMS = {
    "a made user is what is found": """
made = client.users.create(username="sam", email="s@x", first_name="Sam", user_role="viewer")
assert dict(client.users.get(made["guid"])) == dict(made)
assert dict(client.users.find_one(prefix="sam")) == dict(made)
before = made["updated_time"]
made.lock(); made.unlock()
assert client.users.get(made["guid"])["updated_time"] == before
made.update(first_name="Samuel")
assert client.users.get(made["guid"])["first_name"] == "Samuel"
assert "sam" not in [user["username"] for user in client.users.find(account_status="locked")]
""",
    "a made group is what is found": """
made = client.groups.create(name="Found")
assert dict(client.groups.get(made["guid"])) == dict(made)
assert client.groups.count() >= 1 and made.members.count() == 0
made.members.add(client.me); assert made.members.count() == 1
made.members.delete(client.me); assert made.members.find() == []
made.delete()
assert client.groups.find_one(prefix="Found") is None
""",
    "content is made, changed, transferred and deleted": """
one = client.content.create(); two = client.content.create(name="named")
assert one["name"] != two["name"]
assert client.content.get(two["guid"])["name"] == "named"
pub = client.users.create(username="pub", email="", user_role="publisher")
two.update(owner_guid=pub["guid"])
assert two["owner_guid"] == pub["guid"] and two.owner["username"] == "pub"
one.delete(); two.delete()
""",
    "a viewer cannot own content": """
from posit.connect.errors import ClientError
viewer = client.users.create(username="viewer", email="", user_role="viewer")
item = client.content.create()
try:
    item.update(owner_guid=viewer["guid"])
except ClientError as why:
    assert (why.http_status, why.error_code) == (403, 22), why
else:
    raise SystemExit("allowed")
item.delete()
""",
    "permissions are made, changed and removed": """
item = client.content.create(); other = client.users.create(username="other", email="", user_role="publisher")
made = item.permissions.create(other, role="viewer")
assert item.permissions.count() == 1
made.update(role="owner"); assert item.permissions.get(made["id"])["role"] == "owner"
item.permissions.destroy(other); assert item.permissions.find() == []
item.delete()
""",
    "tags are a tree": """
root = client.tags.create(name="Tree"); a = client.tags.create(name="a", parent=root)
b = client.tags.create(name="b", parent=a); item = client.content.create()
item.tags.add(b); assert [t["name"] for t in item.tags.find()] == ["a", "b"]
assert [t["name"] for t in root.descendant_tags.find()] == ["a", "b"]
assert item.get("tags") is None
assert [t["name"] for t in client.content.get(item["guid"])["tags"]] == ["a", "b"]
b.update(name="c", parent=root); assert b["parent_id"] == root["id"]
item.tags.delete(root); assert item.tags.find() == []
root.destroy(); assert client.tags.find(name="Tree") == []
item.delete()
""",
    "vanity paths": """
item = client.content.create(); assert item.vanity is None
item.vanity = "/somewhere"; assert item.vanity == "/somewhere/"
assert [v["path"] for v in client.vanities.all()].count("/somewhere/") == 1
del item.vanity; assert item.vanity is None
item.delete()
""",
    "integrations and their associations": """
made = client.oauth.integrations.create(
    name="Visitor", description="", template="connect", config={"max_role": "Viewer"})
assert dict(client.oauth.integrations.get(made["guid"])) == dict(made)
item = client.content.create()
item.oauth.associations.update(made["guid"])
assert item.oauth.associations.find()[0]["oauth_integration_guid"] == made["guid"]
assert len(made.associations.find()) == 1
item.oauth.associations.delete(); assert item.oauth.associations.find() == []
made.update(name="Other"); assert made["name"] == "Other"
made.delete(); assert client.oauth.integrations.find() == []
assert client.oauth.sessions.find() == []
item.delete()
""",
    "execution environments": """
made = client.environments.create(title="Py", name="python:3.11", cluster_name="Kubernetes")
assert dict(client.environments.find(made["guid"])) == dict(made)
made.update(title="Python"); assert client.environments.find_by(title="Python")
made.destroy(); assert list(client.environments) == []
""",
    "variables are set, listed and removed": """
item = client.content.create(); variables = item.environment_variables
variables.create("A", "1"); variables.update({"B": "2", "C": "3"})
assert list(variables.find()) == ["A", "B", "C"]
variables.delete("B"); assert variables.find() == ["A", "C"]
variables.clear(); assert variables.find() == []
item.delete()
""",
    "owners and counts": """
item = client.content.create(title="Owned")
assert item.owner["guid"] == client.me["guid"] and item.is_interactive is False and item.is_rendered is False
assert client.content.count() >= 1 and client.content.find_one(title="Owned") is not None
assert client.me.content.count() >= 1
item.delete()
""",
    "usage, packages and caches can be read": """
client.metrics.usage.find(); list(client.metrics.hits.fetch())
list(client.packages.fetch()); client.system.caches.runtime.find()
""",
    "errors carry their code": """
from posit.connect.errors import ClientError
try:
    client.content.get("00000000-0000-0000-0000-000000000000")
except ClientError as why:
    assert (why.http_status, why.error_code) == (404, 4), why
else:
    raise SystemExit("found")
""",
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_the_sdk(sdk: Any, what: str) -> None:
    sdk.run(START + PROGRAMS[what])
