"""What every page must know of the server it belongs to. Plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """``prefix`` is the path a proxy puts before everything, without a closing slash; empty without one."""

    name: str = "Rostra"
    prefix: str = ""
    dashboard: str = "/connect"

    def url(self, path: str) -> str:
        """Return the address of a path of this server as a visitor's browser must ask for it."""
        return f"{self.prefix}{path}"

    def page(self, path: str = "") -> str:
        """Return the address of a dashboard page; ``path`` has no leading slash."""
        return f"{self.prefix}{self.dashboard}/{path}"

    @property
    def cookie_path(self) -> str:
        return self.prefix or "/"
