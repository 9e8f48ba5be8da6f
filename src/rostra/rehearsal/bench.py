"""What a rehearsal works with. The composition root makes one, in the server or aside from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rostra.content.tools import Tools
from rostra.environments.store import Store
from rostra.rehearsal.model import Step
from rostra.rehearsal.start import RenderAside

READ_ONLY = (Step.match, Step.resolve, Step.static)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """``may_build`` False: another process builds in this data folder, so only `READ_ONLY` steps are carried out."""

    tools: Tools
    store: Store
    render: RenderAside
    may_build: bool = True

    @property
    def folder(self) -> Path:
        return self.tools.places.data_dir / "rehearsals"

    def possible(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return steps if self.may_build else tuple(step for step in steps if step in READ_ONLY)
