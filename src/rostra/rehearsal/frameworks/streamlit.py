"""Streamlit: the script runs when a browser asks for it."""

from __future__ import annotations

from rostra.rehearsal.session import Opened, Session


async def use(opened: Opened, _: float) -> Session:
    async with opened.talk(f"{opened.base}_stcore/stream", "streamlit") as talking:
        await talking.send(b"\x5a\x00")  # BackMsg.rerun_script, with nothing in it
        async for message in talking:
            if isinstance(message, bytes) and (ended := field_of(message, 6)) is not None:
                return Session(failed="its script does not compile" if ended == 1 else "")
    return Session(failed="the server closed the session before the script had ended")


def field_of(message: bytes, wanted: int) -> int | None:
    """Return the varint ``wanted`` of a message, None when it has none; the others are skipped.

    Raises:
        ValueError: this is no such message.
    """
    place = 0
    found = None
    while place < len(message):
        tag, place = _varint(message, place)
        sort = tag & 7
        if sort == 0:
            value, place = _varint(message, place)
            found = value if tag >> 3 == wanted else found
        elif sort == 2:
            size, place = _varint(message, place)
            place += size
        elif sort in (1, 5):
            place += 8 if sort == 1 else 4
        else:
            raise ValueError(f"wire type {sort}")
    return found


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise ValueError("a message is cut off")
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return value, place
