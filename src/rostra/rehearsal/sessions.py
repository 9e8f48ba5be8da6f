"""Goes on where a first page ends: applications whose own code runs only once a browser has opened a session.

Each framework is spoken to as its own page does, just far enough that the author's code runs once. What is found is
what the framework itself says of it; a framework that speaks differently than expected is no failure of the content,
and is said to be not exercised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from websockets.exceptions import WebSocketException

from rostra.rehearsal.frameworks import bokeh, dash, gradio, shiny, streamlit, voila
from rostra.rehearsal.session import Opened, Session

Open = Callable[[Opened, float], Awaitable[Session]]
_KINDS: Mapping[str, Open] = {
    "python-streamlit": streamlit.use,
    "python-shiny": shiny.use,
    "shiny": shiny.use,
    "rmd-shiny": shiny.use,
    "python-bokeh": bokeh.use,
    "python-panel": bokeh.use,
    "python-gradio": gradio.use,
    "jupyter-voila": voila.use,
    "python-dash": dash.use,
}
SAID = ("Uncaught app ex", "Script compilation error", "Error running application handler", "error handling message")
"""How frameworks begin, in their log, to tell what they caught from the author's code instead of failing."""


async def use(kind: str, opened: Opened, seconds: float) -> Session:
    """Open a session of this kind of content and say how it went."""
    how = _KINDS.get(kind)
    if how is None:
        return Session()
    try:
        async with asyncio.timeout(seconds):
            return await how(opened, seconds)
    except TimeoutError:
        return Session(failed=f"a session was not ready within {seconds:g} s")
    except (OSError, WebSocketException, ValueError, LookupError) as why:
        return Session(ran=False, unseen=f"no session could be opened to run its code ({_words(why)})")


def _words(why: BaseException) -> str:
    return f"{type(why).__name__}: {why}"[:200]
