"""Where packages come from: the server's settings, else what pip on this machine is configured to use.

A bundle's own pip configuration is never read; options inside its requirements file are (they are merged last, as pip
does). Promises that no credential of an address reaches a log line or a key.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rostra.environments.requirement_options import Options

_CREDENTIALS = re.compile(r"(\b[a-z][a-z0-9+.]*://)(?!git@)[^/\s@'\"`<>]+@", re.IGNORECASE)
_TRUE = frozenset(("1", "true", "yes", "on", "y", "t"))
_SECTIONS = ("global", "install")  # the later wins
_NETWORK = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
            "SSL_CERT_FILE", "SSL_CERT_DIR")  # fmt: skip


def mask(text: str) -> str:
    """Return ``text`` with user names and passwords inside addresses replaced."""
    return _CREDENTIALS.sub(r"\1****@", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """Where packages are looked for. Addresses may carry credentials; ``normal`` does not.

    ``index_url`` None is the installer's own default. ``network`` holds variables that say how to reach the network.
    """

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()
    cert: str | None = None
    timeout_seconds: int | None = None
    pre: bool = False
    network: tuple[tuple[str, str], ...] = ()

    @property
    def normal(self) -> dict[str, object]:
        """What takes part in an environment's key: a new password or proxy is no reason to install again."""
        return {
            "index": mask(self.index_url or ""),
            "extra": [mask(url) for url in self.extra_index_urls],
            "links": [mask(link) for link in self.find_links],
            "no_index": self.no_index,
            "pre": self.pre,
        }

    @property
    def folders(self) -> tuple[Path, ...]:
        """Local folders and files an installer must be able to read."""
        places = [*self.find_links, self.cert or ""]
        places += [value for name, value in self.network if name.startswith("SSL_")]
        indexes = map(_whole_index, filter(None, map(_local, [self.index_url or "", *self.extra_index_urls])))
        return tuple(dict.fromkeys([*indexes, *filter(None, map(_local, places))]))

    def uv_environment(self) -> dict[str, str]:
        """Return the same for uv. Several indexes are equals, as for pip: a version may come from any of them.

        ``no_index`` has no variable; the commands say it.
        """
        found = dict(self.network)
        if self.index_url:
            found["UV_DEFAULT_INDEX"] = self.index_url
        if self.extra_index_urls:
            found["UV_INDEX"] = " ".join(self.extra_index_urls)
            found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
        if self.find_links:
            found["UV_FIND_LINKS"] = ",".join(self.find_links)
        if self.cert:
            found["SSL_CERT_FILE"] = self.cert
        if self.trusted_hosts:
            found["UV_INSECURE_HOST"] = " ".join(self.trusted_hosts)
        if self.timeout_seconds:
            found["UV_HTTP_TIMEOUT"] = str(self.timeout_seconds)
        return found

    def pip_environment(self) -> dict[str, str]:
        """Return the same for pip, with every configuration file switched off."""
        values = {
            "PIP_INDEX_URL": self.index_url or "",
            "PIP_EXTRA_INDEX_URL": " ".join(self.extra_index_urls),
            "PIP_FIND_LINKS": " ".join(self.find_links),
            "PIP_NO_INDEX": "1" if self.no_index else "",
            "PIP_CERT": self.cert or "",
            "PIP_TRUSTED_HOST": " ".join(self.trusted_hosts),
            "PIP_DEFAULT_TIMEOUT": str(self.timeout_seconds or ""),
        }
        return dict(self.network) | {k: v for k, v in values.items() if v} | {"PIP_CONFIG_FILE": os.devnull}

    def with_options(self, options: Options) -> IndexSettings:
        """Return these settings with those of a requirements file on top, merged as pip merges them."""
        index = options.index_url or self.index_url
        if options.no_index:
            return replace(
                self, index_url=None, extra_index_urls=(), no_index=True, pre=options.pre or self.pre,
                find_links=_joined(self.find_links, options.find_links),
            )  # fmt: skip
        return replace(
            self,
            index_url=index,
            no_index=self.no_index and not options.index_url,
            extra_index_urls=_joined(self.extra_index_urls, options.extra_index_urls),
            find_links=_joined(self.find_links, options.find_links),
            pre=options.pre or self.pre,
        )


def configured(index_url: str, extra_index_urls: Sequence[str], machine: IndexSettings) -> IndexSettings:
    """Return the server's settings over ``machine``'s: an index set on the server replaces all of pip's places."""
    extras = tuple(url for url in extra_index_urls if url)
    if index_url:
        return replace(machine, index_url=index_url, extra_index_urls=extras, find_links=(), no_index=False)
    return replace(machine, extra_index_urls=extras) if extras else machine


def of_machine(environ: Mapping[str, str], *, home: Path, etc: Path = Path("/etc")) -> IndexSettings:
    """Return what pip's files and variables say on this machine, in pip's order: later files win, variables win all."""
    values: dict[str, str] = {}
    for path in _files(environ, home, etc):
        values |= _read(path)
    prefix = "PIP_"
    values |= {k[len(prefix) :].lower().replace("_", "-"): v for k, v in environ.items() if k.startswith(prefix) and v}
    timeout = values.get("default-timeout") or values.get("timeout") or ""
    return IndexSettings(
        index_url=values.get("index-url") or None,
        extra_index_urls=tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        no_index=values.get("no-index", "").lower() in _TRUE,
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        cert=values.get("cert") or None,
        timeout_seconds=int(timeout) if timeout.isdigit() and int(timeout) > 0 else None,
        pre=values.get("pre", "").lower() in _TRUE,
        network=tuple(sorted((name, environ[name]) for name in _NETWORK if environ.get(name))),
    )


def _files(environ: Mapping[str, str], home: Path, etc: Path) -> list[Path]:
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    shared = [Path(part) for part in environ.get("XDG_CONFIG_DIRS", str(etc / "xdg")).split(":") if part]
    personal = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [*(folder / "pip" / "pip.conf" for folder in reversed(shared)), etc / "pip.conf"]
    files += [home / ".pip" / "pip.conf", personal / "pip" / "pip.conf"]
    return [*files, *([Path(named)] if named else [])]


def _read(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, configparser.Error):  # pip itself complains about a broken file; content need not wait for that
        return {}
    sections = [parser[name] for name in _SECTIONS if parser.has_section(name)]
    return {key.replace("_", "-"): value.strip() for section in sections for key, value in section.items()}


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _whole_index(path: Path) -> Path:
    # Mirrors keep the pages in "simple" and the files they link to in a folder beside it.
    return path.parent if path.name == "simple" and len(path.parts) > 2 else path


def _local(place: str) -> Path | None:
    if place.startswith("/"):
        return Path(place)
    if place.lower().startswith("file:"):
        return Path(unquote(urlsplit(place).path))
    return None
