"""Lines that mean something only on the author's machine: other systems' packages, conda's build folders. Pure."""

from __future__ import annotations

import re

_ONLY_ON = {
    "appnope": "macOS",
    "pywin32": "Windows",
    "pypiwin32": "Windows",
    "pywinpty": "Windows",
    "wincertstore": "Windows",
    "win-inet-pton": "Windows",
    "win-unicode-console": "Windows",
    "windows-curses": "Windows",
    "winkerberos": "Windows",
    "wmi": "Windows",
}
_CONDA = re.compile(
    r"/(feedstock_root|croot|conda-bld|opt/conda|ci|ci_py3\d+|perseverance-python-buildout)(/|_)"
    r"|/tmp/build/[0-9a-f]{6,}/|/abs_[0-9a-z]+/croot/",
    re.IGNORECASE,
)
_DISTRIBUTION = re.compile(
    r"/(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>\d+(?:\.\w+)*)(?:-[^/]*\.whl|\.tar\.gz|\.zip|/|$)"
)


def useless_here(name: str) -> str:
    """Return why a package (normalised ``name``) cannot be of use on this system, or an empty string."""
    if name == "pkg-resources":
        return "it is not a package; some systems' pip lists it by mistake"
    system = _ONLY_ON.get(name, "macOS" if name.startswith("pyobjc") else "")
    return f"it only works on {system}" if system else ""


def version_in(path: str, name: str) -> str | None:
    """Return the version of ``name`` that a file's or folder's name in ``path`` tells, or None."""
    for found in _DISTRIBUTION.finditer(path):
        if re.sub(r"[-_.]+", "-", found["name"]).lower() == name:
            return found["version"]
    return None


def from_conda(path: str) -> bool:
    """Say whether ``path`` is where conda's build machines keep sources: never a private package of the author."""
    return bool(_CONDA.search(path))
