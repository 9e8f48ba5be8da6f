"""What this server is and can do: read often, by many clients at once, mostly before they have signed in."""

from __future__ import annotations

import datetime as dt
import functools
import socket
import zoneinfo
from collections.abc import Iterable

import anyio
from packaging.version import Version

import rostra
from rostra.api import abilities
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, SettingsReader
from rostra.api.server_shapes import (
    Abilities,
    Authentication,
    Installations,
    License,
    NodeJs,
    NodeJsStatus,
    PublicSettings,
    PythonInstallations,
    PythonRuntime,
    RunAs,
    RuntimeShape,
    SchedulerShape,
    ServerSettings,
    Timezone,
)
from rostra.config.sections import Settings
from rostra.content import thumbnails
from rostra.runtimes.model import Runtime, RuntimeState

router = Router()

# What clients choose their features by: an earlier one would switch off features this server has.
WIRE_VERSION = "2026.09.0"


@router.get("/server_settings")
async def server_settings(live: Live) -> ServerSettings:
    """What the server is; needs no sign-in, and is answered to a bad key too so that `v1/user` can name the fault."""
    settings = live.settings()
    return {
        "hostname": socket.gethostname(),
        "version": WIRE_VERSION,
        "build": "",
        "about": f"Rostra {rostra.__version__}",
        "rostra_version": rostra.__version__,
        "authentication": _authentication(),
        "license": _license(),
        "http_warning": False,
        "dashboard_path": "/" + settings.server.dashboard_path.strip("/"),
        "system_display_name": settings.server.system_display_name,
        "logout_url": "__logout__",
        **_abilities(settings),
        "git_enabled": settings.git.enabled,
        "git_available": live.git.available,
    }


def _authentication() -> Authentication:
    return {
        "handles_credentials": True,
        "handles_login": True,
        "challenge_response_enabled": False,
        "external_user_data": False,
        "external_user_search": False,
        "external_user_id": False,
        "groups_enabled": True,
        "external_group_search": False,
        "external_group_members": False,
        "external_group_id": False,
        "external_group_owner": False,
        "unique_usernames": True,
        "name_editable_by": "adminandself",
        "email_editable_by": "adminandself",
        "username_editable_by": "admin",
        "role_editable_by": "admin",
        "name": "Password",
        "notice": "",
        "warning_delay": 0,
        "API_key_auth": True,
    }


def _license() -> License:
    """Some clients refuse APIs and limits when a flag here is absent. There is no licence; everything is allowed."""
    return {
        "ts": 0,
        "status": "activated",
        "expiration": 0,
        "days-left": 36500,
        "has-key": True,
        "has-trial": False,
        "tier": "open-source",
        "sku-year": "",
        "edition": "open-source",
        "cores": 0,
        "connections": 0,
        "type": "local",
        "users": 0,
        "user-activity-days": 365,
        "users-grace": "",
        "shiny-users": 0,
        "allow-apis": True,
        "custom-branding": True,
        "current-user-execution": False,
        "anonymous-servers": True,
        "unrestricted-servers": True,
        "anonymous-branding": True,
        "oauth-integrations": True,
        "enable-launcher": False,
    }


def _abilities(settings: Settings) -> Abilities:
    managed = settings.python.environment_management
    return {
        "runtimes": [
            name
            for name, on in (("Python", settings.python), ("R", settings.r), ("Quarto", settings.quarto))
            if on.enabled
        ],
        "execution_type": "native",
        "enable_runtime_cache_management": True,
        "enable_runtime_constraints": True,
        "enable_image_management": False,
        "default_image_selection_enabled": False,
        "default_environment_management_selection": settings.applications.default_environment_management_selection,
        "default_py_environment_management": managed,
        "oauth_integrations_enabled": True,
        "locked_content_enabled": True,
        "viewers_can_only_see_themselves": settings.authorization.viewers_can_only_see_themselves,
        "self_registration": False,
        "username_validator": "default",
        "maximum_app_image_size": thumbnails.MOST_BYTES,
        **abilities.further(settings),
    }


@router.get("/v1/server_settings/public")
async def public_settings(live: Live) -> PublicSettings:
    """What a sign-in page needs to know; open to everybody."""
    settings = live.settings()
    return {
        "system_display_name": settings.server.system_display_name,
        "dashboard_path": "/" + settings.server.dashboard_path.strip("/"),
        "logout_url": "__logout__",
        "authentication": _authentication(),
        "self_registration": False,
        "customized_landing": False,
    }


