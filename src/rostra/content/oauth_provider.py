"""Speaks OAuth 2.0 with an integration's provider: the address of its sign-in page, and its token endpoint.

Requests to the token endpoint follow no redirect and read a bounded answer. Nothing an answer says is logged.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import http.client
import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from rostra.errors import Invalid, Unavailable

SECONDS = 20.0  # for a whole answer, from the first byte sent to the last one read
_WAIT = 2 * SECONDS  # for that and for a thread to ask in
_LARGEST = 1_000_000  # bytes of an answer
_METHODS = ("client_secret_basic", "client_secret_post", "none")


class ProviderConfig(Invalid):
    """What an integration says of its provider is not enough to speak with it."""

    code = "oauth-provider-config"
    number = 228

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the integration's configuration is not usable: {why}", hint="An administrator can correct it."
        )


class TokenRefused(Invalid):
    """The provider answered, and gave no token. ``error`` is its own word: ``invalid_grant``."""

    code = "oauth-token-refused"
    number = 241

    def __init__(self, error: str, description: str = "") -> None:
        self.error = error
        super().__init__(
            f"the provider gave no token: {error[:100]} {description[:300]}".rstrip(),
            hint="Sign in to it again, or ask an administrator to look at the integration.",
        )


class ProviderUnavailable(Unavailable):
    code = "oauth-provider-unavailable"
    number = 241

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"the provider at {host} cannot be asked: {why[:300]}", hint="Try again later.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    authorization_uri: str
    token_uri: str
    client_id: str
    client_secret: str
    scopes: str
    method: str
    pkce: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """``lifetime`` is in seconds, None when the provider does not say."""

    access: str
    refresh: str | None
    lifetime: float | None


def provider(config: Mapping[str, Any]) -> Provider:
    """Return what an integration's configuration, its secrets included, says.

    Raises:
        ProviderConfig
    """
    secret = _text(config, "client_secret")
    method = _text(config, "token_endpoint_auth_method") or ("client_secret_basic" if secret else "none")
    if method not in _METHODS:
        raise ProviderConfig(f"token_endpoint_auth_method is one of {', '.join(_METHODS)}")
    found = Provider(
        authorization_uri=_text(config, "authorization_uri"),
        token_uri=_text(config, "token_uri"),
        client_id=_text(config, "client_id"),
        client_secret=secret,
        scopes=_text(config, "scopes"),
        method=method,
        pkce=str(config.get("use_pkce", True)).lower() not in ("false", "0", ""),
    )
    if not found.client_id:
        raise ProviderConfig("client_id is missing")
    _address(found.token_uri, "token_uri")
    return found


def _text(config: Mapping[str, Any], name: str) -> str:
    value = config.get(name) or ""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    return str(value).strip()


def _address(url: str, name: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("https", "http") and parts.hostname and not parts.username and not parts.fragment
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise ProviderConfig(f"{name} is not an https address")


def authorization_url(found: Provider, *, redirect_uri: str, state: str, verifier: str) -> str:
    """Return where a browser is sent to sign in.

    Raises:
        ProviderConfig
    """
    _address(found.authorization_uri, "authorization_uri")
    asked = {"response_type": "code", "client_id": found.client_id, "redirect_uri": redirect_uri, "state": state}
    if found.scopes:
        asked["scope"] = found.scopes
    if found.pkce:
        digest = hashlib.sha256(verifier.encode()).digest()
        asked["code_challenge"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        asked["code_challenge_method"] = "S256"
    joint = "&" if urlsplit(found.authorization_uri).query else "?"
    return f"{found.authorization_uri}{joint}{urlencode(asked, quote_via=quote)}"


async def by_code(found: Provider, *, code: str, redirect_uri: str, verifier: str) -> Tokens:
    """Raises: TokenRefused, ProviderUnavailable."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    return await _ask(found, form | ({"code_verifier": verifier} if found.pkce else {}))


async def by_refresh(found: Provider, refresh: str) -> Tokens:
    """Raises: TokenRefused, ProviderUnavailable."""
    return await _ask(found, {"grant_type": "refresh_token", "refresh_token": refresh})


