"""Where a request came from, as far as it can be believed, and the header lines that say so. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from rostra.gateway.head import Request
from rostra.gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Whence:
    """``address`` is the visitor's, ``chain`` the whole X-Forwarded-For, ``url`` the external URL of the request."""

    address: bytes
    chain: bytes
    scheme: bytes
    host: bytes
    origin: bytes  # scheme://host as visitors know it
    url: bytes

    @property
    def is_secure(self) -> bool:
        return self.scheme == b"https"


class Forwarding:
    """What the settings say about proxies, ready for use."""

    def __init__(self, settings: Settings) -> None:
        self._networks = settings.networks()
        self._origin = settings.origin
        self._scheme = self._origin.partition(b":")[0] or b"http"
        self.prefix = settings.prefix

    def trusts(self, address: str) -> bool:
        """Whether the peer at ``address`` is a proxy of ours."""
        if not self._networks:
            return False
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def whence(self, peer: bytes, request: Request, *, trusted: bool) -> Whence:
        """Return where ``request`` came from; what the client claims counts only when ``trusted``."""
        if trusted and request.fields.forwarded:
            return self._as_told(peer, request)
        origin = self._origin or b"http://" + request.host
        url = origin + self.prefix + request.target
        return Whence(peer, peer, self._scheme, request.host, origin, url)

    def _as_told(self, peer: bytes, request: Request) -> Whence:
        told = request.fields.forwarded
        scheme = told.get(b"x-forwarded-proto", b"").lower()
        scheme = scheme if scheme in {b"http", b"https"} else self._scheme
        host = told.get(b"x-forwarded-host", b"").partition(b",")[0].strip() or request.host
        origin = self._origin or scheme + b"://" + host
        chain = told.get(b"x-forwarded-for", b"")
        url = told.get(b"x-rsc-request") or origin + self.prefix + request.target
        return Whence(self._visitor(chain) or peer, b", ".join(filter(None, (chain, peer))), scheme, host, origin, url)

    def _visitor(self, chain: bytes) -> bytes:
        """Return the last address of ``chain`` that is no proxy of ours: what stands before it could be made up."""
        for part in reversed(chain.split(b",")):
            address = part.strip()
            if address and not self.trusts(address.decode("latin-1")):
                return address
        return b""


def lines_for_content(whence: Whence, base: bytes) -> bytes:
    """Return X-Forwarded-*, X-RSC-Request and the base URL; ``base`` is the external path content is mounted at."""
    return (
        b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"
        b"X-RSC-Request: %b\r\nRStudio-Connect-App-Base-URL: %b%b\r\n"
    ) % (whence.chain, whence.scheme, whence.host, whence.url, whence.origin, base.rstrip(b"/"))


def lines_for_control(whence: Whence, *, stripped: bytes, reason: bytes) -> bytes:
    """Return X-Rostra-*: what control may believe, because only the gateway reaches its socket.

    Args:
        stripped: the path prefix the request came with, or empty.
        reason: why a request for content comes to control: ``starting``, ``failed``, ``unreachable``; or empty.
    """
    out = b"X-Rostra-Client-Address: %b\r\nX-Rostra-Scheme: %b\r\nX-Rostra-Host: %b\r\n" % (
        whence.address,
        whence.scheme,
        whence.host,
    )
    if stripped:
        out += b"X-Rostra-Prefix: %b\r\n" % stripped
    if reason:
        out += b"X-Rostra-Reason: %b\r\n" % reason
    return out
