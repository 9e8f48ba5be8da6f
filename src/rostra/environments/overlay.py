"""The server's own ASGI and WSGI servers for content, one small environment for each interpreter.

They are placed after content's own packages on the path, so what an author pinned wins. All are pure Python, except
that a faster HTTP parser is added where it has a wheel.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rostra.environments.errors import InstallFailed
from rostra.environments.installed import site_packages
from rostra.environments.site import Say, Tools
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.environments.store import Store
from rostra.runtimes.model import Runtime

SERVERS = ("uvicorn>=0.30", "h11>=0.14", "websockets>=13", "waitress>=3.0")
FASTER = ("httptools>=0.6",)


class Overlays:
    """Overlays below ``{data_dir}/overlays``; ``store`` gives single flight, scratch and rename, and reconciliation."""

    def __init__(self, tools: Tools, *, installer: str = "uv") -> None:
        self.store = Store(tools, folder=tools.data_dir / "overlays", installer=installer, keep_unpacked=False)
        self._plain: set[str] = set()  # identities of interpreters the faster parser has no wheel for

    async def ensure_overlay(self, runtime: Runtime, say: Say) -> Path:
        """Return the site-packages folder of the overlay for ``runtime``, building it when it is not there.

        Raises:
            InstallFailed: the package index cannot give what is needed; content of this interpreter cannot start.
        """
        spec = EnvironmentSpec(runtime=runtime, requirements=_text(SERVERS), bundle_dir=self.store.folder)
        if runtime.identity not in self._plain:
            try:
                return _folder(await self.store.ensure(replace(spec, requirements=_text(SERVERS + FASTER)), say))
            except InstallFailed:
                say("No overlay with the faster parser for this interpreter; trying without")
        found = await self.store.ensure(spec, say)
        self._plain.add(runtime.identity)
        return _folder(found)


def _text(requirements: tuple[str, ...]) -> str:
    return "--only-binary :all:\n" + "\n".join(requirements) + "\n"


def _folder(environment: Environment) -> Path:
    assert environment.root is not None  # overlays are always managed
    return site_packages(environment.root)
