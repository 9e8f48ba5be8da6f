"""What `server_settings` and its parts look like on the wire."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from rostra.content.access import Access
from rostra.wire import one_of


class Authentication(TypedDict):
    handles_credentials: bool
    handles_login: bool
    challenge_response_enabled: bool
    external_user_data: bool
    external_user_search: bool
    external_user_id: bool
    groups_enabled: bool
    external_group_search: bool
    external_group_members: bool
    external_group_id: bool
    external_group_owner: bool
    unique_usernames: bool
    name_editable_by: Annotated[str, one_of(("admin", "adminandself"))]
    email_editable_by: Annotated[str, one_of(("admin", "adminandself"))]
    username_editable_by: Annotated[str, one_of(("admin", "adminandself"))]
    role_editable_by: Annotated[str, one_of(("admin", "adminandself"))]
    name: str
    notice: str
    warning_delay: int
    API_key_auth: bool


License = TypedDict(
    "License",
    {
        "ts": int,
        "status": str,
        "expiration": int,
        "days-left": int,
        "has-key": bool,
        "has-trial": bool,
        "tier": str,
        "sku-year": str,
        "edition": str,
        "cores": int,
        "connections": int,
        "type": str,
        "users": int,
        "user-activity-days": int,
        "users-grace": str,
        "shiny-users": int,
        "allow-apis": bool,
        "custom-branding": bool,
        "current-user-execution": bool,
        "anonymous-servers": bool,
        "unrestricted-servers": bool,
        "anonymous-branding": bool,
        "oauth-integrations": bool,
        "enable-launcher": bool,
    },
)
"""There is none; clients read from it what they may offer."""


class FurtherAbilities(TypedDict):
    """What there is for people to use."""

    default_r_environment_management: bool
    mail_all: bool
    mail_configured: bool
    self_test_enabled: bool
    permission_request: bool
    viewers_can_request_privileges: bool
    prohibited_usernames: list[str]
    metrics_rrd_enabled: bool
    metrics_instrumentation: bool
    tableau_integration_enabled: bool
    jump_start_enabled: bool
    labs_enabled: bool
    whats_new_enabled: bool
    customized_landing: bool
    default_content_list_view: str
    public_warning: str
    logged_in_warning: str
    license_expiration_ui_warning: bool
    end_of_support_ui_warning: bool
    deprecated_settings: list[str]
    deprecated_settings_ui_warning: bool
    hide_viewer_documentation: bool
    server_settings_toggler: bool
    new_parameterization_enabled: bool
    use_window_location: bool


class Abilities(FurtherAbilities):
    runtimes: list[Annotated[str, one_of(("Python", "R", "Quarto"))]]
    execution_type: str
    enable_runtime_cache_management: bool
    enable_runtime_constraints: bool
    enable_image_management: bool
    default_image_selection_enabled: bool
    default_environment_management_selection: bool
    default_py_environment_management: bool
    oauth_integrations_enabled: bool
    locked_content_enabled: bool
    viewers_can_only_see_themselves: bool
    self_registration: bool
    username_validator: str
    maximum_app_image_size: int


class ServerSettings(Abilities):
    hostname: str
    version: str
    build: str
    about: str
    rostra_version: str
    authentication: Authentication
    license: License
    http_warning: bool
    dashboard_path: str
    system_display_name: str
    logout_url: str
    git_enabled: bool
    git_available: bool


class PublicSettings(TypedDict):
    system_display_name: str
    dashboard_path: str
    logout_url: str
    authentication: Authentication
    self_registration: bool
    customized_landing: bool


class RunAs(TypedDict):
    access_types: list[Annotated[str, one_of(Access)]]
    run_as: str
    run_as_group: str
    run_as_current_user: bool


class SchedulerShape(TypedDict):
    """Timeouts in seconds; a limit of 0 is none."""

    min_processes: int
    max_processes: int
    max_conns_per_process: int
    load_factor: float
    init_timeout: int
    idle_timeout: int
    connection_timeout: int
    read_timeout: int
    min_processes_limit: int
    max_processes_limit: int
    cpu_request: int
    max_cpu_request: int
    cpu_limit: int
    max_cpu_limit: int
    memory_request: int
    max_memory_request: int
    memory_limit: int
    max_memory_limit: int
    amd_gpu_limit: int
    max_amd_gpu_limit: int
    nvidia_gpu_limit: int
    max_nvidia_gpu_limit: int


class RuntimeShape(TypedDict):
    version: str
    cluster_name: str
    image_name: str


class PythonRuntime(RuntimeShape):
    """One that is not publishable runs what it has; new content is not matched to it when another fits."""

    publishable: bool


class Installations(TypedDict):
    installations: list[RuntimeShape]


class PythonInstallations(TypedDict):
    installations: list[PythonRuntime]
    api_enabled: bool


class NodeJsStatus(TypedDict):
    enabled: bool
    configured: bool
    licensed: bool
    available: bool
    usable: bool


class NodeJs(TypedDict):
    enabled: bool
    status: NodeJsStatus
    installations: list[RuntimeShape]


class Timezone(TypedDict):
    timezone: str
    offset: str
