"""Options inside a requirements file: which are followed, which are not and why. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rostra.environments.errors import BadRequirement
from rostra.environments.requirement_lines import Line

_SHORT = {"-i": "--index-url", "-f": "--find-links", "--requirement": "-r", "--constraint": "-c", "--editable": "-e",
          "--pypi-url": "--index-url"}  # fmt: skip
_WITH_VALUE = {"--index-url", "--extra-index-url", "--find-links", "-r", "-c", "-e", "--no-binary", "--only-binary",
               "--trusted-host", "--use-feature", "--cert", "--client-cert", "--proxy"}  # fmt: skip
_IGNORED = {
    "--trusted-host": "only the server decides which hosts are trusted",
    "--cert": "only the server decides which certificates are trusted",
    "--client-cert": "it names a file of the author's machine",
    "--proxy": "the server decides how the network is reached",
    "--prefer-binary": "wheels are preferred anyway",
    "--use-feature": "it is about the author's installer",
}
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:\s+|=|(?=\.))(.+)$")
_HASH = re.compile(r"^(sha256|sha384|sha512|sha1|md5):[0-9a-fA-F]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a requirements file says about installing as a whole. ``folders`` are find-links inside the bundle."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    no_index: bool = False
    pre: bool = False
    require_hashes: bool = False
    no_binary: tuple[str, ...] = ()
    only_binary: tuple[str, ...] = ()


def words(line: Line) -> Iterator[tuple[str, str]]:
    """Yield (option, value) in their order, names made uniform; value is empty for a switch."""
    if found := _EDITABLE.match(line.text):  # the rest may hold spaces and quotes of a marker
        yield "-e", found[1].strip()
        return
    try:
        rest = shlex.split(line.text)
    except ValueError as why:
        raise BadRequirement(line, f"cannot be read ({why})", hint="Check its quotes.") from why
    while rest:
        name, equals, value = _split(rest.pop(0))
        name = _SHORT.get(name, name)
        if not name.startswith("-"):
            raise BadRequirement(line, "has a word where an option should be", hint="One requirement to a line.")
        if name in _WITH_VALUE and not equals:
            if not rest:
                raise BadRequirement(line, "lacks a value", hint=f"Write {name} VALUE.")
            value = rest.pop(0)
        yield name, value


def _split(word: str) -> tuple[str, bool, str]:
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, bool(equals), value
    return word[:2], len(word) > 2, word[2:].removeprefix("=")


def apply(options: Options, line: Line, name: str, value: str) -> tuple[Options, str]:  # noqa: PLR0911
    """Return the options with one more, and a note when it is not followed."""
    if name in ("--index-url", "--extra-index-url", "--find-links") and not re.match(
        r"https?://", value, re.IGNORECASE
    ):
        raise BadRequirement(
            line, "names an index that is not http or https", hint="Ask for it to be set on the server."
        )
    match name:
        case "--index-url":
            return replace(options, index_url=value, no_index=False), ""
        case "--extra-index-url":
            return replace(options, extra_index_urls=(*options.extra_index_urls, value)), ""
        case "--find-links":
            return replace(options, find_links=(*options.find_links, value)), ""
        case "--no-index":
            return replace(options, no_index=True), ""
        case "--pre":
            return replace(options, pre=True), ""
        case "--require-hashes":
            return replace(options, require_hashes=True), ""
        case "--no-binary":
            return replace(options, no_binary=_formats(options.no_binary, value)), ""
        case "--only-binary":
            return replace(options, only_binary=_formats(options.only_binary, value)), ""
    reason = _IGNORED.get(name, "the server does not know it")
    return options, f"{name} is not followed: {reason}"


def _formats(before: tuple[str, ...], value: str) -> tuple[str, ...]:
    """Add names to a --no-binary/--only-binary list; ``:none:`` empties it."""
    kept = before
    for word in value.split(","):
        kept = () if word == ":none:" else (*kept, word) if word else kept
    return tuple(sorted(set(kept)))


def of_requirement(line: Line, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (hashes, notes) of the options that follow a requirement on its line."""
    hashes: list[str] = []
    notes: list[str] = []
    rest = text.split()
    while rest:
        name, equals, value = _split(rest.pop(0))
        if name == "--hash":
            value = value if equals else rest.pop(0) if rest else ""
        if name == "--hash":
            if not _HASH.match(value):  # never dropped: an author who gives hashes relies on them
                raise BadRequirement(line, "has a hash that cannot be read", hint="Write --hash=sha256:HEX.")
            hashes.append(value.lower())
        else:
            notes.append(f"{name} is not followed: the server does not know it")
            rest = rest[1:] if rest and not equals and not rest[0].startswith("-") else rest
    return tuple(hashes), tuple(notes)
