"""Content from a Git repository: not offered yet, said so that clients can tell it from a missing route."""

from __future__ import annotations

from fastapi import APIRouter

from rostra.api.subjects import Inspected
from rostra.errors import NotFound

router = APIRouter()


class NoRepository(NotFound):
    code = "no-repository"

    def __init__(self) -> None:
        super().__init__("this content does not come from a Git repository", hint="It is published from a folder.")


class GitNotServed(NotFound):
    code = "git-not-served"
    number = 145

    def __init__(self) -> None:
        super().__init__("this server does not publish from Git", hint="Publish from a clone of the repository.")


@router.get("/v1/content/{guid}/repository")
async def get_repository(subject: Inspected) -> None:  # noqa: ARG001
    """Always 404: the item has none."""
    raise NoRepository


@router.put("/v1/content/{guid}/repository")
@router.patch("/v1/content/{guid}/repository")
@router.delete("/v1/content/{guid}/repository")
async def change_repository(subject: Inspected) -> None:  # noqa: ARG001
    """Always 404: publishing from Git is not served."""
    raise GitNotServed
