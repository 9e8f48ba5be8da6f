"""Content in an environment that was put together from packages other content had before."""

from __future__ import annotations

import pytest
from support.direct import new_item, source
from support.server import Server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("server")]

# Big enough to be linked as a whole, and of Python alone.
BIG = "narwhals==1.40.0"
IMPORTS = """
import narwhals, os, sys
FACTS["narwhals"] = [narwhals.__version__, os.path.islink(os.path.dirname(narwhals.__file__)), sys.prefix]
assert narwhals.__file__.startswith(sys.prefix)
assert narwhals.from_native is not None
print("linked:", FACTS["narwhals"][1], flush=True)
"""


def test_the_second_gets_what_the_first_installed_and_runs_in_it(server: Server) -> None:
    files = {"app.py": source(more=IMPORTS)}
    first, second = new_item(server), new_item(server)
    first.deploy({**files, "requirements.txt": f"{BIG}\nsix==1.17.0\n"})
    assert first.get().status == 200
    known = server.data_dir / "unpacked"
    until(lambda: list(known.glob("*/narwhals-1.40.0/about.json")), within(20), "nothing is kept")
    number = second.upload({**files, "requirements.txt": f"{BIG}\n"})
    done = server.wait_for(second.start_deploy(number))
    assert done["code"] == 0, done
    assert [line for line in done["output"] if "1 packages that are known" in line], done["output"]
    job = second.told()["job"]
    assert "linked: True" in server.get(f"{second.api}/jobs/{job}/log").text
