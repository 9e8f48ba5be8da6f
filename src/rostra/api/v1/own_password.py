"""A person's own password."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel
from starlette.responses import Response

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, changing
from rostra.auth import own_password, users
from rostra.db.engine import transaction

router = Router()


class OwnPasswordBody(BaseModel):
    password: str
    present_password: str = ""


@router.put("/v1/user/password", status_code=204)
async def change_password(
    who: Known, wanted: Annotated[OwnPasswordBody, edge.parsed(OwnPasswordBody)], live: Live
) -> Response:
    """Change one's own password, signed in with a browser; every other browser of the person is signed out."""
    own_password.check_signed_in(who)
    async with transaction(live.reading) as session:
        user = await users.by_id(session, who.user_id)
    hashed = await own_password.hashed(
        user, live.passwords, live.tries, present=wanted.present_password, wanted=wanted.password
    )
    async with changing(live, who, "change_password", who.guid) as session:
        await own_password.change(session, who, user.password_hash, hashed, live.clock.now())
    live.on_credential_changed()
    return Response(status_code=204)
