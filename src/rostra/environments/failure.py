"""Which requirement failed and why, from what the installer said. Pure.

Both installers write for people, so this reads their sentences; what is not recognised is still told, as it was said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rostra.environments.errors import InstallFailed

NOT_FOUND = "python-package-not-found"
NO_VERSION = "python-package-version-not-available"
BUILD = "python-package-build-failed"
HASH = "python-package-hash-mismatch"
CONFLICT = "python-package-conflict"
INDEX = "python-package-index-unreachable"
BAD = "python-requirements-invalid"
DISK = "python-environment-disk-full"
TIMEOUT = "python-environment-timeout"
GIT = "python-git-missing"
NO_PROJECT = "python-package-no-project"
DENIED = "python-package-index-denied"
OTHER = "python-environment-failed"

_LINES, _LENGTH = 40, 600  # a person reads these

_SAID: dict[str, tuple[str, str]] = {
    NOT_FOUND: (
        "{what} is not on the package index this server installs from",
        "Check the spelling. A package of your own can travel in the bundle as a wheel (./wheels/NAME.whl).",
    ),
    NO_VERSION: (
        "{what} cannot be used with Python {python}: {needs}",
        "Ask for a version that exists for this Python, or for another Python.",
    ),
    BUILD: (
        "{what} has no wheel for Python {python} and building it from source failed",
        "Ask for a version that has a wheel, or have the missing compiler, library or header installed on the server.",
    ),
    HASH: (
        "{what} does not fit the hashes in the requirements file",
        "Write the requirements file anew, hashes for every package included, or find out who changed the package.",
    ),
    CONFLICT: (
        "{what} contradict each other",
        "Loosen one of the versions that contradict each other.",
    ),
    INDEX: (
        "{what} could not be fetched: {how}",
        "Try again; if it stays so, tell an administrator.",
    ),
    DENIED: (
        "{what} could not be fetched: {how}",
        "The address wants a name and a password: an administrator puts them into the server's index settings.",
    ),
    GIT: (
        "{what} is a repository, and this server has no git",
        "Have git installed on the server, or put a wheel of the package into the bundle.",
    ),
    NO_PROJECT: (
        "{what} is no Python package: it has neither pyproject.toml nor setup.py",
        "Name something that can be installed, or remove the line.",
    ),
    BAD: (
        "{what} cannot be understood",
        "Write NAME==VERSION, one to a line.",
    ),
    DISK: (
        "the server has no room left to install {what}",
        "Tell an administrator.",
    ),
    TIMEOUT: (
        "installing did not end in the time allowed",
        "Try again, ask for fewer packages, or have Python.BuildTimeout raised.",
    ),
    OTHER: (
        "the installer failed: {how}",
        "The log has everything the installer said.",
    ),
}

_NOBODY = {CONFLICT: "the requirements", BAD: "the requirements file"}

# First match wins, looked for in all lines joined; the third must be found too. `what` is the requirement.
# What a build prints is hostile: no expression may take more than linear time.
_RULES: tuple[tuple[str, str, str], ...] = (
    (r"No space left on device|os error 28", DISK, ""),
    (r"Hash mismatch for `(?P<what>[^`\n]+)`", HASH, ""),
    (r"DO NOT MATCH THE HASHES[^\n]*\n\s+(?P<what>\S+) from ", HASH, ""),
    (r"In `?--require-hashes`? mode, all requirements must have[^\n]*found: (?P<what>[^\n]+)", HASH, ""),
    (r"In --require-hashes mode, all requirements must have[^\n]*\n\s+(?P<what>\S+) from ", HASH, ""),
    (r"Hashes are required in --require-hashes mode(?:[^\n]*\n\s+(?P<what>[^\s#]+) --hash)?", HASH, ""),
    (r"Failed to download and build `(?P<what>[^`\n]+)`", GIT, r"Git executable not found"),
    (r"Git executable not found|Cannot find command 'git'", GIT, ""),
    (r"Failed to download and build `(?P<what>[^`\n]+)`", INDEX, r"Git operation failed"),
    (r"git (?:clone|fetch|rev-parse|checkout)\b[^\n]* did not run successfully", INDEX, ""),
    (r"Failed to (?:build|download and build):? `(?P<what>[^`\n]+)`", BUILD, ""),
    (r"Failed building wheel for (?P<what>[\w.\-]+)", BUILD, ""),
    (r"subprocess-exited-with-error|metadata-generation-failed|legacy-install-failure", BUILD, ""),
    (r"The build backend returned an error|\bBackendUnavailable\b", BUILD, ""),
    (
        r"(?:`|Directory ')(?P<what>[^`'\n]+)['`] (?:does not appear to be a Python project|is not installable)",
        NO_PROJECT,
        "",
    ),
    (r"Couldn't parse requirement[^\n]*\n[^\n]*\n\s*(?P<what>[^\n]+)", BAD, ""),
    (r"Invalid requirement: ['\"](?P<what>[^'\"\n]+)", BAD, ""),
    (r"Failed to (?:download|fetch)[: `]+(?P<what>[^`\n]+)", DENIED, r"\b40[13] (?:Unauthorized|Forbidden)"),
    (r"No matching distribution found for (?P<what>[^\n]+)", DENIED, r"\b40[13] (?:Client )?Error"),
    (r"Could not install requirement (?P<what>[^\n]+?) from [^\n]* because of HTTP error 40[13]", DENIED, ""),
    (r"Could not install requirement (?P<what>[^\n]+?) from [^\n]* because of HTTP error", INDEX, ""),
    (r"'(?P<what>(?:https?|ssh)://[^'\n]+)'", INDEX, r"Git operation failed"),
    (r"Failed to download `(?P<what>[^`\n]+)`", INDEX, ""),
    (r"(?:Failed to fetch|error sending request for url)[:` (]+(?P<what>[^\s`)]+)", INDEX, ""),
    (r"No matching distribution found for (?P<what>[^\n]+)", INDEX, r"Retrying \(Retry|Could not fetch URL"),
    (r"HTTPS?ConnectionPool|Connection refused|Temporary failure in name resolution|dns error", INDEX, ""),
    (r"Because (?P<what>[\w.\-]+) was not found in the ", DENIED, r"\b40[13] (?:Unauthorized|Forbidden)"),
    (r"Because (?P<what>[\w.\-]+) was not found in the (?:package registry|provided package locations)", NOT_FOUND, ""),
    (r"does not satisfy Python(?P<needs>\S+) and (?P<what>\S+) depends on", NO_VERSION, ""),
    (r"there (?:is|are) no versions? of (?P<what>[^\s,]+)", NO_VERSION, ""),
    (r"Because only \S[^\n]*? (?:is|are) available\s+and you require (?P<what>[^\s,]+)", NO_VERSION, ""),
    (r"Because (?P<what>\S+) has no (?:usable wheels|wheels with a matching)", NO_VERSION, ""),
    (r"requires a different Python: (?P<have>\S+) not in '(?P<needs>[^'\n]+)'", NO_VERSION, ""),
    (r"Cannot install (?P<what>[^\n]+?) because these package versions have conflicting", CONFLICT, ""),
    (r"unsatisfiable|ResolutionImpossible|No solution found", CONFLICT, ""),
    (r"No matching distribution found for (?P<what>[^\n]+)", NOT_FOUND, r"\(from versions: none\)"),
    (r"No matching distribution found for (?P<what>[^\n]+)", NO_VERSION, ""),
)
_REQUIRED = re.compile(r"\b(?P<before>\w+)\s+you\s+require\s+(?P<what>[^\s,]+)")
_ANSWERED = re.compile(
    r"\b(?P<status>[45]\d\d) (?:Client Error: |Server Error: )?(?P<word>[A-Z][a-z]+(?: [A-Z][a-z]+)*)"
)
_STARTED = re.compile(r"(?:Collecting|Processing|Building) (\S[^\n(]*)")

_NEEDS_BUILD = re.compile(
    r"building from source is disabled|no usable wheels|Building source distributions is disabled"
    r"|has no wheels|No matching distribution found|without building|--no-build"
)
_DECISIVE = {
    "uv": re.compile(r"^\s*(error:|×|x No solution)"),
    "pip": re.compile(r"^\s*(ERROR:|error:|×|The conflict is caused by)"),
}
_TOLD_BY_PIP = re.compile(r"ERROR:|error:| {4}|  [×│╰]|×|The conflict|[A-Za-z_][\w.]*(?:Error|Exception|Unavailable)\b")
_COMPILER = re.compile(
    r"(fatal error:|\berror:|[A-Za-z]+Error\b|No module named|not found\b|command .* failed|undefined reference)"
)


@dataclass(frozen=True, slots=True)
class Cause:
    reason: str
    requirement: str = ""
    needs: str = ""


def needs_build(lines: Sequence[str]) -> bool:
    """Say whether an installation from wheels alone failed for want of a wheel, so that building may help."""
    cause = find_cause(lines)
    said = bool(_NEEDS_BUILD.search("\n".join(lines)))
    return said and cause.reason in (NO_VERSION, CONFLICT, BUILD, OTHER, NOT_FOUND)


def find_cause(lines: Sequence[str]) -> Cause:
    """Return why the installer failed, ``OTHER`` when its words are not known."""
    text = "\n".join(line[:_LENGTH] for line in lines)
    for pattern, reason, also in _RULES:
        found = re.search(pattern, text)
        if found is None or (also and not re.search(also, text)):
            continue
        named = found.groupdict()
        what = (named.get("what") or "").strip().rstrip(".,/") or _named_elsewhere(text, found, reason)
        needs = (named.get("needs") or "").strip().rstrip(",") or _requires_python(lines, what)
        if reason == NOT_FOUND and needs:
            return Cause(NO_VERSION, what, needs)  # it is there, for other Pythons only
        return Cause(reason, what, needs if reason == NO_VERSION else "")
    return Cause(OTHER)


def _named_elsewhere(text: str, found: re.Match[str], reason: str) -> str:
    """Return what is at fault when the words that were found do not name it."""
    if reason in (BUILD, GIT, INDEX):
        return _last_started(text, found)
    asked = _REQUIRED.finditer(text) if reason == CONFLICT else ()
    required = dict.fromkeys(one["what"].rstrip(".") for one in asked if one["before"] != "that")
    return " and ".join(required)


def _last_started(text: str, found: re.Match[str]) -> str:
    """Return what pip was working on when the words that were found came: it does not name it there."""
    started = _STARTED.findall(text[: found.start()])
    return started[-1].strip() if started else ""


def _requires_python(lines: Sequence[str], what: str) -> str:
    """Return what pip says the wanted version requires, e.g. ``>=3.11``."""
    version = re.search(r"==\s*([^\s,;]+)", what)
    told = next((line for line in lines if "Ignored the following versions" in line), "")
    if version is None or not told:
        return ""
    found = re.search(rf"[ :]{re.escape(version[1])} Requires-Python ([^;]+)", told)
    return found[1].strip() if found else ""


def decisive(lines: Sequence[str], installer: str) -> tuple[str, ...]:
    """Return the lines a person needs, at most 40: what the installer concluded, then what a compiler complained of."""
    start = next((n for n, line in enumerate(lines) if _DECISIVE[installer].search(line)), max(0, len(lines) - _LINES))
    if installer == "pip":
        told = [line for line in lines[start:] if _TOLD_BY_PIP.match(line)]
        if lines and lines[start].startswith("ERROR: Exception:"):
            told = [line for line in told if not line.startswith(" ")]  # pip's own code, which explains nothing
        told = sorted(
            told or lines[start:],
            key=lambda line: "Ignored the following versions" in line or "(from versions:" in line,
        )
    else:
        told = list(lines[start:])
    if len(told) > _LINES:
        told = _shortened(told)
    return tuple(line if len(line) <= _LENGTH else line[:_LENGTH] + " ..." for line in told)


def _shortened(told: Sequence[str]) -> list[str]:
    """Keep the beginning, every complaint, and the end."""
    head, tail = told[:6], told[-8:]
    middle = [line for line in told[6:-8] if _COMPILER.search(line)][: _LINES - 16]
    left_out = len(told) - len(head) - len(middle) - len(tail)
    return [*head, *middle, f"({left_out} lines left out; the log has them)", *tail]


def _how(reason: str, lines: Sequence[str], shown: Sequence[str]) -> str:
    """Return the detail of a message: what an address answered, or the installer's first words."""
    if reason == OTHER:
        first = next((line.strip() for line in shown if line.strip()), "")
        return re.sub(r"^(?:error|ERROR|×):?\s*", "", first) or "it said nothing"
    answered = _ANSWERED.search("\n".join(lines))
    if answered:
        word = answered["word"].strip().removesuffix("Error").strip()
        return f"the address answers {answered['status']} {word}".strip()
    return "the address did not answer as it should"


def failed(
    lines: Sequence[str], *, installer: str, python: str, only_built: str = "", timed_out: bool = False
) -> InstallFailed:
    """Return the error for an installation that failed with ``lines``.

    ``only_built`` is the one requirement that is known to need building, for installers that do not name it.
    """
    cause = Cause(TIMEOUT) if timed_out else find_cause(lines)
    if cause.reason == BUILD and not cause.requirement:
        cause = Cause(BUILD, only_built)
    shown = decisive(lines, installer)
    sentence, hint = _SAID[cause.reason]
    needs = (
        f"it needs Python {cause.needs.removeprefix('Python')}" if cause.needs else "there is no such version for it"
    )
    what = cause.requirement or _NOBODY.get(cause.reason, "a package")
    message = sentence.format(what=what, python=python, needs=needs, how=_how(cause.reason, lines, shown))
    return InstallFailed(
        message[:1].upper() + message[1:] + "." if not cause.requirement else message + ".",
        hint=hint,
        reason=cause.reason,
        requirement=cause.requirement,
        lines=shown,
    )
