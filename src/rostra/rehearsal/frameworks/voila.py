"""Voila: the notebook runs while its page is made, which tells of an error in it."""

from __future__ import annotations

import re

from rostra.rehearsal.session import Opened, Session


async def use(opened: Opened, _: float) -> Session:
    text = opened.page.text
    if found := re.search(r"There was an error when executing cell \[?(\d*)\]?", text):
        return Session(failed=f"cell {found[1]} failed" if found[1] else "a cell failed")
    if "kernelId" not in text:
        return Session(ran=False, unseen="it is a list of notebooks, and none of them was run")
    return Session()
