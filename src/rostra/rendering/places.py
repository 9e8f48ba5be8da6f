"""The folders one render works in: a writable copy of the bundle, what becomes the page, and its kernel's own."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rostra.ids import new_key
from rostra.rendering.job import KernelPlaces, RenderFailed, RenderJob
from rostra.rendering.processes import to_the_end
from rostra.trees import remove_tree


@dataclass(frozen=True, slots=True)
class Place:
    """``scratch`` lies beside the output, so that what is finished is moved there in one step."""

    scratch: Path
    connection_dir: Path

    @property
    def work(self) -> Path:
        return self.scratch / "work"

    @property
    def out(self) -> Path:
        return self.scratch / "out"

    def of_kernel(self, job: RenderJob) -> KernelPlaces:
        return KernelPlaces(
            connection_dir=self.connection_dir, work_dir=self.work, cwd=(self.work / job.notebook).parent
        )

    @classmethod
    async def of(cls, job: RenderJob) -> Self:
        """Make it, complete or not at all.

        Raises:
            RenderFailed: the bundle has no such notebook.
        """
        place = cls(job.output.parent / f".scratch-{new_key()}", job.connection_dir)
        try:
            await to_the_end(_prepare, job, place)
        except BaseException:
            await place.remove()
            raise
        return place

    async def remove(self) -> None:
        await to_the_end(_remove, self.scratch, self.connection_dir)


def _prepare(job: RenderJob, place: Place) -> None:
    source = job.code_dir / job.notebook
    if not source.resolve().is_relative_to(job.code_dir.resolve()) or not source.is_file():
        raise RenderFailed(
            f"the bundle has no notebook {job.notebook!r}",
            hint="Check the entrypoint in its manifest and publish again.",
        )
    job.output.parent.mkdir(parents=True, exist_ok=True)
    place.scratch.mkdir(mode=0o711)
    place.out.mkdir(mode=0o700)
    place.connection_dir.parent.mkdir(parents=True, exist_ok=True)
    place.connection_dir.mkdir(mode=0o700)
    shutil.copytree(job.code_dir, place.work, symlinks=True, copy_function=shutil.copyfile)
    for folder, _, files in os.walk(place.work):
        Path(folder).chmod(0o700)  # the bundle is read-only, its copy is the notebook's to write in
        if job.user is not None:
            for path in (folder, *(os.path.join(folder, name) for name in files)):  # noqa: PTH118
                os.chown(path, *job.user, follow_symlinks=False)


def _remove(*folders: Path) -> None:
    for folder in folders:
        remove_tree(folder)
