"""Where a request came from, as far as it can be believed, and the header lines that say so. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from rostra.gateway.head import Request
from rostra.gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Whence:
    """``address`` is the visitor's, ``chain`` the whole X-Forwarded-For; nothing here depends on the target."""

    address: bytes
    chain: bytes
    scheme: bytes
    host: bytes
    origin: bytes  # scheme://host as visitors know it
    told_url: bytes  # of the request, when a proxy of ours told it

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
        return Whence(peer, peer, self._scheme, request.host, self._origin or b"http://" + request.host, b"")

    def _as_told(self, peer: bytes, request: Request) -> Whence:
        told = request.fields.forwarded
        scheme = told.get(b"x-forwarded-proto", b"").lower()
        scheme = scheme if scheme in {b"http", b"https"} else self._scheme
        host = told.get(b"x-forwarded-host", b"").partition(b",")[0].strip() or request.host
        origin = self._origin or scheme + b"://" + host
        chain = told.get(b"x-forwarded-for", b"")
        whole = b", ".join(filter(None, (chain, peer)))
        return Whence(self._visitor(chain) or peer, whole, scheme, host, origin, told.get(b"x-rsc-request", b""))

    def url(self, whence: Whence, target: bytes) -> bytes:
        """Return the external URL of a request for ``target``, which lacks the server's own prefix."""
        return whence.told_url or whence.origin + self.prefix + target

    def _visitor(self, chain: bytes) -> bytes:
        """Return the last address of ``chain`` that is no proxy of ours: what stands before it could be made up."""
        for part in reversed(chain.split(b",")):
            address = part.strip()
            if address and not self.trusts(address.decode("latin-1")):
                return address
        return b""


def lines_for_content(whence: Whence, base: bytes) -> bytes:
    """Return X-Forwarded-*, X-Real-IP and the base URL; ``base`` is the external path content is mounted at."""
    told = b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nX-Real-IP: %b\r\n"
    url = whence.origin + base.rstrip(b"/")
    forwarded = told % (whence.chain, whence.scheme, whence.host, whence.address)
    return forwarded + b"RStudio-Connect-App-Base-URL: %b\r\n" % url


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
