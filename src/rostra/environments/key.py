"""The name of an environment: equal inputs, equal key. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from rostra.environments.entry import Entry
from rostra.environments.index import IndexSettings, mask
from rostra.environments.requirements import Requirements
from rostra.runtimes.model import Runtime

_FORMAT = 1  # raise it when environments made by an earlier release must not be used any more


def environment_key(
    runtime: Runtime, wanted: Requirements, *, installer: str, index: IndexSettings, parts_digest: str = ""
) -> str:
    """Return the key, 32 hexadecimal digits.

    Order of lines, comments, notes and credentials do not matter; everything that may change what is installed does.

    Args:
        runtime: the interpreter; its ``identity`` stands for this very build.
        wanted: requirements with the additions really made.
        installer: ``uv`` or ``pip``.
        index: the settings after those of the requirements file were merged in.
        parts_digest: digest of the parts of the bundle the requirements refer to, empty when they refer to none.
    """
    options = wanted.options
    told = {
        "format": _FORMAT,
        "runtime": runtime.identity,
        "platform": runtime.platform,
        "installer": installer,
        "requirements": _normal(wanted.entries),
        "constraints": _normal(wanted.constraints),
        "options": [options.require_hashes, sorted(options.no_binary), sorted(options.only_binary), options.folders],
        "index": index.normal,
        "parts": parts_digest,
    }
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _normal(entries: Sequence[Entry]) -> list[str]:
    return sorted({mask(entry.normal) for entry in entries})
