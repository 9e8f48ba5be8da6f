"""A rendered page as mail programs can show it: styles written into each element, pictures as parts, no scripts.

Mail programs drop style sheets, scripts and pictures in ``data:`` addresses, so none may be left.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import css_inline
from bs4 import BeautifulSoup, Comment, Tag

from rostra.mail.message import Part

LARGEST_PAGE = 6_000_000  # bytes; what is larger is linked to
LARGEST_PICTURES = 12_000_000
_GONE = (
    *("script", "style", "link", "meta", "title", "base", "iframe", "object", "embed", "noscript", "template"),
    *("form", "input", "button", "textarea", "select", "audio", "video", "canvas"),
)
_PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}
_SUFFIXES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
_LINKS = frozenset({"http", "https", "mailto", ""})
_DATA = re.compile(r"data:(?P<type>[\w/+.-]+)(?P<rest>(;[\w=-]+)*),(?P<data>.*)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fragment:
    """``html`` goes into a mail's body; ``pictures`` are what its ``cid:`` addresses name."""

    html: str
    pictures: tuple[Part, ...]


class TooLargeForMail(Exception):
    """The page is better linked to than sent."""


def for_mail(page: Path, url: str) -> Fragment:
    """Return the body of ``page`` for a mail; ``url`` is where it can be read, for its relative links.

    Raises:
        TooLargeForMail
        OSError: it is gone.
    """
    if page.stat().st_size > LARGEST_PAGE:
        raise TooLargeForMail
    inlined = _inliner().inline(page.read_text("utf-8", "replace"))
    soup = BeautifulSoup(inlined, "html.parser")
    for tag in soup.find_all(_GONE):
        tag.decompose()
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    pictures = _Pictures(page.parent)
    for tag in soup.find_all(True):
        _harmless(tag)
        _addressed(tag, url, pictures)
    body = soup.body or soup
    return Fragment(body.decode_contents(), tuple(pictures.parts.values()))


def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(load_remote_stylesheets=False, resolve_css_variables=True)


def _harmless(tag: Tag) -> None:
    for name in [
        name for name in tag.attrs if name.lower().startswith("on") or name in ("srcset", "ping", "background")
    ]:
        del tag[name]


def _addressed(tag: Tag, url: str, pictures: _Pictures) -> None:
    href, src = tag.get("href"), tag.get("src")
    if isinstance(href, str):
        tag["href"] = _link(href, url)
    if tag.name == "img" and isinstance(src, str):
        found = pictures.take(src.strip())
        tag["src"] = f"cid:{found}" if found else _link(src, url)
    elif src is not None:
        del tag["src"]


def _link(address: str, url: str) -> str:
    try:
        scheme = urlsplit(address.strip()).scheme.lower()
        return urljoin(url, address.strip()) if scheme in _LINKS else url
    except ValueError:
        return url


class _Pictures:
    """Takes pictures out of the page, each once, as long as there is room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._left = LARGEST_PICTURES
        self.parts: dict[str, Part] = {}

    def take(self, src: str) -> str | None:
        found = self._in_the_page(src) or self._beside(src)
        if found is None:
            return None
        content, media_type = found
        cid = f"{hashlib.sha256(content).hexdigest()[:24]}@picture"
        if cid not in self.parts:
            self._left -= len(content)
            if self._left < 0:
                raise TooLargeForMail
            name = f"picture-{len(self.parts) + 1}.{_PICTURES[media_type]}"
            self.parts[cid] = Part(name, content, media_type, cid)
        return cid

    def _in_the_page(self, src: str) -> tuple[bytes, str] | None:
        data = _DATA.fullmatch(src)
        if data is None or data["type"].lower() not in _PICTURES:
            return None
        encoded = unquote_to_bytes(data["data"])
        if ";base64" not in data["rest"].lower():
            return encoded, data["type"].lower()
        try:
            return base64.b64decode(b"".join(encoded.split()), validate=True), data["type"].lower()
        except binascii.Error:
            return None

    def _beside(self, src: str) -> tuple[bytes, str] | None:
        parts = urlsplit(src)
        path = self._folder / unquote_to_bytes(parts.path).decode("utf-8", "replace")
        media_type = _SUFFIXES.get(path.suffix.lower())
        if parts.scheme or parts.netloc or media_type is None or "\0" in str(path):
            return None
        real = path.resolve()
        if not real.is_relative_to(self._folder) or not real.is_file() or real.stat().st_size > LARGEST_PICTURES:
            return None
        return real.read_bytes(), media_type
