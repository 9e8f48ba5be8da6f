"""The git commands content is fetched with, and what their output means. Pure: no disk, no subprocess.

Everything that could make git run a program, ask a person, read somebody's settings or speak another protocol is
switched off by variables, which outrank every file. The account for a host is handed to git by a helper that git asks
for that protocol and host alone, so a redirect to another host gets nothing. It is on no command line and in no file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from rostra.config.sections import GitCredential
from rostra.content.git_location import Location
from rostra.errors import Problem, Unavailable

_REF = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\trefs/(heads|tags)/(\S+)", re.ASCII)
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
OLDEST = (2, 31)
_SHOWN = 3  # lines of git's own that an error repeats
_USERNAME, _PASSWORD = "ROSTRA_GIT_USERNAME", "ROSTRA_GIT_PASSWORD"
_HELPER = f'!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" "${_USERNAME}" "${_PASSWORD}"; }}; f'

_SETTINGS = (
    ("protocol.allow", "never"),
    ("protocol.http.allow", "always"),
    ("protocol.https.allow", "always"),
    ("http.followRedirects", "initial"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "60"),
    ("credential.helper", ""),
    ("credential.useHttpPath", "false"),
    ("core.askPass", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.unpackLimit", "1"),  # always one pack: a file whose size can be bounded
    ("transfer.credentialsInUrl", "die"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("advice.fetchShowForcedUpdates", "false"),
)


class RepositoryUnavailable(Unavailable):
    """Something of the repository could not be read. The message is git's own words where there are no better ones."""

    code = "git-unavailable"


def environment(credential: GitCredential | None, surroundings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of every git command. ``surroundings`` say how this machine reaches the network."""
    settings = list(_SETTINGS)
    secrets: dict[str, str] = {}
    if credential is not None:
        settings.append((f"credential.{credential.protocol}://{credential.host}.helper", _HELPER))
        secrets = {_USERNAME: credential.username, _PASSWORD: credential.password}
    numbered = {
        name: text
        for number, (key, value) in enumerate(settings)
        for name, text in ((f"GIT_CONFIG_KEY_{number}", key), (f"GIT_CONFIG_VALUE_{number}", value))
    }
    return {
        **surroundings,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        "SSH_ASKPASS": "false",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "http:https",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_FLUSH": "1",
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_CONFIG_COUNT": str(len(settings)),
        **numbered,
        **secrets,
    }


def account(url: str, credentials: Sequence[GitCredential]) -> GitCredential | None:
    """Return the account of the address's host, and of its protocol: one for https goes over nothing else."""
    parts = urlsplit(url)
    usual = {"https": 443, "http": 80}[parts.scheme]
    for each in credentials:
        host = urlsplit(f"{each.protocol}://{each.host}")
        same = host.hostname == parts.hostname and (host.port or usual) == (parts.port or usual)
        if each.protocol == parts.scheme and same:
            return each
    return None


def bounded(argv: Sequence[str], most_bytes: int) -> tuple[str, ...]:
    """Return the command with a limit on the size of each file it writes."""
    return ("prlimit", f"--fsize={most_bytes}", "--core=0", "--", *argv)


def list_refs(git: str, url: str) -> tuple[str, ...]:
    return (git, "ls-remote", "--quiet", "--heads", "--tags", "--refs", "--", url)


def make(git: str, repository: str) -> tuple[str, ...]:
    return (git, "init", "--quiet", "--bare", "--template=", "--", repository)


def fetch(git: str, url: str, full_ref: str) -> tuple[str, ...]:
    """``full_ref`` is a ref's whole name or a commit."""
    return (
        git,
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        "--no-write-fetch-head",
        "--",
        url,
        f"+{full_ref}:{KEPT}",
    )


KEPT = "refs/kept/wanted"  # no branch: a tag may be what was asked for


def resolve(git: str, place: Location) -> tuple[str, ...]:
    """Prints the commit, then the tree of the directory."""
    tree = f"{KEPT}:{place.folder}"
    return (git, "rev-parse", f"{KEPT}^{{commit}}", tree)


def archive(git: str, tree: str, output: str) -> tuple[str, ...]:
    return (git, "archive", "--format=tar", f"--output={output}", tree)


def list_files(git: str) -> tuple[str, ...]:
    return (git, "-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", "--full-tree", KEPT)


def is_new_enough(said: str) -> bool:
    """Return whether ``git --version`` names a git that takes settings from variables; an older one ignores them."""
    found = re.match(r"git version (\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST


def refs(lines: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return (commit, heads or tags, name) of every ref that `list_refs` printed."""
    found = (_REF.fullmatch(line) for line in lines)
    return [(each[1], each[2], each[3]) for each in found if each]


def objects(lines: Sequence[str]) -> list[str]:
    """Return the names of objects that `resolve` printed."""
    return [line for line in lines if _OBJECT.fullmatch(line)]


def without_secrets(text: str, credential: GitCredential | None) -> str:
    """Return a line of git's with the password taken out, should it ever repeat it."""
    return text.replace(credential.password, "***") if credential and credential.password else text


_MEANINGS = (
    (
        r"could not read (Username|Password)|terminal prompts disabled|unable to get password",
        "asks for an account",
        "If it is private, ask an administrator for a [GitCredential] section of its host; else check the address.",
    ),
    (
        r"Authentication failed|HTTP Basic: Access denied|returned error: 40[13]",
        "refused this server's account",
        "Ask an administrator to look at the [GitCredential] section of its host.",
    ),
    (r"repository .* not found|returned error: 404", "is not there", "Check the address, and whether it is private."),
    (
        r"Could not resolve host|Failed to connect|Couldn't connect|Connection (refused|timed out|reset)"
        r"|Operation too slow|Empty reply|returned error: 5\d\d|SSL|certificate|early EOF|RPC failed",
        "cannot be reached",
        "Try again later; if it stays like this, ask an administrator whether this server can reach that host.",
    ),
    (
        r"not our ref|couldn't find remote ref|unadvertised object|no such remote ref",
        "has no such branch, tag or commit",
        "List its branches, and choose one of them.",
    ),
    (r"dumb http transport", "is on a server without the usual Git protocol", "Use a server that speaks it."),
    (r"transport '.*' not allowed", "leads to another protocol than https or http", "Use its https address."),
    (
        r"File too large|file size limit|died of signal 25|invalid index-pack output",
        "is too large for this server, or ended early",
        "Try again; an administrator can allow more with MaxRepositorySize in the section [Git].",
    ),
)


def explain(lines: Sequence[str], status: int, *, what: str = "the repository") -> Problem:
    """Return why a command failed, from its last words."""
    text = "\n".join(lines[-50:])
    if status == -25:  # SIGXFSZ, from `bounded`
        text += "\nfile size limit"
    own = [
        line for line in lines if not line.startswith(("remote:", "warning:", "hint:", "error: unable to read askpass"))
    ][-_SHOWN:]
    said = f": {' '.join(own)[:500]}" if own else ""
    for pattern, meaning, hint in _MEANINGS:
        if re.search(pattern, text):
            return RepositoryUnavailable(f"{what} {meaning}{said}", hint=hint)
    return RepositoryUnavailable(
        f"{what} cannot be read{said or f' (git ended with {status})'}", hint="Try again later."
    )
