"""Real content, the SDK inside it, and a real OpenID provider: what a visitor signs in to is what content may use."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from support.accounts import signed_in
from support.bundles import bundle
from support.direct import new_item
from support.oidc import LACKING, client_of, machine, oidc_provider
from support.server import Server
from support.watching import contents_below

pytestmark = [
    pytest.mark.compat,
    pytest.mark.server,
    pytest.mark.skipif(bool(LACKING), reason=LACKING),
]
APP = """
import os, urllib.request
from flask import Flask, request
from posit import connect
from posit.connect.errors import ClientError

app = Flask(__name__)

def asked(call):
    try:
        return dict(call())
    except ClientError as why:
        return {"code": why.error_code, "message": why.error_message}

@app.get("/visitor")
def visitor():
    token = request.headers.get("Posit-Connect-User-Session-Token")
    client = connect.Client()
    return asked(lambda: client.oauth.get_credentials(token, audience=os.environ.get("VIEWER")))

@app.get("/account")
def account():
    client = connect.Client()
    return asked(lambda: client.oauth.get_content_credentials(audience=os.environ.get("SERVICE")))

@app.get("/helpers/<whose>")
def helpers(whose):
    "What the SDK's helpers for two warehouses would send there."
    from posit.connect.external.databricks import ConnectStrategy
    from posit.connect.external.snowflake import PositAuthenticator
    visitor = request.headers["Posit-Connect-User-Session-Token"] if whose == "visitor" else None
    content = None if visitor else os.environ["CONNECT_CONTENT_SESSION_TOKEN"]
    snowflake = PositAuthenticator("EXTERNALBROWSER", user_session_token=visitor, content_session_token=content)
    provider = ConnectStrategy(user_session_token=visitor)()
    return {"snowflake": [snowflake.authenticator, snowflake.token], "databricks": provider()}
