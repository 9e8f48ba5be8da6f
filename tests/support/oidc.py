"""A real OpenID provider for tests: who may sign in to it, and the machine account it knows."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from support.server import Server

RELEASE = "oidc-provider@9.13.3"
LACKING = "" if shutil.which("npm") and shutil.which("node") else "npm is not installed"


@contextmanager
def oidc_provider(config: pytest.Config, server: Server, log: Path) -> Iterator[str]:
    """Run the provider, which sends people back to ``server``; yield its address."""
    folder = config.cache.mkdir("oidc-provider")
    if not (folder / "node_modules" / "oidc-provider").exists():
        (folder / "package.json").write_text('{"type": "module"}')
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", RELEASE], cwd=folder, check=True, timeout=300)
    script = Path(__file__).parent / "oauth_provider.mjs"
    shutil.copy(script, folder / script.name)
    back = f"{server.url}/__oauth__/integrations/callback"
    with log.open("wb") as errors:
        running = subprocess.Popen(["node", script.name, back], cwd=folder, stdout=subprocess.PIPE, stderr=errors)
    try:
        assert running.stdout is not None
        yield running.stdout.readline().decode().strip()
    finally:
        running.terminate()
        running.wait(20)
        running.stdout.close()


def machine(issuer: str) -> dict[str, object]:
    """Return the configuration of an integration that uses the provider's machine account."""
    return {
        "authorization_uri": f"{issuer}/auth",
        "token_uri": f"{issuer}/token",
        "client_id": "machine",
        "client_secret": "secret-of-machine",
        "auth_type": "Service Account",
        "token_endpoint_auth_method": "client_secret_post",
    }


def client_of(issuer: str, token: str) -> str:
    """Return whose account an access token is of, as the provider itself says."""
    form = {"token": token, "client_id": "machine", "client_secret": "secret-of-machine"}
    told = httpx2.post(f"{issuer}/token/introspection", data=form).json()
    assert told["active"], told
    return str(told["client_id"])
