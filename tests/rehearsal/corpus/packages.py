"""Items whose packages decide: old pins, missing wheels, packages that install and do not work."""

from __future__ import annotations

from rehearsal.corpus.item import FASTAPI, FLASK, Item, wsgi


def importing(*modules: str) -> str:
    return wsgi(above="".join(f"import {module}\n" for module in modules))


ITEMS = (
    Item(name="flask-3", why="pure Python, still good", code=FLASK, requires=("flask==3.0.3",), gate=True),
    Item(name="flask-2.3", why="pure Python, still good", on="3.9", code=FLASK, requires=("flask==2.3.3",)),
    Item(name="flask-loose", why="any version will do", code=FLASK, requires=("flask",)),
    Item(name="fastapi-pydantic-2", why="compiled, with wheels for both", kind="python-fastapi", code=FASTAPI,
         requires=("fastapi==0.115.0", "pydantic==2.10.6")),
    Item(name="requests-new", why="pure Python", code=importing("requests"), requires=("requests==2.32.3",)),
    Item(name="pyyaml-6.0.2", why="wheels for both", code=importing("yaml"), requires=("pyyaml==6.0.2",)),
    Item(name="docopt", why="a pure source distribution, built today as well", code=importing("docopt"),
         requires=("docopt==0.6.2",)),
    Item(name="simplejson", why="no wheel any more, but it can be built", code=importing("simplejson"),
         requires=("simplejson==3.17.2",)),
    Item(name="cryptography-abi3", why="one wheel for all versions", code=importing("cryptography.fernet"),
         requires=("cryptography==41.0.7",)),
    Item(name="setuptools-distutils", why="setuptools brings distutils back", code=importing("distutils.version"),
         requires=("setuptools==69.5.1",)),
    Item(name="attrs-old", why="old and pure", code=importing("attr"), requires=("attrs==19.3.0",)),
    Item(name="toolz-312", why="old and pure", on="3.9", onto="3.12", code=importing("toolz"),
         requires=("toolz==0.11.1",)),
    Item(name="numpy-loose", why="the file allows newer ones", code=importing("numpy"), requires=("numpy",), gate=True),
    Item(name="numpy-range", why="a newer one within the range", onto="3.12", code=importing("numpy"),
         requires=("numpy>=1.17,<2",)),
    Item(name="numpy-pinned", why="no wheel and it cannot be built", code=importing("numpy"),
         requires=("numpy==1.19.5",), gate=True),
    Item(name="numpy-float", why="the newer numpy has no np.float", onto="3.12", code=wsgi(
        "return np.float(1)", above="import numpy as np\n"), requires=("numpy==1.19.5",)),
    Item(name="pyyaml-5.4", why="cannot be built any more", code=importing("yaml"), requires=("pyyaml==5.4.1",)),
    Item(name="lxml-old", why="needs headers that are not there", on="3.9", code=importing("lxml.etree"),
         requires=("lxml==4.6.3",)),
    Item(name="ujson-1.35", why="its C code still compiles", code=importing("ujson"),
         requires=("ujson==1.35",)),
    Item(name="markupsafe-1.1", why="no wheel any more, but it can be built", code=importing("markupsafe"),
         requires=("markupsafe==1.1.1",)),
    Item(name="zoneinfo-backport", why="only for old Pythons; cannot be built", code=importing("backports.zoneinfo"),
         requires=("backports.zoneinfo==0.2.1",), gate=True),
    Item(name="typed-ast", why="given up; no release works", code=importing("typed_ast"),
         requires=("typed-ast==1.5.5",)),
    Item(name="urllib3-1.25", why="its bundled six does not import since 3.12", code=importing("requests"),
         requires=("requests==2.25.1", "urllib3==1.25.11"), gate=True),
    Item(name="sqlalchemy-2.0.23", why="an assertion fails on 3.13", on="3.9", code=importing("sqlalchemy"),
         requires=("sqlalchemy==2.0.23",)),
    Item(name="pydantic-1.10.2", why="typing changed underneath it", code=FASTAPI, kind="python-fastapi",
         requires=("fastapi==0.85.0", "pydantic==1.10.2")),
    Item(name="aioredis", why="two exception classes became one in 3.11", onto="3.11", code=importing("aioredis"),
         requires=("aioredis==2.0.1",)),
    Item(name="nose", why="uses what collections does not have any more", code=importing("nose"),
         requires=("nose==1.3.7",)),
    Item(name="flask-1.1", why="old chain with exact pins", code=FLASK, onto="3.11", requires=(
        "flask==1.1.4", "jinja2==2.11.3", "markupsafe==2.0.1", "werkzeug==1.0.1", "itsdangerous==1.1.0",
        "click==7.1.2")),
    Item(name="graphql-old", why="imports names that moved out of collections", onto="3.11",
         code=importing("promise"), requires=("promise==2.3",)),
)  # fmt: skip
