"""What a renderer is told. Pure."""

from __future__ import annotations

from typing import Any

from rostra.rendering.job import RenderJob
from rostra.rendering.kernel_command import command, environment
from rostra.rendering.places import Place


def whole(job: RenderJob, place: Place) -> dict[str, Any]:
    """Return the order to render ``job`` now."""
    return _kernel(job, place, {**job.env, **job.late}) | _page(job, place) | {"ahead": False}


def ahead(job: RenderJob, place: Place) -> dict[str, Any]:
    """Return the order to have a kernel ready for ``job``, which does not say what that job alone may know."""
    return _kernel(job, place, dict(job.env)) | {"ahead": True}


def rest(job: RenderJob, place: Place) -> dict[str, Any]:
    """Return the order that follows `ahead`: go on with this job."""
    return _page(job, place) | {"late": dict(job.late)}


def _kernel(job: RenderJob, place: Place, env: dict[str, str]) -> dict[str, Any]:
    places = place.of_kernel(job)
    return {
        "argv": list(job.wrap(command(job.python, place.connection_dir, env), places)),
        "cwd": str(places.cwd),
        "env": environment(job.python, place.connection_dir, env),
        "connection_dir": str(place.connection_dir),
        "work": str(place.work),
        "notebook": str(place.work / job.notebook),
        "start_seconds": job.start_timeout.total_seconds(),
        "user": list(job.user) if job.user else None,
    }


def _page(job: RenderJob, place: Place) -> dict[str, Any]:
    return {
        "out": str(place.out),
        "title": job.title or (place.work / job.notebook).stem,
        "execute": job.execute,
        "parameters": dict(job.parameters),
        "hide_all_input": job.hide_all_input,
        "hide_tagged_input": job.hide_tagged_input,
        "output_bytes": job.output_bytes,
        "memory_bytes": job.memory_bytes,
    }
