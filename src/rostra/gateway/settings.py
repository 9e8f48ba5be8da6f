"""What the gateway is told when it starts, as one JSON object."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rostra.errors import Invalid

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BadSettings(Invalid):
    code = "gateway-settings"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the gateway cannot use its settings: {what}", hint="They are one JSON object; see gateway/settings.py."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times are seconds (0 is for ever), sizes are bytes.

    Args:
        address: public URL of the server, or empty: taken from each request.
        path_prefix: ``/rsc`` when ``address`` has a path; requests come with it or without.
        trusted_proxies: networks whose X-Forwarded-* and X-RSC-Request are believed; nobody by default.
        drain_timeout: how long requests may go on after SIGTERM.
    """

    address: str = ""
    path_prefix: str = ""
    max_header_size: int = 65_536
    header_timeout: float = 30.0
    keep_alive_timeout: float = 75.0
    read_timeout: float = 3600.0
    connection_timeout: float = 3600.0
    drain_timeout: float = 10.0
    trusted_proxies: tuple[str, ...] = ()

    @property
    def origin(self) -> bytes:
        """``https://host:port`` of the address; empty when there is none."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}".encode("ascii") if parts.netloc else b""

    @property
    def prefix(self) -> bytes:
        return self.path_prefix.rstrip("/").encode("ascii")

    def networks(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text, strict=False) for text in self.trusted_proxies)


def read_settings(text: str) -> Settings:
    """Return the settings in ``text``; what is not named keeps its default.

    Raises:
        BadSettings: not an object, an unknown name, a value of the wrong type, or an address that is no URL.
    """
    try:
        given = json.loads(text or "{}")
    except ValueError as why:
        raise BadSettings(f"not JSON ({why})") from why
    if not isinstance(given, dict):
        raise BadSettings("not an object")
    known = {field.name: field.default for field in dataclasses.fields(Settings)}
    for name, value in given.items():
        if name not in known:
            raise BadSettings(f"no setting is called {name!r}")
        given[name] = _as_type_of(name, known[name], value)
    return _checked(Settings(**given))


def _as_type_of(name: str, default: Any, value: Any) -> Any:
    if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if isinstance(default, str) and isinstance(value, str):
        return value
    if isinstance(default, int | float) and isinstance(value, int | float) and not isinstance(value, bool):
        return type(default)(value)
    raise BadSettings(f"{name} is {value!r}, which is not a {type(default).__name__}")


def _checked(settings: Settings) -> Settings:
    try:
        settings.networks()
        settings.origin, settings.prefix  # noqa: B018  # both must be plain ASCII
    except ValueError as why:
        raise BadSettings(str(why)) from why
    if settings.path_prefix and not settings.path_prefix.startswith("/"):
        raise BadSettings(f"path_prefix {settings.path_prefix!r} does not begin with a slash")
    if settings.address and not settings.origin.startswith((b"http://", b"https://")):
        raise BadSettings(f"address {settings.address!r} is not an http or https URL")
    return settings
