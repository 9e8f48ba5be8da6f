"""Items without packages: everything depends on the author's own code."""

from __future__ import annotations

from rehearsal.corpus.item import ASGI, Item, wsgi

ITEMS = (
    Item(name="plain-wsgi", why="nothing to break", code=wsgi(), gate=True),
    Item(name="plain-asgi", why="nothing to break", kind="python-fastapi", code=ASGI),
    Item(name="modern-syntax", why="walrus, f-strings and positional-only stay", code=wsgi(
        "def f(a, /, b=1):\n    return f'{a=} {b}'\nif (n := len(path)) >= 0:\n    return f(n)")),
    Item(name="escapes", why="invalid escapes only warn", code=wsgi(
        'import re\nreturn re.sub("\\d+\\.", "", path)'), gate=True),
    Item(name="guarded-import", why="the author prepared for a missing module", code=wsgi(
        "return str(imp)", above="try:\n    import imp\nexcept ImportError:\n    imp = None\n")),
    Item(name="version-branch", why="the old name is only used on old versions", code=wsgi(
        "return 'fine'", above="import sys\nif sys.version_info < (3, 10):\n    from collections import Mapping\n"
        "else:\n    from collections.abc import Mapping\n")),
    Item(name="unused-script", why="a file that nothing imports uses a removed module", code=wsgi(),
         files={"tools/old_deploy.py": "import imp, distutils\nimp.reload\n"}),
    Item(name="python2-leftover", why="a file that does not compile today either", code=wsgi(),
         files={"legacy.py": "print 'hello'\n"}),
    Item(name="main-block", why="the removed module is only used when run as a script", code=wsgi()
         + "\nif __name__ == '__main__':\n    import imp\n    imp.reload(None)\n"),
    Item(name="event-loop", why="getting the event loop only warns", code=wsgi(
        "return 'fine'", above="import asyncio, warnings\nwarnings.simplefilter('ignore')\n"
        "loop = asyncio.new_event_loop()\n")),
    Item(name="own-imp", why="the module is the author's own", code=wsgi("return imp.reload()", above="import imp\n"),
         files={"imp.py": "def reload():\n    return 'mine'\n"}),
    Item(name="lib2to3-312", why="removed only in 3.13", on="3.9", onto="3.12", code=wsgi(above="import lib2to3\n")),
    Item(name="telnetlib-311", why="removed only in 3.13", onto="3.11", code=wsgi(above="import telnetlib\n")),
    Item(name="imp-top", why="imp is gone since 3.12", code=wsgi(above="import imp\n"), gate=True),
    Item(name="imp-helper", why="imp in a module that the application imports", code=wsgi(above="import helper\n"),
         files={"helper.py": "from imp import reload\n"}),
    Item(name="distutils-top", why="distutils is gone since 3.12", code=wsgi(
        "return LooseVersion('1.0') < LooseVersion('2.0')", above="from distutils.version import LooseVersion\n")),
    Item(name="distutils-312", why="gone already in 3.12", on="3.9", onto="3.12", code=wsgi(
        above="from distutils.util import strtobool\n")),
    Item(name="asyncore-top", why="asyncore is gone since 3.12", code=wsgi(above="import asyncore\n")),
    Item(name="cgi-top", why="cgi is gone since 3.13", on="3.9", code=wsgi(
        "return cgi.parse_header('text/html; charset=utf-8')", above="import cgi\n")),
    Item(name="crypt-lazy", why="only one page imports crypt", code=wsgi(
        "if path.endswith('sign'):\n    import crypt\n    return crypt.METHOD_SHA256\nreturn 'fine'"),
         paths=("", "sign"), gate=True),
    Item(name="telnetlib-lazy", why="only one page imports telnetlib", on="3.9", code=wsgi(
        "if path.endswith('status'):\n    import telnetlib\n    return telnetlib.Telnet\nreturn 'fine'"),
         paths=("", "status")),
    Item(name="lib2to3-313", why="removed in 3.13", on="3.9", code=wsgi(above="import lib2to3\n")),
    Item(name="mapping", why="collections.Mapping moved for good in 3.10", code=wsgi(
        "return isinstance({}, collections.Mapping)", above="import collections\n")),
    Item(name="mapping-lazy", why="the moved name is used on one page only", code=wsgi(
        "if path.endswith('x'):\n    return isinstance({}, collections.Iterable)\nreturn 'fine'",
        above="import collections\n"), onto="3.11", paths=("", "x")),
    Item(name="coroutine", why="asyncio.coroutine is gone since 3.11", code=wsgi(
        above="import asyncio\n\n@asyncio.coroutine\ndef old():\n    yield\n"), onto="3.11"),
    Item(name="getargspec", why="inspect.getargspec is gone since 3.11", code=wsgi(
        "if path.endswith('x'):\n    return inspect.getargspec(page)\nreturn 'fine'", above="import inspect\n"),
        paths=("", "x")),
    Item(name="isalive", why="Thread.isAlive is gone since 3.9; the type of an object is not known beforehand",
         code=wsgi("if path.endswith('x'):\n    return threading.Thread().isAlive()\nreturn 'fine'",
                   above="import threading\n"), paths=("", "x")),
    Item(name="tostring", why="array.tostring is gone since 3.9", code=wsgi(
        "return array.array('b', b'x').tostring()", above="import array\n")),
    Item(name="getchildren", why="Element.getchildren is gone since 3.9", code=wsgi(
        "return len(ET.fromstring('<a><b/></a>').getchildren())", above="import xml.etree.ElementTree as ET\n")),
    Item(name="fractions-gcd", why="fractions.gcd is gone since 3.9", code=wsgi(
        above="from fractions import gcd\n"), onto="3.11"),
    Item(name="safe-config-parser", why="configparser.SafeConfigParser is gone since 3.12", code=wsgi(
        "return configparser.SafeConfigParser().sections()", above="import configparser\n"), onto="3.12"),
    Item(name="locale-format", why="locale.format is gone since 3.12", on="3.9", onto="3.12", code=wsgi(
        "return locale.format('%d', 1)", above="import locale\n")),
    Item(name="random-set", why="sampling a set is an error since 3.11: nothing to see in the code", code=wsgi(
        "return random.sample({1, 2, 3}, 1)", above="import random\n"), onto="3.11"),
    Item(name="yield-annotation", why="does not compile any more", code=wsgi(
        "return 'fine'", above="from __future__ import annotations\n\ndef f():\n    x: (yield 1) = 2\n")),
    Item(name="typing-io", why="typing.io is gone since 3.13", code=wsgi(above="from typing.io import TextIO\n")),
    Item(name="wrap-socket", why="ssl.wrap_socket is gone since 3.12", code=wsgi(
        "if path.endswith('x'):\n    return ssl.wrap_socket\nreturn 'fine'", above="import ssl\n"),
        onto="3.12", paths=("", "x")),
    Item(name="broken-today", why="time.clock is gone since 3.8: it does not work today either", code=wsgi(
        "return time.clock()", above="import time\n")),
    Item(name="own-range", why="the author's range does not allow it", code=wsgi(), range=">=3.8,<3.9", gate=True),
)  # fmt: skip
