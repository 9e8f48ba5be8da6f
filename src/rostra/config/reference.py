"""Write the reference page of all settings from their declarations: `python -m rostra.config.reference`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from rostra.config import values
from rostra.config.declarations import Declared, all_settings, labelled_settings

PAGE = Path("docs/reference/settings.md")
_HEAD = """\
# Settings

<!-- Made by `python -m rostra.config.reference` from src/rostra/config/sections.py; do not edit. -->

A configuration file has sections and `Name = value` lines:

```ini
; a comment begins with ; or #, also after a value
[Python]
Enabled = true
Executable = /opt/python/3.9.18/bin/python3
Executable = /opt/python/3.13.0/bin/python3
```

Section and setting names ignore case. A section may appear several times. A setting that takes several values is
repeated, one line for each; of any other setting the last line counts. Text with `;`, `#` or blanks at its ends goes in
double quotes; inside, `\\"`, `\\\\`, `\\n` and `\\t` are understood. A backslash at the end of a line joins the next.

| value | looks like |
|---|---|
| true or false | `true` `false`, also `yes` `no` `on` `off` `1` `0` |
| duration | `30s` `5m` `1h30m` `250ms` `30d`; a bare number is nanoseconds |
| size | `500 MB` `2 GiB`; a bare number is bytes |
| path | absolute |

Every setting can also come from a variable, `ROSTRA_` + section + `_` + name in capitals (`ROSTRA_PYTHON_EXECUTABLE`);
`CONNECT_` in place of `ROSTRA_` works too and counts when the other is absent. Several values are separated by line
ends or, unless they are addresses, by `:`. The command line outranks variables, variables outrank the file.

`rostra config check` finds every mistake at once, `rostra config show` prints what is in force and where it came from,
and `rostra config explain Python.Executable` tells all about one setting. Settings marked *reload* take effect when the
server reloads its configuration, the others when it starts.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    return _HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    every = (*all_settings(), *labelled_settings())
    for (section, labelled), group in groupby(every, key=lambda setting: (setting.section, setting.labelled)):
        yield f"\n## [{section}]\n"
        if labelled:
            yield f'\nThere may be several of this section, each with a label: `[{section} "any word"]`.\n'
        yield "\n| setting | type | default | meaning | since |\n|---|---|---|---|---|\n"
        yield from (_row(setting) for setting in group)


def _row(setting: Declared) -> str:
    default = values.shown(setting, setting.default)
    shown = f"`{default}`" if default else "–"
    marks = " *Secret: never shown.*" if setting.secret else ""
    marks += " *reload*" if setting.reloadable else ""
    return f"| `{setting.name}` | {setting.type_words} | {shown} | {setting.help}{marks} | {setting.since} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
