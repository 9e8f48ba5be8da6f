"""Where in a Git repository content comes from, and what such a place may look like. Pure.

Whatever stands here later becomes an argument of git: nothing that git could take for an option, for another protocol
or for a place on this machine gets through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from rostra.content.names import storable
from rostra.errors import Invalid

SCHEMES = ("https", "http")
DEFAULT_BRANCH = "main"
TOP = "."
LONGEST = 1024  # characters of an address, a branch or a directory
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
# git check-ref-format: https://git-scm.com/docs/git-check-ref-format
_NOT_IN_A_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


class BadRepository(Invalid):
    code = "git-repository"
    number = 146

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the repository's address {why}", hint="Send it as https://host/path, without a name or a query."
        )


class BadProtocol(Invalid):
    code = "git-protocol"
    number = 164

    def __init__(self) -> None:
        super().__init__("repositories are read over https or http only", hint="Send its https address.")


class BadBranch(Invalid):
    code = "git-branch"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:80]!r} cannot be the name of a branch", hint="Send a branch of the repository.")


class BadDirectory(Invalid):
    code = "git-directory"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path[:80]!r} cannot be a directory of a repository",
            hint='Send its path from the top, or "." for the top.',
        )


@dataclass(frozen=True, slots=True)
class Location:
    """One directory of one branch. Make it with `location`."""

    url: str
    branch: str
    directory: str

    @property
    def folder(self) -> str:
        """The directory as git wants it: empty for the top."""
        return "" if self.directory == TOP else self.directory


def location(url: str, branch: str = DEFAULT_BRANCH, directory: str = TOP) -> Location:
    """Return a place that git can be asked for.

    Raises:
        BadProtocol, BadRepository, BadBranch, BadDirectory
    """
    return Location(address(url), ref(branch), path(directory))


def address(url: str) -> str:
    """Return the address of a repository as it is kept.

    Raises:
        BadProtocol, BadRepository
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as why:
        raise BadRepository("cannot be read") from why
    if parts.scheme not in SCHEMES:
        raise BadProtocol
    if len(url) > LONGEST or not url.isprintable() or not url.isascii() or " " in url or "\\" in url:
        raise BadRepository("holds something that does not belong there")
    if "@" in parts.netloc:
        raise BadRepository("names an account")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise BadRepository("has a query or a fragment")
    if not _HOST.fullmatch(parts.netloc.removesuffix(f":{port}") if port is not None else parts.netloc):
        raise BadRepository("has no host")
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


def ref(name: str) -> str:
    """Return the name of a branch, a tag or a commit.

    Raises:
        BadBranch
    """
    name = name.strip().removeprefix("refs/heads/")
    parts = name.split("/")
    odd = _NOT_IN_A_REF.search(name) or not storable(name) or len(name) > LONGEST or name == "@"
    if not name or odd or any(_odd_part(part) for part in parts) or name.startswith("-"):
        raise BadBranch(name)
    return name


def _odd_part(part: str) -> bool:
    return not part or part.startswith(".") or part.endswith((".lock", "."))


def is_commit(name: str) -> bool:
    return _COMMIT.fullmatch(name) is not None


def path(directory: str) -> str:
    """Return a directory as it is kept: relative, without empty parts; ``.`` for the top.

    Raises:
        BadDirectory
    """
    parts = [part for part in directory.strip().split("/") if part not in ("", ".")]
    odd = not directory.isprintable() or not storable(directory) or len(directory) > LONGEST or "\\" in directory
    if odd or ".." in parts or any(part.lower() == ".git" for part in parts):
        raise BadDirectory(directory)
    return "/".join(parts) or TOP
