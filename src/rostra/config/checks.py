"""Rules beyond one value's type: ranges, and settings that must agree.

Pure, except that a bootstrap key file is read.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from packaging.version import Version

from rostra.config import sections
from rostra.config.values import dated_range

_LONGEST_TIMEOUT = dt.timedelta(seconds=2_592_000)
_BOOTSTRAP_KEY_BYTES = 32

Complaint = tuple[str, str]  # ("Section.Name", what is wrong)


def complaints(settings: sections.Settings) -> Iterator[Complaint]:
    """Yield every rule that ``settings`` breaks, in the order of the reference page."""
    yield from _server(settings)
    yield from _database(settings)
    yield from _bootstrap(settings.bootstrap)
    yield from _python(settings.python)
    yield from _applications(settings.applications)
    yield from _scheduler(settings.scheduler)
    yield from _mail(settings)
    yield from _git(settings)


def listen_address(text: str) -> tuple[str, int]:
    """Read ``:3939``, ``127.0.0.1:3939``, ``[::1]:3939``; an empty host is every address.

    Raises:
        ValueError: with a sentence that says what is expected.
    """
    host, colon, port = text.strip().rpartition(":")
    if not colon or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65535:
        raise ValueError(f"{text!r} is not an address and port; write for example :3939 or 127.0.0.1:3939")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], int(port)
    if ":" in host:
        raise ValueError(f"{text!r}: put an IPv6 address in brackets, for example [::1]:3939")
    return host, int(port)


def bootstrap_key(bootstrap: sections.Bootstrap) -> bytes:
    """Return the decoded shared secret, at least 32 bytes.

    Raises:
        ValueError: with a sentence that says what is missing and never repeats the key.
    """
    text = bootstrap.secret_key
    if not text and bootstrap.secret_key_file is not None:
        try:
            text = bootstrap.secret_key_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as why:
            raise ValueError(f"cannot read {bootstrap.secret_key_file}: {why}") from None
    if not text.strip():
        raise ValueError("bootstrapping needs SecretKey or SecretKeyFile")
    try:
        key = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the key is not base64") from None
    if len(key) < _BOOTSTRAP_KEY_BYTES:
        raise ValueError(f"the key has {len(key)} bytes; at least {_BOOTSTRAP_KEY_BYTES} are needed")
    return key


def _server(settings: sections.Settings) -> Iterator[Complaint]:
    address = settings.server.address
    if address and not _is_web_address(address):
        yield "Server.Address", f"{address!r} is not a URL; write for example https://rostra.example.org"
    dashboard = settings.server.dashboard_path
    if not re.fullmatch(r"/[\w.~-][\w.~/-]*", dashboard):
        yield "Server.DashboardPath", f"{dashboard!r} is not a path below /; write for example /connect"
    elif dashboard.strip("/").split("/")[0] in {"content", "__api__", "__login__", "__logout__", "__ping__"}:
        yield "Server.DashboardPath", f"{dashboard!r} is a path the server itself uses"
    try:
        listen_address(settings.http.listen)
    except ValueError as why:
        yield "HTTP.Listen", str(why)
    yield from _positive("HTTP", "HeaderTimeout", settings.http.header_timeout)
    if settings.http.max_header_size < 1024:
        yield "HTTP.MaxHeaderSize", "must be at least 1 KiB"


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment)


def _database(settings: sections.Settings) -> Iterator[Complaint]:
    url = settings.postgres.url
    if settings.database.provider == "postgres" and not url:
        yield "Database.Provider", "postgres needs [Postgres] URL"
    if url and not re.match(r"postgres(ql)?(\+\w+)?://", url):
        yield "Postgres.URL", "must begin with postgres://"
    yield from _positive("Authentication", "Lifetime", settings.authentication.lifetime)
    yield from _positive("Authentication", "Inactivity", settings.authentication.inactivity)


def _bootstrap(bootstrap: sections.Bootstrap) -> Iterator[Complaint]:
    if not bootstrap.enabled:
        return
    try:
        bootstrap_key(bootstrap)
    except ValueError as why:
        name = "SecretKey" if bootstrap.secret_key else "SecretKeyFile" if bootstrap.secret_key_file else "Enabled"
        yield f"Bootstrap.{name}", str(why)


def _python(python: sections.Python) -> Iterator[Complaint]:
    try:
        Version(python.minimum_version)
    except ValueError:
        yield "Python.MinimumVersion", f"{python.minimum_version!r} is not a version; write for example 3.8.0"
    for name, texts in (("Deprecated", python.deprecated), ("Retired", python.retired)):
        for text in texts:
            try:
                dated_range(text)
            except ValueError as why:
                yield f"Python.{name}", str(why)
    yield from _positive("Python", "ProbeTimeout", python.probe_timeout)
    yield from _positive("Python", "BuildTimeout", python.build_timeout)
    yield from _at_least("Python", "BuildConcurrency", python.build_concurrency, 1)


def _applications(applications: sections.Applications) -> Iterator[Complaint]:
    yield from _at_least("Applications", "BundleRetentionLimit", applications.bundle_retention_limit, 0)
    yield from _at_least("Applications", "MaxBundleFiles", applications.max_bundle_files, 1)
    yield from _at_least("Applications", "MaxBundleSize", applications.max_bundle_size, 1)
    yield from _at_least("Applications", "MaxUnpackedSize", applications.max_unpacked_size, 1)
    yield from _positive("Applications", "RenderTimeout", applications.render_timeout)
    if applications.python_environment_reaping_age < dt.timedelta(hours=2):
        yield "Applications.PythonEnvironmentReapingAge", "must be at least 2h"
    yield from _at_least("Applications", "ScheduleConcurrency", applications.schedule_concurrency, 1)
    yield from _at_least("Applications", "RenderingSweepLimit", applications.rendering_sweep_limit, 0)


def _mail(settings: sections.Settings) -> Iterator[Complaint]:
    server, smtp = settings.server, settings.smtp
    if server.email_provider != "none" and not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", server.sender_email):
        yield "Server.SenderEmail", "mail needs an address it is sent from; write for example reports@example.org"
    if server.email_provider == "smtp" and not smtp.host:
        yield "SMTP.Host", "Server.EmailProvider is smtp, which needs a mail server"
    if not 0 < smtp.port < 65536:
        yield "SMTP.Port", f"{smtp.port} is not a port"
    if smtp.user and smtp.start_tls == "never" and not smtp.ssl and smtp.host not in ("localhost", "127.0.0.1", "::1"):
        yield "SMTP.User", "the password would be sent for everybody to read; switch SSL or StartTLS on"
    yield from _positive("SMTP", "Timeout", smtp.timeout)


def _git(settings: sections.Settings) -> Iterator[Complaint]:
    git = settings.git
    if git.enabled and git.executable is not None and not os.access(git.executable, os.X_OK):
        yield "Git.Executable", f"{git.executable} is no program"
    if git.polling_interval < dt.timedelta(seconds=1):
        yield "Git.PollingInterval", "must be at least 1s"
    yield from _positive("Git", "Timeout", git.timeout)
    yield from _at_least("Git", "MaxRepositorySize", git.max_repository_size, 1_000_000)
    seen: set[tuple[str, str]] = set()
    for label, each in settings.git_credentials.items():
        section = f'GitCredential "{label}"' if label else "GitCredential"
        if not re.fullmatch(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?", each.host):
            yield f"{section}.Host", f"{each.host!r} is not a host; write for example git.example.org"
        if not each.username or not each.password:
            yield f"{section}.{'Password' if each.username else 'Username'}", "is missing"
        for name, text in (("Username", each.username), ("Password", each.password)):
            if not text.isprintable():
                yield f"{section}.{name}", "holds something that cannot be sent"
        if (each.protocol, each.host.lower()) in seen:
            yield f"{section}.Host", f"there are two accounts for {each.host}"
        seen.add((each.protocol, each.host.lower()))


def _scheduler(scheduler: sections.Scheduler) -> Iterator[Complaint]:
    yield from _at_least("Scheduler", "MinProcesses", scheduler.min_processes, 0)
    yield from _at_least("Scheduler", "MaxProcesses", scheduler.max_processes, 1)
    yield from _at_least("Scheduler", "MaxConnsPerProcess", scheduler.max_conns_per_process, 1)
    if scheduler.min_processes > scheduler.max_processes:
        yield (
            "Scheduler.MinProcesses",
            f"{scheduler.min_processes} is more than MaxProcesses ({scheduler.max_processes})",
        )
    if scheduler.min_processes > scheduler.min_processes_limit and scheduler.min_processes_limit > 0:
        yield "Scheduler.MinProcesses", f"is more than MinProcessesLimit ({scheduler.min_processes_limit})"
    if scheduler.max_processes > scheduler.max_processes_limit:
        yield "Scheduler.MaxProcesses", f"is more than MaxProcessesLimit ({scheduler.max_processes_limit})"
    if not 0 <= scheduler.load_factor <= 1:
        yield "Scheduler.LoadFactor", f"{scheduler.load_factor:g} is not between 0 and 1"
    yield from _positive("Scheduler", "InitTimeout", scheduler.init_timeout)
    for name, value in (
        ("InitTimeout", scheduler.init_timeout),
        ("IdleTimeout", scheduler.idle_timeout),
        ("ConnectionTimeout", scheduler.connection_timeout),
        ("ReadTimeout", scheduler.read_timeout),
    ):
        if value > _LONGEST_TIMEOUT:
            yield f"Scheduler.{name}", "is longer than 30d"


def _positive(section: str, name: str, value: dt.timedelta) -> Iterator[Complaint]:
    if value <= dt.timedelta(0):
        yield f"{section}.{name}", "must be longer than 0s"


def _at_least(section: str, name: str, value: int, least: int) -> Iterator[Complaint]:
    if value < least:
        yield f"{section}.{name}", f"{value} is less than {least}"
