"""An item's environment variables: names only, values are never given back."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge, matching
from rostra.api.answers import Router
from rostra.api.edge import Live
from rostra.api.subjects import Edited, Inspected, Subject
from rostra.content import audit_log, variables
from rostra.content.errors import VariablesChanged
from rostra.wire import Guid, text

router = Router()


class VariableBody(BaseModel):
    name: Annotated[Any, text(1, pattern=f"^{variables.NAME}$")]
    value: Annotated[Any, text(null=True)] = None


Changes = Annotated[list[VariableBody], edge.parsed(list[VariableBody])]


async def _state(subject: Subject) -> str:
    return matching.mark(await variables.state(subject.session, subject.item))


async def _expect(request: Request, subject: Subject) -> None:
    matching.require(request, await _state(subject), VariablesChanged)


@router.get("/v1/content/{guid}/environment")
async def list_variables(subject: Inspected, response: Response) -> list[str]:
    """The names, sorted; ``ETag`` marks their present state for ``If-Match``."""
    matching.tell(response, await _state(subject))
    return await variables.names(subject.session, subject.item)


@router.patch("/v1/content/{guid}/environment")
async def merge_variables(
    changes: Changes, subject: Edited, live: Live, request: Request, response: Response
) -> list[str]:
    """Set those with a value, remove those with null, leave the others; the names there are then.

    With ``If-Match``: only while nobody else has changed them (409, code 106).
    """
    await _expect(request, subject)
    given = [(change.name, change.value) for change in changes]
    taken = [str(change.name) for change in changes if change.value is None]
    audit_log.note(subject.session, set=[str(one.name) for one in changes if one.value is not None], removed=taken)
    names = await variables.merge(subject.session, live.box, subject.item, given)
    matching.tell(response, await _state(subject))
    subject.changed()
    return names


@router.put("/v1/content/{guid}/environment")
async def replace_variables(
    changes: Changes, subject: Edited, live: Live, request: Request, response: Response
) -> list[str]:
    """Make these the only ones; ``[]`` clears them all. ``If-Match`` as for merging."""
    await _expect(request, subject)
    given = [(change.name, change.value) for change in changes]
    audit_log.note(subject.session, replaced_by=sorted(str(change.name) for change in changes))
    names = await variables.replace(subject.session, live.box, subject.item, given)
    matching.tell(response, await _state(subject))
    subject.changed()
    return names


class VersionedBody(BaseModel):
    """``values``: text sets a variable, null leaves it as it is; what is not named is removed."""

    version: int
    values: dict[str, Any]


class Versioned(TypedDict):
    """``values`` has every name with null: what they are is never told."""

    app_guid: Guid
    version: int
    values: dict[str, None]


async def _versioned(subject: Subject) -> Versioned:
    names = await variables.names(subject.session, subject.item)
    version = int(await _state(subject), 16)
    return {"app_guid": subject.guid, "version": version, "values": dict.fromkeys(names, None)}


@router.get("/applications/{guid}/environment")
async def get_versioned(subject: Inspected) -> Versioned:
    """The names with null for every value, and the ``version`` that a change has to name."""
    return await _versioned(subject)


@router.post("/applications/{guid}/environment")
async def change_versioned(
    wanted: Annotated[VersionedBody, edge.parsed(VersionedBody)], subject: Edited, live: Live
) -> Versioned:
    """Make these the only variables, unless they were changed since ``version`` was read (409, code 106)."""
    present = await _versioned(subject)
    if wanted.version != present["version"]:
        raise VariablesChanged
    gone = sorted(present["values"].keys() - wanted.values.keys())
    given = [(name, value) for name, value in wanted.values.items() if value is not None]
    audit_log.note(subject.session, set=sorted(name for name, _ in given), removed=gone)
    await variables.merge(subject.session, live.box, subject.item, [*given, *((name, None) for name in gone)])
    subject.changed()
    return await _versioned(subject)
