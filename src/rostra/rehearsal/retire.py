"""May a version be retired: what the last rehearsal says, and the line of the configuration that does it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from packaging.version import InvalidVersion, Version

from rostra.errors import Conflict
from rostra.rehearsal.model import Outcome, Step
from rostra.rehearsal.records import Present
from rostra.rehearsal.target import Wish
from rostra.units import counted

_SECTION = re.compile(r"^\s*\[\s*python\s*\]", re.IGNORECASE)
_ANY_SECTION = re.compile(r"^\s*\[")


class NotRehearsed(Conflict):
    """Nobody has rehearsed retiring this version, or the last rehearsal did not look far enough."""

    code = "not-rehearsed"

    def __init__(self, version: str, why: str, go_on: str = "") -> None:
        self.version = version
        what = f"--resume {go_on}" if go_on else f"--retire {version}"
        super().__init__(
            f"Python {version} is not ready to be retired: {why}",
            hint=f"Run: rostra runtimes rehearse {what}. To retire it all the same, add --anyway.",
        )


class WouldBreak(Conflict):
    """The last rehearsal found content that would not work any more. ``items`` are those."""

    code = "would-break"

    def __init__(
        self,
        version: str,
        items: Sequence[Mapping[str, Any]],
        rehearsal_id: str = "",
        *,
        safe: int = 0,
        changed: int = 0,
    ) -> None:
        self.version, self.items = version, tuple(items)
        hint = [f"Why, and whose they are: rostra runtimes rehearse --resume {rehearsal_id}"]
        if changed:
            hint.append(f"Published again since then, so that it is not known: {counted(changed, 'item')} more")
        if safe:
            hint.append(
                f"Move the {counted(safe, 'item')} that {'is' if safe == 1 else 'are'} safe: add --rebuild-safe"
            )
        super().__init__(
            f"retiring Python {version} would break {counted(len(items), 'item')}: {_named(items)}",
            hint="\n".join([*hint, "Retire it all the same: add --anyway"]),
        )


class ChangedSince(Conflict):
    """What the last rehearsal found is not known to be so any more. ``items`` were published again since."""

    code = "changed-since-rehearsed"

    def __init__(self, version: str, items: Sequence[Mapping[str, Any]], when: str) -> None:
        self.version, self.items = version, tuple(items)
        which = f"{counted(len(items), 'item')} on Python {version}"
        super().__init__(
            f"{which} changed after the rehearsal of {when[:10]}: {_named(items)}",
            hint=f"Rehearse again: rostra runtimes rehearse --retire {version}. To retire it all the same: --anyway.",
        )


class NotMoved(Conflict):
    """Everything left on this version is safe to move, and has not been moved."""

    code = "not-moved"

    def __init__(self, version: str, count: int) -> None:
        self.version, self.count = version, count
        which = f"{counted(count, 'item')} that {'is' if count == 1 else 'are'} safe to move"
        super().__init__(
            f"Python {version} still has {which}",
            hint="Move them first: add --rebuild-safe. To retire it all the same, add --anyway.",
        )


def _named(items: Sequence[Mapping[str, Any]]) -> str:
    """Return the first few titles, and how many more there are."""
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    return ", ".join(str(each["title"]) for each in items[:5]) + more


def covers(told: Mapping[str, Any], version: str) -> bool:
    """Whether a rehearsal was about ``version``, which may itself be a range."""
    if version in told["retire"]:
        return True
    try:
        return Wish(tuple(told["retire"])).retires(Version(version)) and len(Version(version).release) > 2
    except InvalidVersion:
        return False


def check(
    version: str, told: Mapping[str, Any] | None, items: Sequence[Mapping[str, Any]], still: Collection[Present]
) -> None:
    """Return when nothing speaks against retiring ``version``.

    Args:
        told: the newest rehearsal that covers it, if any; ``items`` are its results.
        still: what runs on it now. What was moved or deleted since the rehearsal does not count, and what was published
            again is not known.

    Raises:
        NotRehearsed, WouldBreak, ChangedSince, NotMoved
    """
    if not still:
        return
    if told is None:
        raise NotRehearsed(version, "it has not been rehearsed")
    if told["state"] != "done":
        raise NotRehearsed(version, f"the last rehearsal is {told['state']}", str(told["id"]))
    if Step.start.value not in told["steps"]:
        raise NotRehearsed(version, "the last rehearsal started nothing")
    known = {str(each["guid"]): each for each in items}
    if unknown := [{"title": each.title} for each in still if each.guid not in known]:
        raise NotRehearsed(
            version, f"{counted(len(unknown), 'item')} came to it since the last rehearsal: {_named(unknown)}"
        )
    changed = [known[each.guid] for each in still if known[each.guid]["bundle_id"] != each.bundle_id]
    left = [known[each.guid] for each in still if known[each.guid]["bundle_id"] == each.bundle_id]
    broken = [each for each in left if each["outcome"] != Outcome.safe and not each["broken_today"]]
    safe = sum(each["outcome"] == Outcome.safe for each in left)
    if broken:
        raise WouldBreak(version, broken, str(told["id"]), safe=safe, changed=len(changed))
    if changed:
        raise ChangedSince(version, changed, str(told["created_at"]))
    if safe:
        raise NotMoved(version, safe)


def line(version: str) -> str:
    """Return the setting to write into the section ``[Python]``."""
    return f"Retired = {version}"


def written(text: str, version: str) -> str:
    """Return the configuration file with the line added at the end of its ``[Python]`` section; once is enough."""
    lines = text.splitlines()
    start = next((number for number, each in enumerate(lines) if _SECTION.match(each)), None)
    if start is None:
        return text.rstrip("\n") + f"\n\n[Python]\n{line(version)}\n"
    end = next((n for n in range(start + 1, len(lines)) if _ANY_SECTION.match(lines[n])), len(lines))
    if any(each.replace(" ", "").lower() == line(version).replace(" ", "").lower() for each in lines[start:end]):
        return text
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return "\n".join([*lines[:end], line(version), *lines[end:]]) + "\n"
