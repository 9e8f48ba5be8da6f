"""The lock file of an environment: what was really installed, in a form pip and uv read again. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rostra.environments.index import mask
from rostra.environments.installed import Installed
from rostra.runtimes.model import Runtime

_PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[^\s\\;]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def heading(installer: str, runtime: Runtime) -> str:
    return f"installed with {installer} for Python {runtime.version} on {runtime.platform or 'this server'}"


def render(installed: Sequence[Installed], hashes: Mapping[str, tuple[str, ...]], *, heading: str) -> str:
    """Return the text of ``requirements.txt.lock``.

    Hashes are all or nothing: one of them makes an installer ask for all. When some are not known (a repository, a part
    of the bundle) they follow as comments instead.
    """
    complete = bool(installed) and all(one.package.name in hashes and not one.address for one in installed)
    lines = [f"# {heading}"]
    for one in installed:
        lines += _lines(one, hashes.get(one.package.name, ()), enforced=complete)
    return "\n".join(lines) + "\n"


def _lines(one: Installed, hashes: Sequence[str], *, enforced: bool) -> list[str]:
    pin = f"{one.package.name}=={one.package.version}"
    if one.local:
        return [f"# {pin} was installed from the bundle itself"]
    if one.address:
        return [f"{one.package.name} @ {mask(one.address)}  # {pin}"]
    if enforced:
        return [pin + "".join(f" \\\n    --hash={found}" for found in hashes)]
    return [pin + (f"  # {' '.join(hashes)}" if hashes else "")]


def hashes_in(text: str) -> dict[str, tuple[str, ...]]:
    """Return {name: hashes} of a text in the same form."""
    found: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in text.splitlines():
        if pin := _PIN.match(line):
            name = pin["name"]
        if name:
            found[name] = (*found.get(name, ()), *_HASH.findall(line))
    return {name: hashes for name, hashes in found.items() if hashes}