@router.get("/server_settings/applications")
async def applications(live: Live, who: Known) -> RunAs:  # noqa: ARG001
    """Which access types there are and as whom content runs."""
    run_as = live.settings().applications.run_as
    return {
        "access_types": ["all", "logged_in", "acl"],
        "run_as": run_as,
        "run_as_group": "",
        "run_as_current_user": False,
    }


@router.get("/server_settings/scheduler")
@router.get("/server_settings/scheduler/{app_mode}")
async def scheduler(live: Live, who: Known, app_mode: str = "") -> SchedulerShape:  # noqa: ARG001
    """The defaults and limits of processes, the same for every kind; 0 is: not limited."""
    ours = live.settings().scheduler
    return {
        "min_processes": ours.min_processes,
        "max_processes": ours.max_processes,
        "max_conns_per_process": ours.max_conns_per_process,
        "load_factor": ours.load_factor,
        "init_timeout": _seconds(ours.init_timeout),
        "idle_timeout": _seconds(ours.idle_timeout),
        "connection_timeout": _seconds(ours.connection_timeout),
        "read_timeout": _seconds(ours.read_timeout),
        "min_processes_limit": ours.min_processes_limit,
        "max_processes_limit": ours.max_processes_limit,
        "cpu_request": 0,
        "max_cpu_request": 0,
        "cpu_limit": 0,
        "max_cpu_limit": 0,
        "memory_request": 0,
        "max_memory_request": 0,
        "memory_limit": 0,
        "max_memory_limit": 0,
        "amd_gpu_limit": 0,
        "max_amd_gpu_limit": 0,
        "nvidia_gpu_limit": 0,
        "max_nvidia_gpu_limit": 0,
    }


def _seconds(value: dt.timedelta) -> int:
    return int(value.total_seconds())


@router.get("/v1/server_settings/python")
async def python(live: Live, who: SettingsReader) -> PythonInstallations:  # noqa: ARG001
    """The interpreters content can be published to, oldest first."""
    usable = [runtime for runtime in live.runtimes() if runtime.state is not RuntimeState.retired]
    return {"installations": [installation(runtime) for runtime in usable], "api_enabled": True}


def installation(runtime: Runtime) -> PythonRuntime:
    """Return the runtime as clients list it; a deprecated one is not offered to new content."""
    publishable = runtime.state is RuntimeState.active
    return {"version": str(runtime.version), "cluster_name": "Local", "image_name": "Local", "publishable": publishable}


@router.get("/v1/server_settings/r")
async def r(live: Live, who: SettingsReader) -> Installations:  # noqa: ARG001
    """The Rs content can be published to, oldest first."""
    return {"installations": _versions(each.version for each in (await live.beside()).r)}


@router.get("/v1/server_settings/quarto")
async def quarto(live: Live, who: SettingsReader) -> Installations:  # noqa: ARG001
    """The Quartos content can be published to, oldest first."""
    return {"installations": _versions(each.version for each in (await live.beside()).quarto)}


def _versions(there: Iterable[Version]) -> list[RuntimeShape]:
    return [{"version": str(each), "cluster_name": "Local", "image_name": "Local"} for each in sorted(there)]


@router.get("/v1/server_settings/tensorflow")
async def other_languages(who: SettingsReader) -> Installations:  # noqa: ARG001
    """TensorFlow: not offered."""
    return {"installations": []}


@router.get("/v1/server_settings/nodejs")
async def nodejs(who: SettingsReader) -> NodeJs:  # noqa: ARG001
    """Node.js: not offered, said in the shape `preflight` asks for."""
    status: NodeJsStatus = {
        "enabled": False,
        "configured": False,
        "licensed": False,
        "available": False,
        "usable": False,
    }
    return {"enabled": False, "status": status, "installations": []}


@router.get("/v1/timezones")
@router.get("/timezones")
async def timezones(live: Live, who: SettingsReader) -> list[Timezone]:  # noqa: ARG001
    """Every time zone's name and present offset, by name."""
    return await anyio.to_thread.run_sync(_timezones, live.clock.now().replace(minute=0, second=0, microsecond=0))


@functools.lru_cache(maxsize=2)
def _timezones(now: dt.datetime) -> list[Timezone]:
    found: list[Timezone] = []
    for name in sorted(zoneinfo.available_timezones() - {"localtime"}):
        offset = now.astimezone(zoneinfo.ZoneInfo(name)).strftime("%z")
        found.append({"timezone": name, "offset": f"{offset[:3]}:{offset[3:5]}"})
    return found
