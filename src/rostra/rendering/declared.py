"""What a notebook declares in its metadata: files to keep with the page, and how its mail should look.

The names are those R Markdown reports use: ``rsc_output_files``, ``rsc_email_attachments``, ``rsc_email_subject`` and
``rsc_email_suppress_scheduled``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from rostra.rendering.job import MAIL_FACTS, PRIMARY

_MOST_FILES = 100
_LARGEST_FILE = 100_000_000


def declare(metadata: Mapping[str, Any], work: Path, out: Path) -> list[str]:
    """Copy the declared files from ``work`` to ``out`` and write down what is said about mail; return what was copied.

    What is not there, is no plain file or leads out of ``work`` is left out.
    """
    attachments = _copied(metadata.get("rsc_email_attachments"), work, out)
    files = _copied(metadata.get("rsc_output_files"), work, out)
    facts = {
        "subject": str(metadata.get("rsc_email_subject") or "")[:200],
        "attachments": attachments,
        "suppressed": metadata.get("rsc_email_suppress_scheduled") is True,
    }
    if any(facts.values()):
        (out / MAIL_FACTS).write_text(json.dumps(facts), "utf-8")
    return attachments + files


def _copied(names: object, work: Path, out: Path) -> list[str]:
    wanted = [names] if isinstance(names, str) else names if isinstance(names, list) else []
    found = []
    for name in [one for one in wanted if isinstance(one, str)][:_MOST_FILES]:
        source, parts = work / name, PurePosixPath(name).parts
        if parts in ((), (PRIMARY,)) or any(
            part in ("..", "/") or part.startswith(".") or "\0" in part for part in parts
        ):
            continue
        real = source.resolve()
        if real.is_relative_to(work.resolve()) and real.is_file() and real.stat().st_size <= _LARGEST_FILE:
            target = out.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(real, target)
            found.append("/".join(parts))
    return found
