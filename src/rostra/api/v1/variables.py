"""An item's environment variables: names only, values are never given back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel

from rostra.api import edge
from rostra.api.edge import Live
from rostra.api.subjects import Edited, Inspected
from rostra.content import audit_log, variables

router = APIRouter()


class VariableBody(BaseModel):
    name: Any
    value: Any = None


Changes = Annotated[list[VariableBody], edge.parsed(list[VariableBody])]


@router.get("/v1/content/{guid}/environment")
async def list_variables(subject: Inspected) -> list[str]:
    """The names, sorted."""
    return await variables.names(subject.session, subject.item)


@router.patch("/v1/content/{guid}/environment")
async def merge_variables(changes: Changes, subject: Edited, live: Live) -> list[str]:
    """Set those with a value, remove those with null, leave the others; the names there are then."""
    given = [(change.name, change.value) for change in changes]
    taken = [str(change.name) for change in changes if change.value is None]
    audit_log.note(subject.session, set=[str(one.name) for one in changes if one.value is not None], removed=taken)
    names = await variables.merge(subject.session, live.box, subject.item, given)
    subject.changed()
    return names


@router.put("/v1/content/{guid}/environment")
async def replace_variables(changes: Changes, subject: Edited, live: Live) -> list[str]:
    """Make these the only ones; ``[]`` clears them all."""
    given = [(change.name, change.value) for change in changes]
    audit_log.note(subject.session, replaced_by=sorted(str(change.name) for change in changes))
    names = await variables.replace(subject.session, live.box, subject.item, given)
    subject.changed()
    return names
