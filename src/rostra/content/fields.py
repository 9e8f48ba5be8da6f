"""What a client may set on an item: for each field its check. Pure.

A field that Rostra only keeps (`KEPT`) lives in ``Item.settings``; all others are columns of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rostra.content import limits
from rostra.content.access import Access
from rostra.content.errors import (
    InvalidDescription,
    InvalidField,
    InvalidLockedMessage,
    InvalidName,
    InvalidTitle,
    UnknownAccessType,
    UnknownField,
)
from rostra.content.names import legal_item_name, storable
from rostra.content.tables import Item

Check = Callable[[object], Any]


def check(given: Mapping[str, object]) -> dict[str, Any]:
    """Return what would be stored.

    Raises:
        UnknownField: nothing of that name can be changed.
        Invalid: a subclass of its own for nearly every field.
    """
    return {name: _check_of(name)(value) for name, value in given.items()}


def apply(item: Item, changes: Mapping[str, Any]) -> None:
    """Set what `check` returned."""
    kept = {name: value for name, value in changes.items() if name in KEPT}
    if kept:
        item.settings = {**(item.settings or {}), **kept}  # a new dict: changes inside one are not noticed
    for name, value in changes.items():
        if name not in KEPT:
            setattr(item, name, value)


def limits_of(item: Item) -> dict[str, Any]:
    """Return the item's own limits as they are."""
    return {name: getattr(item, name) for name in LIMITS if name not in KEPT}


def _title(value: object) -> Any:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not 3 <= len(value) <= 1024 or not storable(value):
        raise InvalidTitle
    return value


def _name(value: object) -> Any:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not legal_item_name(value):
        raise InvalidName(value)
    return value


def _text_to(most: int, refusal: Callable[[], Exception]) -> Check:
    def check(value: object) -> Any:
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > most or not storable(value):
            raise refusal()
        return value

    return check


def _access_type(value: object) -> Any:
    if value not in tuple(Access):
        raise UnknownAccessType(value)
    return str(value)


def _flag(name: str, *, null: bool = False) -> Check:
    def check(value: object) -> Any:
        if not (isinstance(value, bool) or (null and value is None)):
            raise InvalidField(name, "true or false" + (" or null" if null else ""))
        return value

    return check


def _text_or_null(name: str) -> Check:
    def check(value: object) -> Any:
        if value is not None and (not isinstance(value, str) or len(value) > 255 or not storable(value)):
            raise InvalidField(name, "at most 255 characters, or null")
        return value or None

    return check


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


LIMITS: Mapping[str, Check] = {name: _or_null(check) for name, check in limits.CHECKS.items()}

KEPT: Mapping[str, Check] = {
    "amd_gpu_limit": LIMITS["amd_gpu_limit"],
    "nvidia_gpu_limit": LIMITS["nvidia_gpu_limit"],
    **{
        name: _text_or_null(name) for name in ("service_account_name", "default_image_name", "default_environment_guid")
    },
    **{
        name: _flag(name, null=True)
        for name in (
            *("default_r_environment_management", "run_as_current_user", "extension", "draft_marker_enabled"),
            *("metrics_collection_enabled", "notify_on_share", "otel_enabled"),
        )
    },
}

_OWN: Mapping[str, Check] = {
    "name": _name,
    "title": _title,
    "description": _text_to(4096, InvalidDescription),
    "access_type": _access_type,
    "content_category": _text_to(64, lambda: InvalidField("content_category", "at most 64 characters")),
    "locked": _flag("locked"),
    "locked_message": _text_to(1024, InvalidLockedMessage),
    "run_as": _text_or_null("run_as"),
    "manage_python": _flag("default_py_environment_management", null=True),
}


def _check_of(name: str) -> Check:
    for table in (_OWN, KEPT, LIMITS):
        if name in table:
            return table[name]
    raise UnknownField(name)
