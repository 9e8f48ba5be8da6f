"""Say what a setting is, what it is set to and why: the text of `rostra config show` and `rostra config explain`."""

from __future__ import annotations

import difflib
from typing import Any

from rostra.config import values
from rostra.config.declarations import Declared, all_settings, by_name, find, labelled_settings
from rostra.config.load import Loaded, Origin
from rostra.config.sections import Settings
from rostra.errors import NotFound


class NoSuchSetting(NotFound):
    """``name`` is not ``Section.Name`` of any setting."""

    code = "no-such-setting"

    def __init__(self, name: str) -> None:
        self.name = name
        names = {setting.full_name.lower(): setting.full_name for setting in by_name().values()}
        names |= {setting.name.lower(): setting.full_name for setting in reversed(all_settings())}  # the first counts
        near = difflib.get_close_matches(name.lower(), names, n=1)
        hint = f"Did you mean {names[near[0]]}?" if near else "`rostra config show` lists them all."
        super().__init__(f"there is no setting {name}", hint=hint)


def current(settings: Settings, setting: Declared) -> Any:
    """Return the value of ``setting`` in ``settings``."""
    return getattr(getattr(settings, setting.section_attribute), setting.attribute)


def listing(loaded: Loaded) -> list[dict[str, object]]:
    """Return every setting in order: its name, value (secrets hidden), source and places, and whether it is default."""
    plain = [(setting, setting.full_name, current(loaded.settings, setting)) for setting in all_settings()]
    labelled = [
        (setting, setting.key(label), getattr(section, setting.attribute))
        for setting in labelled_settings()
        for label, section in getattr(loaded.settings, setting.section_attribute).items()
    ]
    return [
        {
            "name": name,
            "value": values.shown(setting, value),
            "source": str(loaded.sources[name]),
            "places": list(loaded.sources[name].places),
            "default": loaded.sources[name].origin is Origin.default,
        }
        for setting, name, value in (*plain, *labelled)
    ]


def explanation(loaded: Loaded, name: str) -> dict[str, object]:
    """Return what there is to know about the setting ``name`` (``Python.Executable``, case ignored).

    Raises:
        NoSuchSetting: with the nearest name as its hint.
    """
    setting = find(name)
    if setting is None:
        raise NoSuchSetting(name)
    return {
        "name": setting.full_name,
        "help": setting.help,
        "type": setting.type_words,
        "default": values.shown(setting, setting.default),
        **_in_force(loaded, setting),
        "variable": setting.variable,
        "takes effect": "on reload" if setting.reloadable else "at start",
        "since": setting.since,
    }


def _in_force(loaded: Loaded, setting: Declared) -> dict[str, object]:
    if not setting.labelled:
        shown: object = values.shown(setting, current(loaded.settings, setting))
        return {"value": shown, "source": str(loaded.sources[setting.full_name])}
    sections = getattr(loaded.settings, setting.section_attribute)
    return {
        "value": [str(values.shown(setting, getattr(each, setting.attribute))) for each in sections.values()],
        "source": ", ".join(str(loaded.sources[setting.key(label)]) for label in sections),
    }
