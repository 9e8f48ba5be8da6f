"""What a document declares in its metadata: files to keep with the page, and how its mail should look.

The names are those R Markdown reports use: ``rsc_output_files``, and of the mail ``rsc_email_subject``,
``rsc_email_attachments``, ``rsc_email_body_html`` with ``rsc_email_images`` (base64 by the name after ``cid:``),
``rsc_email_body_text``, ``rsc_email_suppress_scheduled`` and ``rsc_email_suppress_report_attachment``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from rostra.rendering.job import MAIL_BODY, MAIL_FACTS, PRIMARY

_MOST_FILES = 100
_LARGEST_FILE = 100_000_000
_MOST_BYTES = 2_000_000_000  # of all files that are declared
_LONGEST_TEXT = 50_000
_LONGEST_HTML = 2_000_000
_LARGEST_MAIL = 6_000_000  # characters with the pictures in it; a larger page is no mail's body
_CID = re.compile(r"""(?<=src=["'])cid:([^"'<>\s]{1,200})""", re.IGNORECASE)
_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def declare(metadata: Mapping[str, Any], work: Path, out: Path) -> list[str]:
    """Copy the declared files from ``work`` to ``out`` and write down what is said about mail; return what was copied.

    What is not there, is no plain file or leads out of ``work`` is left out.
    """
    attachments, left = _copied(metadata.get("rsc_email_attachments"), work, out, _MOST_BYTES)
    files, _ = _copied(metadata.get("rsc_output_files"), work, out, left)
    facts = {
        "subject": _storable(str(metadata.get("rsc_email_subject") or "")[:200]),
        "attachments": attachments,
        "suppressed": metadata.get("rsc_email_suppress_scheduled") is True,
        "without_report": metadata.get("rsc_email_suppress_report_attachment") is True,
        "text": _text(metadata.get("rsc_email_body_text"), _LONGEST_TEXT),
        "html": False,
    }
    if html := _text(metadata.get("rsc_email_body_html"), _LONGEST_HTML):
        (out / MAIL_BODY).write_text(_with_pictures(html, metadata.get("rsc_email_images")), "utf-8")
        facts["html"] = True
    if any(facts.values()):
        (out / MAIL_FACTS).write_text(json.dumps(facts), "utf-8")
    return attachments + files


def _text(value: object, longest: int) -> str:
    """Return text, which R may give as several lines; nothing when it is too long to be a mail's."""
    lines = value if isinstance(value, list) else [value]
    text = "\n".join(line for line in lines if isinstance(line, str)).strip()
    return _storable(text) if len(text) <= longest else ""


def _storable(text: str) -> str:
    """Return the text without what neither a file nor every database can hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _with_pictures(html: str, images: object) -> str:
    """Return the HTML with the pictures it names by ``cid:`` in it; they become parts of the mail when that is sent.

    One that would make it too large stays a name: a few letters, said often, would be gigabytes.
    """
    given = images if isinstance(images, Mapping) else {}
    known: dict[str, str] = {}
    left = _LARGEST_MAIL - len(html)

    def shown(match: re.Match[str]) -> str:
        nonlocal left
        if match[1] not in known:
            known[match[1]] = _as_address(given.get(match[1]))
        address = known[match[1]]
        if not address or len(address) > left:
            return match[0]
        left -= len(address)
        return address

    return _CID.sub(shown, html)


def _as_address(given: object) -> str:
    """Return the ``data:`` address of a picture, or nothing when it is none."""
    encoded = given[0] if isinstance(given, list) and given else given
    kind = _picture(encoded) if isinstance(encoded, str) and len(encoded) <= _LARGEST_MAIL else ""
    return f"data:{kind};base64,{encoded}" if kind else ""


def _picture(encoded: str) -> str:
    """Return which sort of picture this is, or nothing."""
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return next((kind for mark, kind in _PICTURES.items() if content.startswith(mark)), "")


def _copied(names: object, work: Path, out: Path, left: int) -> tuple[list[str], int]:
    """Copy what is there; return the names of what was copied, and how many of the ``left`` bytes are left then."""
    wanted = [names] if isinstance(names, str) else names if isinstance(names, list) else []
    found = []
    for name in [one for one in wanted if isinstance(one, str)][:_MOST_FILES]:
        parts = PurePosixPath(name).parts
        if parts in ((), (PRIMARY,)) or _storable(name) != name or any(part.startswith((".", "/")) for part in parts):
            continue
        with contextlib.suppress(OSError, RuntimeError):  # too long a name, links in a circle, a file where a folder is
            real = (work / name).resolve()
            if not real.is_relative_to(work.resolve()) or not real.is_file():
                continue
            size = real.stat().st_size
            if size <= min(left, _LARGEST_FILE):
                target = out.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(real, target)
                found.append("/".join(parts))
                left -= size
    return found, left
