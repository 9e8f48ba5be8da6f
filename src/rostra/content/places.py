"""Where everything of an item lives under the data folder. Pure: no disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """Paths under ``Server.DataDir``; nothing else in the server joins them by hand."""

    data_dir: Path

    @property
    def run_dir(self) -> Path:
        return self.data_dir / "run"

    @property
    def secrets(self) -> Path:
        return self.data_dir / "secrets"

    def bundles(self, guid: str) -> Path:
        return self.data_dir / "bundles" / guid

    def archive(self, guid: str, bundle_id: int) -> Path:
        return self.bundles(guid) / f"{bundle_id}.tar.gz"

    def app(self, guid: str, bundle_id: int) -> Path:
        return self.data_dir / "apps" / guid / str(bundle_id)

    def renderings(self, guid: str) -> Path:
        return self.data_dir / "renderings" / guid

    def log(self, guid: str, job_key: str) -> Path:
        return self.data_dir / "jobs" / guid / f"{job_key}.log"

    def process(self, key: str) -> Path:
        """The private folder of one process; short, because a socket's path is limited to 107 bytes."""
        return self.run_dir / "p" / key

    def kernel(self, key: str) -> Path:
        """The private folder of one notebook's kernel. Apart from processes: those are the keeper's to put away."""
        return self.run_dir / "k" / key
