import re

import pytest
from support.api import World

from rostra.api import abilities
from rostra.auth.tables import User
from rostra.config.sections import Server, Settings

pytestmark = pytest.mark.anyio


async def test_the_settings_need_no_sign_in(world: World) -> None:
    told = await world.client().read("server_settings")
    assert re.fullmatch(r"20\d\d\.\d\d\.\d+", told["version"])
    assert told["version"] >= "2026.06.0"
    assert told["rostra_version"]
    assert told["dashboard_path"] == "/connect"


async def test_a_bad_key_still_gets_the_settings(world: World) -> None:
    assert (await world.client(authorization="Key x").get("server_settings")).status_code == 200


async def test_no_licence_flag_blocks_a_client(world: World) -> None:
    told = await world.client().read("server_settings")
    assert told["license"]["allow-apis"] is True
    assert told["execution_type"] == "native"
    assert (told["git_enabled"], told["git_available"]) == (True, True)


# The published client of the editor reads these, and takes what is missing for "no".
READ = (
    *("runtimes", "git_enabled", "git_available", "execution_type", "enable_runtime_constraints"),
    *("enable_image_management", "default_image_selection_enabled", "default_environment_management_selection"),
    *("default_r_environment_management", "default_py_environment_management", "oauth_integrations_enabled"),
    *("mail_all", "mail_configured", "prohibited_usernames", "maximum_app_image_size", "self_test_enabled"),
)


@pytest.mark.parametrize("name", READ)
async def test_every_ability_is_said(world: World, name: str) -> None:
    assert (await world.client().read("server_settings")).get(name) is not None


@pytest.mark.parametrize(("provider", "mails"), [("none", False), ("smtp", True), ("file", True)])
def test_mail_is_there_when_it_is_configured(provider: str, mails: bool) -> None:
    told = abilities.further(Settings(server=Server(email_provider=provider)))
    assert (told["mail_configured"], told["mail_all"]) == (mails, mails)


async def test_what_a_sign_in_page_needs_is_public(world: World) -> None:
    told = await world.client().read("v1/server_settings/public")
    assert told["logout_url"] == "__logout__"
    assert told["authentication"]["handles_login"] is True
    assert "license" not in told
    assert "hostname" not in told


async def test_pythons_are_listed_oldest_first_without_retired_ones(world: World) -> None:
    told = await world.client("vic").read("v1/server_settings/python")
    assert told == {
        "installations": [
            {"version": version, "cluster_name": "Local", "image_name": "Local", "publishable": True}
            for version in ("3.9.18", "3.11.7")
        ],
        "api_enabled": True,
    }


@pytest.mark.parametrize("language", ["r", "quarto", "tensorflow", "nodejs"])
async def test_other_languages_are_not_there(world: World, language: str) -> None:
    assert (await world.client("vic").read(f"v1/server_settings/{language}"))["installations"] == []


async def test_node_says_so_in_booleans(world: World) -> None:
    told = await world.client("vic").read("v1/server_settings/nodejs")
    assert told["enabled"] is False
    assert set(told["status"]) == {"enabled", "configured", "licensed", "available", "usable"}


async def test_what_applications_may_be(world: World) -> None:
    told = await world.client("ada").read("server_settings/applications")
    assert told["access_types"] == ["all", "logged_in", "acl"]
    assert set(told) == {"access_types", "run_as", "run_as_group", "run_as_current_user"}


@pytest.mark.parametrize("path", ["server_settings/scheduler", "server_settings/scheduler/python-dash"])
async def test_the_limits_are_all_numbers(world: World, path: str) -> None:
    told = await world.client("ada").read(path)
    assert told["max_processes"] == 3
    assert told["init_timeout"] == 60
    assert len(told) == 22
    assert all(isinstance(value, int | float) for value in told.values())


@pytest.mark.parametrize("path", ["server_settings/scheduler", "v1/server_settings/python", "v1/timezones"])
async def test_the_rest_needs_a_sign_in(world: World, path: str) -> None:
    assert (await world.client().get(path)).status_code == 401


@pytest.mark.parametrize("path", ["v1/timezones", "timezones"])
async def test_timezones(world: World, path: str) -> None:
    told = {row["timezone"]: row["offset"] for row in await world.client("ada").read(path)}
    assert told["UTC"] == "+00:00"
    assert told["Asia/Kolkata"] == "+05:30"
    assert told["America/New_York"] == "-04:00", "summer time counts"


async def test_the_settings_are_answered_without_the_database(world: World) -> None:
    await world.change(User, locked=True)
    assert (await world.client("ada").get("server_settings")).status_code == 200