"""


@dataclass(frozen=True, slots=True)
class Scene:
    server: Server
    issuer: str
    guid: str
    viewer: str
    service: str

    def ask(self, browser: httpx2.Client, what: str) -> Any:
        answer = browser.get(f"/content/{self.guid}/{what}", timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def subject(self, token: str) -> str:
        """Return whom the provider knows by an access token."""
        answer = httpx2.get(f"{self.issuer}/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["sub"])


@pytest.fixture(scope="module")
def issuer(server: Server, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with oidc_provider(pytestconfig, server, tmp_path_factory.mktemp("oidc") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def scene(server: Server, issuer: str) -> Iterator[Scene]:
    """Other modules share the server and look for what they made alone: all of it goes again."""
    shared = {"authorization_uri": f"{issuer}/auth", "token_uri": f"{issuer}/token"}
    people = {
        **shared, "client_id": "people", "client_secret": "secret-of-people", "scopes": "openid offline_access",
        "auth_mode": "Confidential", "token_endpoint_auth_method": "client_secret_basic", "use_pkce": True,
    }  # fmt: skip
    made = [
        server.ask("/__api__/v1/oauth/integrations", "POST", {"name": name, "template": "custom", "config": config})
        for name, config in (("People", people), ("Machine", machine(issuer)))
    ]
    assert [one["auth_type"] for one in made] == ["Viewer", "Service Account"]
    assert not any("client_secret" in one["config"] for one in made)
    item = server.ask("/__api__/v1/content", "POST", {"name": "uses-oauth", "access_type": "logged_in"})
    guid = item["guid"]
    wanted = [{"oauth_integration_guid": one["guid"]} for one in made]
    server.ask(f"/__api__/v1/content/{guid}/oauth/integrations/associations", "PUT", wanted)
    python = {"version": "3.11.4", "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
    packed = bundle(
        {"app.py": APP, "requirements.txt": "flask\nposit-sdk\ndatabricks-sdk\n"},
        metadata={"appmode": "python-api", "entrypoint": "app:app"},
        python=python,
    )
    uploaded = json.loads(server.get(f"/__api__/v1/content/{guid}/bundles", method="POST", body=packed).text)
    task = server.ask(f"/__api__/v1/content/{guid}/deploy", "POST", {"bundle_id": uploaded["id"]})
    done = server.wait_for(task["task_id"])
    assert done["code"] == 0, done["output"]
    yield Scene(server, issuer, guid, made[0]["guid"], made[1]["guid"])
    for one in made:
        assert server.get(f"/__api__/v1/oauth/integrations/{one['guid']}", method="DELETE").status == 204
    assert server.get(f"/__api__/v1/content/{guid}", method="DELETE").status == 204


def sign_in_at_provider(browser: httpx2.Client, scene: Scene, account: str, after: str) -> httpx2.Response:
    """Go from Rostra to the provider, say who one is, agree, and come back; return the last answer."""
    login = f"/__oauth__/integrations/login/{scene.viewer}?{urllib.parse.urlencode({'url': after})}"
    answer = browser.get(login, follow_redirects=True)
    assert str(answer.url).startswith(scene.issuer), answer.text[:500]
    for fields in ({"prompt": "login", "login": account, "password": "x"}, {"prompt": "consent"}):
        action = re.search(r'action="([^"]+)"', answer.text)
        assert action, answer.text[:2000]
        answer = browser.post(urllib.parse.urljoin(str(answer.url), action[1]), data=fields, follow_redirects=True)
        if not str(answer.url).startswith(scene.issuer):
            break
    return answer


def test_content_uses_the_account_of_its_integration(scene: Scene) -> None:
    with signed_in(scene.server, "olga") as browser:
        first, again = scene.ask(browser, "account"), scene.ask(browser, "account")
    assert (first["token_type"], first["issued_token_type"]) == (
        "Bearer", "urn:ietf:params:oauth:token-type:access_token",
    )  # fmt: skip
    assert client_of(scene.issuer, first["access_token"]) == "machine"
    assert again["access_token"] == first["access_token"], "it is good for a while"
    assert scene.server.ask(f"/__api__/v1/oauth/integrations/{scene.service}/verify", "POST") == {"status": "ok"}


NOTEBOOK = """
from posit import connect
client = connect.Client()
found = client.oauth.get_content_credentials()
print(f"{client.me.username} has token({found['access_token']}) of type {found['token_type']}")
"""


def test_a_notebook_uses_the_account_while_it_is_rendered(scene: Scene) -> None:
    cell = {"cell_type": "code", "source": NOTEBOOK, "metadata": {}, "outputs": [], "execution_count": None}
    item = new_item(scene.server, "logged_in")
    wanted = [{"oauth_integration_guid": scene.service}]
    scene.server.ask(f"{item.api}/oauth/integrations/associations", "PUT", wanted)
    item.deploy(
        {
            "report.ipynb": json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}),
            "requirements.txt": "posit-sdk\n",
        },
        metadata={"appmode": "jupyter-static", "entrypoint": "report.ipynb"},
    )
    me = scene.server.ask("/__api__/v1/user")["username"]
    said = re.search(rf"{me} has token\((\S+)\) of type Bearer", item.get().text)
    assert said, item.get().text[-3000:]
    assert client_of(scene.issuer, said[1]) == "machine"
    assert scene.server.get(item.api, method="DELETE").status == 204


def test_a_visitors_own_account_is_used_once_the_visitor_signed_in(scene: Scene) -> None:
    with signed_in(scene.server, "ivan") as browser, signed_in(scene.server, "jane") as other:
        before = scene.ask(browser, "visitor")
        assert before["code"] == 218
        assert f"/__oauth__/integrations/login/{scene.viewer}" in before["message"]
        back = sign_in_at_provider(browser, scene, "ivan@provider", f"/content/{scene.guid}/visitor")
        assert scene.subject(back.json()["access_token"]) == "ivan@provider"
        # Access tokens live for 30 seconds here: each is made anew with a refresh token that is good for one use.
        tokens = {scene.ask(browser, "visitor")["access_token"] for _ in range(3)}
        assert len(tokens) == 3
        assert {scene.subject(token) for token in tokens} == {"ivan@provider"}
        assert scene.ask(other, "visitor")["code"] == 218, "somebody else has not signed in"
        (mine,) = browser.get("/__api__/v1/oauth/sessions").json()
        assert (mine["oauth_integration_guid"], mine["has_refresh_token"]) == (scene.viewer, True)
        assert other.get("/__api__/v1/oauth/sessions").json() == []
        assert other.get(f"/__api__/v1/oauth/sessions/{mine['guid']}").status_code == 404
        assert mine in scene.server.ask("/__api__/v1/oauth/sessions?all=true")
        scene.server.get(f"/__api__/v1/oauth/sessions/{mine['guid']}", method="DELETE")
        assert scene.ask(browser, "visitor")["code"] == 218


def test_the_helpers_of_the_sdk_for_warehouses_have_the_tokens(scene: Scene) -> None:
    """As far as the door of the warehouse: what they would send there is a token of the provider's."""
    with signed_in(scene.server, "nora") as browser:
        account = scene.ask(browser, "helpers/account")
        sign_in_at_provider(browser, scene, "nora@provider", f"/content/{scene.guid}/visitor")
        visitor = scene.ask(browser, "helpers/visitor")
    for told, named in ((account, lambda token: client_of(scene.issuer, token)), (visitor, scene.subject)):
        scheme, _, for_databricks = told["databricks"]["Authorization"].partition(" ")
        assert (told["snowflake"][0], scheme) == ("oauth", "Bearer")
        whose = {named(told["snowflake"][1]), named(for_databricks)}
        assert whose == {"machine" if told is account else "nora@provider"}


def test_an_answer_of_the_provider_belongs_to_who_began(scene: Scene) -> None:
    with signed_in(scene.server, "kurt") as browser, signed_in(scene.server, "lena") as other:
        begun = browser.get(f"/__oauth__/integrations/login/{scene.viewer}", follow_redirects=False)
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(begun.headers["location"]).query)["state"][0]
        query = urllib.parse.urlencode({"state": state, "code": "x"})
        stolen = other.get(f"/__oauth__/integrations/callback?{query}")
        assert stolen.status_code == 400
        assert "does not belong" in stolen.text
        made_up = browser.get(f"/__oauth__/integrations/callback?{query}")
        assert "invalid_grant" in made_up.text
        assert browser.get("/__oauth__/integrations/callback?state=x&code=y").status_code == 400


def test_no_token_is_on_disk_in_clear(scene: Scene) -> None:
    with signed_in(scene.server, "mira") as browser:
        back = sign_in_at_provider(browser, scene, "mira@provider", f"/content/{scene.guid}/visitor")
        token = back.json()["access_token"].encode()
    for path, raw in contents_below(scene.server.data_dir):
        if not path.is_relative_to(scene.server.data_dir / "environments"):
            assert token not in raw, path
            assert b"secret-of-people" not in raw, path
