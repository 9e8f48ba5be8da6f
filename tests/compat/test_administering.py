"""What administrators look after with the unmodified client: execution environments and OAuth integrations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.server import Server

pytestmark = pytest.mark.compat


def told(server: Server, *words: str) -> Any:
    return json.loads(server.client(*words[:2], "-n", "rostra", *words[2:]).stdout)


def test_an_environment_is_added_edited_permitted_and_removed(server: Server) -> None:
    me = server.ask("/__api__/v1/user")["guid"]
    mount = "type=pvc,pvc_name=claim,target=/mnt/data,read_only=true"
    made = told(server, "environment", "add", "image:1", "--mount", mount, "--allow-user", me)
    assert (made["title"], made["name"]) == (None, "image:1")
    assert made["volume_mounts"][0]["source"]["pvc_name"] == "claim"
    permissions = f"/__api__/v1/environments/{made['guid']}/permissions"
    assert [one["user_guid"] for one in server.ask(permissions)] == [me]

    edited = told(server, "environment", "edit", made["guid"], "-T", "Image", "--python", "3.11.6=/opt/bin/python")
    assert (edited["title"], edited["python"]["installations"][0]["version"]) == ("Image", "3.11.6")
    assert edited["volume_mounts"] == made["volume_mounts"]

    told(server, "environment", "edit", made["guid"], "--clear-permissions")
    assert server.ask(permissions) == []
    server.client("environment", "remove", "-n", "rostra", made["guid"])
    assert made["guid"] not in [one["guid"] for one in server.ask("/__api__/v1/environments")]


def test_an_integration_is_added_edited_permitted_and_removed(server: Server) -> None:
    me = server.ask("/__api__/v1/user")["guid"]
    config = ("-C", "client_id=rostra", "-C", "client_secret=hush", "-C", "token_uri=https://example.org/token")
    made = told(server, "integration", "add", "-t", "custom", *config, "--allow-user", me)
    assert made["permissions"] == [{"user_guid": me, "group_guid": None}]
    assert (made["name"], "hush" in json.dumps(made)) == ("Custom", False)

    edited = told(server, "integration", "edit", made["guid"], "-N", "Ours", "-C", "scopes=read")
    assert edited["name"] == "Ours"
    assert edited["config"] == {**made["config"], "scopes": "read"}
    assert edited["permissions"] == made["permissions"]
    assert told(server, "integration", "show", made["guid"]) == edited

    server.client("integration", "remove", "-n", "rostra", made["guid"])
    assert made["guid"] not in [one["guid"] for one in server.ask("/__api__/v1/oauth/integrations")]


def test_templates_are_shown(server: Server) -> None:
    found = json.loads(server.client("integration", "templates", "show", "-n", "rostra", "custom").stdout)
    assert found["id"] == "custom"
    assert "client_id" in found["fields"]
