"""Every setting there is: name, type, default, one sentence of help and the release that brought it.

The server, `rostra config` and the reference page all read these declarations; nothing else knows a setting's name.
A field named ``max_conns_per_process`` is the setting ``MaxConnsPerProcess``; a name that differs is given as ``name``.
"""

# ruff: noqa: RUF009 - `setting` makes a dataclass field
from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def setting(
    default: Any,
    help: str,  # noqa: A002
    *,
    since: str = "0.1.0",
    name: str = "",
    secret: bool = False,
    choices: tuple[str, ...] = (),
    reloadable: bool = False,
    unit: str = "",
) -> Any:
    """Declare one setting. ``unit`` is ``bytes`` for sizes; a ``timedelta`` default makes it a duration."""
    metadata = {
        "help": help,
        "since": since,
        "name": name,
        "secret": secret,
        "choices": choices,
        "reloadable": reloadable,
        "unit": unit,
    }
    if isinstance(default, list):
        return field(default=tuple(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    data_dir: Path = setting(Path("/var/lib/rostra"), "Folder under which everything durable is kept.")
    address: str = setting(
        "",
        "Public URL of this server, with any path prefix a proxy adds; links are built from it. "
        "Empty: taken from each request.",
    )
    dashboard_path: str = setting("/connect", "Path of the dashboard.")
    system_display_name: str = setting("Rostra", "Name shown in page titles and mail.")
    sender_email: str = setting("", "Address that mail is sent from.")
    sender_email_display_name: str = setting("", "Name that mail is sent under. Empty: SystemDisplayName.")
    email_provider: str = setting(
        "none",
        "How mail leaves: not at all, through the server of [SMTP], printed in the log, or as files in DataDir/mail.",
        choices=("none", "smtp", "print", "file"),
    )
    hide_email_addresses: bool = setting(
        False, "Show email addresses only to administrators and to whom they belong.", reloadable=True
    )
    log_level: str = setting("info", "How much the server's log says.", choices=("debug", "info", "warning", "error"))
    log_format: str = setting("text", "How log lines look.", choices=("text", "json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    listen: str = setting(":3939", "Address and port to listen on; an empty host is every address.")
    max_header_size: int = setting(65_536, "Longest request head accepted.", unit="bytes")
    header_timeout: dt.timedelta = setting(
        dt.timedelta(seconds=30), "How long a client may take to send a request head."
    )
    keep_alive_timeout: dt.timedelta = setting(dt.timedelta(seconds=75), "How long an idle client connection is kept.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    provider: str = setting("sqlite", "Where the server's own records live.", choices=("sqlite", "postgres"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    url: str = setting("", "Address of the PostgreSQL database, postgres://user@host:port/name.", name="URL")
    password: str = setting("", "Password for it, kept out of the address.", secret=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    provider: str = setting("password", "Where accounts come from.", choices=("password",))
    lifetime: dt.timedelta = setting(dt.timedelta(days=30), "How long a browser stays signed in.")
    inactivity: dt.timedelta = setting(dt.timedelta(days=1), "How long an unused browser session lives.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    viewers_can_only_see_themselves: bool = setting(
        False,
        "Viewers are shown no other people, and only groups they are in. Whose content they see is still said.",
        reloadable=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    enabled: bool = setting(False, "Let a client that knows the secret key make the first administrator.")
    secret_key: str = setting("", "The shared secret, base64 of at least 32 random bytes.", secret=True)
    secret_key_file: Path | None = setting(None, "File that holds the secret key.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    enabled: bool = setting(False, "Serve content that uses Python.", reloadable=True)
    executable: tuple[Path, ...] = setting(
        [],
        "Absolute path of one Python interpreter; repeat the line for each. A symbolic link is allowed.",
        reloadable=True,
    )
    version_matching: str = setting(
        "major-minor",
        "How the interpreter for new content is chosen.",
        choices=("major-minor", "exact", "nearest"),
        reloadable=True,
    )
    minimum_version: str = setting("3.8.0", "Oldest Python that may be configured.", reloadable=True)
    deprecated: tuple[str, ...] = setting(
        [],
        "Version or range (3.9, <3.10) that runs what it has but is chosen for new content only when nothing else "
        "fits; with a day it begins by itself (3.9 from 2027-01-31).",
        reloadable=True,
    )
    retired: tuple[str, ...] = setting(
        [],
        "Version or range that is not used any more; with a day it begins by itself (<3.10 from 2027-01-31).",
        reloadable=True,
    )
    end_of_life_url: str = setting(
        "",
        "Address of a public list of release cycles, to refresh the end-of-life dates the audit shows. "
        "Empty: the shipped dates are used and nothing is fetched.",
        name="EndOfLifeURL",
        reloadable=True,
    )
    probe_timeout: dt.timedelta = setting(
        dt.timedelta(seconds=10), "How long an interpreter may take to describe itself."
    )
    environment_management: bool = setting(
        True, "Install packages for content; off means interpreters are used as they stand."
    )
    package_installer: str = setting(
        "uv", "What installs packages when the bundle does not say.", choices=("uv", "pip")
    )
    index_url: str = setting(
        "", "Package index to install from. Empty: what pip on this machine is configured to use.", name="IndexURL"
    )
    extra_index_url: tuple[str, ...] = setting(
        [], "Further package index; repeat the line for each.", name="ExtraIndexURL"
    )
    build_timeout: dt.timedelta = setting(dt.timedelta(minutes=30), "How long one environment may take to install.")
    build_concurrency: int = setting(2, "How many environments may be installed at the same time.")
    keep_unpacked: bool = setting(
        True, "Keep packages unpacked and compiled: environments of nothing but such packages need no installer."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class R:
    enabled: bool = setting(False, "Serve content that uses R.", reloadable=True)
    executable: tuple[Path, ...] = setting(
        [],
        "Absolute path of one R (its bin/R); repeat the line for each. None: what is found in /opt/R and on the path.",
        reloadable=True,
    )
    executable_scanning: bool = setting(
        True, "Look for R in /opt/R and on the path when no Executable is given.", reloadable=True
    )
    version_matching: str = setting(
        "nearest",
        "How the R for new content is chosen.",
        choices=("nearest", "major-minor", "exact"),
        reloadable=True,
    )
    probe_timeout: dt.timedelta = setting(
        dt.timedelta(seconds=30), "How long an R may take to describe itself and list its packages."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarto:
    enabled: bool = setting(False, "Render content that uses Quarto.", reloadable=True)
    executable: tuple[Path, ...] = setting(
        [], "Absolute path of one quarto program; repeat the line for each.", reloadable=True
    )
    probe_timeout: dt.timedelta = setting(dt.timedelta(seconds=30), "How long a Quarto may take to say its version.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applications:
    run_as: str = setting(
        "", "Account that content runs as when the server is root. Empty: rostra if it exists, else nobody."
    )
    sandbox: str = setting(
        "auto",
        "Use bubblewrap: when it is there, always (refuse to start without), or never.",
        choices=("auto", "required", "off"),
    )
    manifest_environment_management_selection: bool = setting(
        True, "Let a bundle's manifest switch package installation off."
    )
    default_environment_management_selection: bool = setting(
        True, "Let a content item carry its own default for package installation."
    )
    bundle_retention_limit: int = setting(
        0, "How many bundles of an item are kept; 0 keeps all. The live one always stays."
    )
    max_bundle_size: int = setting(2_000_000_000, "Largest upload accepted.", unit="bytes")
    max_unpacked_size: int = setting(8_000_000_000, "Largest total size a bundle may unpack to.", unit="bytes")
    max_bundle_files: int = setting(100_000, "Most files and folders a bundle may hold.")
    job_log_size: int = setting(10_000_000, "How much of a process's output is kept.", unit="bytes")
    default_api_key_env: bool = setting(
        True, "Give content CONNECT_API_KEY, a short-lived key of its owner.", name="DefaultAPIKeyEnv"
    )
    metrics_collection_enabled: bool = setting(
        True,
        "Record every half minute what each process takes of CPU and memory, for two days. An item may say otherwise.",
        reloadable=True,
    )
    render_timeout: dt.timedelta = setting(dt.timedelta(hours=1), "How long rendering one document may take.")
    build_patience: dt.timedelta = setting(
        dt.timedelta(seconds=30),
        "How long a program that visits content waits while its packages are installed again, before it is told to "
        "come back (503 with Retry-After). People see a waiting page at once.",
        reloadable=True,
    )
    python_environment_reaping: bool = setting(
        True, "Remove environments that nothing needs any more.", reloadable=True
    )
    python_environment_reaping_age: dt.timedelta = setting(
        dt.timedelta(days=30), "How long such an environment must have been unused; at least 2h.", reloadable=True
    )
    warm_rendering: bool = setting(
        True,
        "Fork the programs that make pages of notebooks from one that has loaded its libraries. Off: start each anew.",
        reloadable=True,
    )
    viewer_on_demand_reports: bool = setting(
        True,
        "Let viewers render a document with values of their own. What they get is theirs alone.",
        reloadable=True,
    )
    ad_hoc_report_age: dt.timedelta = setting(
        dt.timedelta(days=1),
        "How long what somebody rendered with values of their own is kept, unless they keep it as a variant.",
        reloadable=True,
    )
    warm_kernel_memory: int = setting(
        512_000_000,
        "What the kernels may take together that wait, with their packages loaded, for notebooks to be rendered again. "
        "0: none waits.",
        unit="bytes",
        reloadable=True,
    )
    warm_kernel_idle: dt.timedelta = setting(
        dt.timedelta(minutes=15), "How long such a kernel waits before it ends.", reloadable=True
    )
    schedule_concurrency: int = setting(2, "How many scheduled documents are rendered at the same time.")
    rendering_sweep_enabled: bool = setting(True, "Remove old renderings of documents. The one shown always stays.")
    rendering_sweep_limit: int = setting(30, "How many renderings of a document's variant are kept; 0 keeps all.")
    rendering_sweep_age: dt.timedelta = setting(
        dt.timedelta(days=30), "How long a rendering is kept after a later one took its place; 0 is for ever."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    min_processes: int = setting(0, "Processes kept running for each interactive item.")
    max_processes: int = setting(3, "Most processes for one item.")
    min_processes_limit: int = setting(0, "Highest MinProcesses an item may ask for.")
    max_processes_limit: int = setting(20, "Highest MaxProcesses an item may ask for.")
    max_conns_per_process: int = setting(20, "Connections one process may hold.")
    load_factor: float = setting(
        0.5, "Share of its connections above which another process is started (0 early, 1 late)."
    )
    init_timeout: dt.timedelta = setting(
        dt.timedelta(seconds=60), "How long a new process may take to accept a connection."
    )
    idle_timeout: dt.timedelta = setting(dt.timedelta(seconds=120), "How long a process without connections is kept.")
    connection_timeout: dt.timedelta = setting(
        dt.timedelta(hours=1), "How long a connection may stay silent; 0 is for ever."
    )
    read_timeout: dt.timedelta = setting(dt.timedelta(hours=1), "How long a client may send nothing; 0 is for ever.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Smtp:
    host: str = setting("", "The mail server.")
    port: int = setting(587, "Its port: mostly 587, or 465 with SSL.")
    ssl: bool = setting(False, "Begin with TLS at once.", name="SSL")
    start_tls: str = setting(
        "always",
        "Change to TLS after connecting: refuse to send without, when the server offers it, or never.",
        name="StartTLS",
        choices=("always", "detect", "never"),
    )
    ca_file: Path | None = setting(
        None, "File with the certificates to trust. Empty: those this machine trusts.", name="CAFile"
    )
    user: str = setting("", "Account at the mail server. Empty: none is needed.")
    password: str = setting("", "Its password.", secret=True)
    timeout: dt.timedelta = setting(dt.timedelta(seconds=30), "How long the mail server may take to answer.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    enabled: bool = setting(True, "Publish from Git repositories, when there is a git to do it with.", reloadable=True)
    executable: Path | None = setting(None, "The git program. Empty: the one on the path.")
    polling_interval: dt.timedelta = setting(
        dt.timedelta(minutes=15), "How often repositories are looked at for new commits; at least 1s.", reloadable=True
    )
    timeout: dt.timedelta = setting(dt.timedelta(minutes=5), "How long one git command may take.", reloadable=True)
    max_repository_size: int = setting(
        2_000_000_000, "Most that one commit of a repository may take, as packed or as files.", unit="bytes"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCredential:
    """The account private repositories of one host are read with; a section for each host."""

    host: str = setting(
        "", "Host the account is good for, with its port when that is not the usual one.", reloadable=True
    )
    username: str = setting("", "Name of the account.", reloadable=True)
    password: str = setting("", "Its password or access token.", secret=True, reloadable=True)
    protocol: str = setting(
        "https",
        "Protocol the account is sent over; with http everybody on the way can read it.",
        choices=("https", "http"),
        reloadable=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All sections, in the order of the reference page. Section names on file are the class names, case ignored.

    A field that is a mapping holds the sections of one name by their labels: ``[GitCredential "forge"]``.
    """

    server: Server = field(default_factory=Server)
    http: Http = field(default_factory=Http)
    database: Database = field(default_factory=Database)
    postgres: Postgres = field(default_factory=Postgres)
    authentication: Authentication = field(default_factory=Authentication)
    authorization: Authorization = field(default_factory=Authorization)
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    python: Python = field(default_factory=Python)
    r: R = field(default_factory=R)
    quarto: Quarto = field(default_factory=Quarto)
    applications: Applications = field(default_factory=Applications)
    scheduler: Scheduler = field(default_factory=Scheduler)
    smtp: Smtp = field(default_factory=Smtp)
    git: Git = field(default_factory=Git)
    git_credentials: Mapping[str, GitCredential] = field(default_factory=dict)