async def of_client(found: Provider) -> Tokens:
    """Raises: TokenRefused, ProviderUnavailable."""
    return await _ask(found, {"grant_type": "client_credentials"} | ({"scope": found.scopes} if found.scopes else {}))


async def _ask(found: Provider, form: Mapping[str, str]) -> Tokens:
    """Ask in one of a few threads kept for this: a provider that hangs must not take those of everybody else."""
    asked = asyncio.get_running_loop().run_in_executor(_THREADS, _post, found, dict(form))
    try:
        async with asyncio.timeout(_WAIT):
            return read_tokens(await asked)
    except TimeoutError:
        raise ProviderUnavailable(urlsplit(found.token_uri).netloc, "too many others wait for an answer") from None


def read_tokens(answer: object) -> Tokens:
    """Raises: TokenRefused."""
    told = answer if isinstance(answer, dict) else {}
    access = told.get("access_token")
    if not isinstance(access, str) or not access:
        raise TokenRefused(str(told.get("error") or "no access_token"), str(told.get("error_description") or ""))
    refresh, lifetime = told.get("refresh_token"), told.get("expires_in")
    try:
        seconds = None if lifetime is None else max(0.0, float(lifetime))
    except (TypeError, ValueError, OverflowError):
        seconds = None
    return Tokens(access=access, refresh=refresh if isinstance(refresh, str) and refresh else None, lifetime=seconds)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class _Watch:
    """Cuts a request's connection when its time is up.

    A socket's own limit is of each read, so an answer that comes byte by byte, head, handshake or body, would last for
    ever. ``with`` it, around everything that reads.
    """

    def __init__(self, seconds: float) -> None:
        self._timer, self._lock = threading.Timer(seconds, self._cut), threading.Lock()
        self._sockets: list[socket.socket] = []
        self.over = False

    def __enter__(self) -> _Watch:
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()

    def opener(self) -> urllib.request.OpenerDirector:
        """Return what follows no redirect and opens connections that are watched."""
        watch = self

        class Plain(urllib.request.HTTPHandler):
            def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(partial(watch._kept, http.client.HTTPConnection), request)

        class Secure(urllib.request.HTTPSHandler):
            def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
                context = ssl.create_default_context()
                kind = partial(watch._kept, http.client.HTTPSConnection, context=context)
                return self.do_open(kind, request)

        return urllib.request.build_opener(_Stay, Plain, Secure)

    def _kept(self, kind: Any, *told: Any, **options: Any) -> Any:
        connection = kind(*told, **options)
        connection._create_connection = self._connected  # as early as this: a handshake can be slow, too
        return connection

    def _connected(self, *told: Any, **options: Any) -> socket.socket:
        made = socket.create_connection(*told, **options)
        with self._lock:
            self._sockets.append(made.dup())  # of its own: what wraps the connection takes the first one away
            over = self.over
        if over:
            self._cut()
        return made

    def _cut(self) -> None:
        self.over = True
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


_THREADS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="oauth")


def _post(found: Provider, form: dict[str, str]) -> object:
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    if found.method == "client_secret_basic":
        pair = f"{quote(found.client_id, safe='')}:{quote(found.client_secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form["client_id"] = found.client_id
        if found.method == "client_secret_post":
            form["client_secret"] = found.client_secret
    request = urllib.request.Request(found.token_uri, urlencode(form).encode(), headers, method="POST")  # noqa: S310
    host = urlsplit(found.token_uri).netloc
    with _Watch(SECONDS) as watch:
        try:
            status, raw = _answer(watch.opener(), request)
        except (OSError, http.client.HTTPException) as why:
            said = "its answer took too long" if watch.over else str(getattr(why, "reason", why))
            raise ProviderUnavailable(host, said) from None
        if watch.over:
            raise ProviderUnavailable(host, "its answer took too long")
    if status >= 500:
        raise ProviderUnavailable(host, f"it answered {status}")
    told = _json(raw)
    if status >= 300:
        error = told if isinstance(told, dict) else {}
        word = str(error.get("error") or f"it answered {status}")
        raise TokenRefused(word, str(error.get("error_description") or ""))
    return told


def _answer(opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            return answer.status, answer.read(_LARGEST)
    except urllib.error.HTTPError as why:
        with why:
            return why.code, why.read(_LARGEST)


def _json(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
