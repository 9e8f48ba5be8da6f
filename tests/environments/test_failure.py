"""What installers said, recorded, and what is made of it."""

# ruff: noqa: E501  # recorded lines stay as they were

from __future__ import annotations

import pytest

from rostra.environments import failure
from rostra.environments.failure import decisive, failed, find_cause, needs_build

UV_NOT_FOUND = """\
error: No solution found when resolving dependencies
  cause: Because nosuchpkg-xyz-123 was not found in the package registry and you require nosuchpkg-xyz-123, we can conclude that your requirements are unsatisfiable."""
UV_OLDER_NOT_FOUND = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because nosuchpkg-xyz-123 was not found in the package registry and you
      require nosuchpkg-xyz-123, we can conclude that your requirements are
      unsatisfiable."""
UV_NO_VERSION = """\
error: No solution found when resolving dependencies
  cause: Because there is no version of flask==99 and you require flask==99, we can conclude that your requirements are unsatisfiable."""
UV_TOO_NEW = """\
error: No solution found when resolving dependencies
  cause: Because only flask<=3.1.3 is available and you require flask>=99, we can conclude that your requirements are unsatisfiable."""
UV_PYTHON = """\
error: No solution found when resolving dependencies
  cause: Because the current Python version (3.8.18) does not satisfy Python>=3.11 and numpy==2.3.0 depends on Python>=3.11, we can conclude that numpy==2.3.0 cannot be used.
         And because you require numpy==2.3.0, we can conclude that your requirements are unsatisfiable."""
UV_NO_WHEEL = """\
error: No solution found when resolving dependencies
  cause: Because docopt==0.6.2 has no usable wheels and you require docopt==0.6.2, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `docopt` because building from source is disabled for all packages (i.e., with `--no-build`)"""
UV_HASH = """\
Resolved 1 package in 109ms
error: Failed to download `six==1.16.0`
  cause: Hash mismatch for `six==1.16.0`

         Expected:
           sha256:0000000000000000000000000000000000000000000000000000000000000000

         Computed:
           sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"""
UV_UNHASHED = (
    "error: In `--require-hashes` mode, all requirements must have their versions pinned with `==`, but found: click"
)
UV_CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because flask==2.0.0 depends on werkzeug>=2.0 and you require flask==2.0, we can conclude that you require werkzeug>=2.0.
         And because you require werkzeug==0.9, we can conclude that your requirements are unsatisfiable."""
UV_COMPILER = """\
   Building badc @ file:///tmp/badc
error: Failed to build `badc @ file:///tmp/badc`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)

         [stdout]
         running build_ext
         gcc -Wsign-compare -DNDEBUG -c badc.c -o build/badc.o

         [stderr]
         badc.c:1:10: fatal error: nosuch.h: No such file or directory
         compilation terminated."""
UV_DOWN = """\
error: Request failed after 3 retries in 9.4s
  cause: Failed to fetch: http://127.0.0.1:9/simple/docopt/
  cause: error sending request for url (http://127.0.0.1:9/simple/docopt/)
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)"""
UV_GIT = """\
   Updating https://127.0.0.1:9/x.git (HEAD)
error: Git operation failed
  cause: failed to clone into: cache/git-v1/db/643f48818ad0f691
  cause: process didn't exit successfully: `/usr/bin/git fetch --force --update-head-ok 'https://127.0.0.1:9/x.git' '+HEAD:refs/remotes/origin/HEAD'` (exit status: 128)
         fatal: unable to access 'https://127.0.0.1:9/x.git/': Failed to connect to 127.0.0.1 port 9 after 0 ms"""
UV_BUILD_OFF = "error: Building source distributions is disabled, but attempted to build `bad`"
UV_DISK = "error: Failed to install: pandas-2.0-cp311-manylinux.whl (pandas==2.0)\n  cause: No space left on device (os error 28)"

PIP_NOT_FOUND = """\
ERROR: Could not find a version that satisfies the requirement nosuchpkg-xyz-123 (from versions: none)
ERROR: No matching distribution found for nosuchpkg-xyz-123"""
PIP_NO_VERSION = """\
ERROR: Could not find a version that satisfies the requirement flask==99 (from versions: 0.1, 0.2, 3.0.3)
ERROR: No matching distribution found for flask==99"""
PIP_PYTHON = """\
ERROR: Ignored the following versions that require a different python version: 1.25.0 Requires-Python >=3.9; 2.3.0 Requires-Python >=3.11; 2.3.0rc1 Requires-Python >=3.11
ERROR: Could not find a version that satisfies the requirement numpy==2.3.0 (from versions: 1.3.0, 1.24.4)
ERROR: No matching distribution found for numpy==2.3.0"""
PIP_HASH = """\
Collecting six==1.16.0
  Downloading six-1.16.0-py2.py3-none-any.whl (11 kB)
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package versions, please update the hashes.
    six==1.16.0 from https://example.org/six-1.16.0-py2.py3-none-any.whl#sha256=8abb (from -r f.txt (line 1)):
        Expected sha256 0000000000000000000000000000000000000000000000000000000000000000
             Got        8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"""
PIP_UNHASHED = """\
Collecting click
ERROR: Hashes are required in --require-hashes mode, but they are missing from some requirements. Here is a list.
    click==8.1.8 --hash=sha256:63c132bbbed01578a06712a2d1f497bb62d9c1c0d329b7903a866228027263b2"""
PIP_CONFLICT = """\
Collecting flask==2.0
Collecting werkzeug==0.9
  Preparing metadata (setup.py): started
ERROR: Cannot install -r f.txt (line 1) and werkzeug==0.9 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested werkzeug==0.9
    flask 2.0.0 depends on Werkzeug>=2.0

ERROR: ResolutionImpossible: for help visit the documentation"""
PIP_BUILD = """\
Collecting six==1.16.0
  Downloading six-1.16.0-py2.py3-none-any.whl (11 kB)
Processing ./bad
  Installing build dependencies: started
  Getting requirements to build wheel: started
  error: subprocess-exited-with-error

  × Getting requirements to build wheel did not run successfully.
  │ exit code: 1
  ╰─> [1 lines of output]
      no compiler here
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip."""
PIP_DOWN = """\
WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError: [Errno 111] Connection refused': /simple/six/
ERROR: Could not find a version that satisfies the requirement six (from versions: none)
ERROR: No matching distribution found for six"""

UV_NO_PROJECT = """\
error: `./lib` does not appear to be a Python project, as neither `pyproject.toml` nor `setup.py` are present in the directory"""
PIP_NO_PROJECT = "ERROR: Directory './lib' is not installable. Neither 'setup.py' nor 'pyproject.toml' found."
PIP_UNPINNED = """\
ERROR: In --require-hashes mode, all requirements must have their versions pinned with ==. These do not:
    click from https://example.org/click-8.5.1-py3-none-any.whl (from click)"""
UV_URL_404 = """\
error: Failed to download `six @ http://example.org/six-1.16.0-py2.py3-none-any.whl`
  cause: Failed to fetch: http://example.org/six-1.16.0-py2.py3-none-any.whl
  cause: HTTP status client error (404 Not Found) for url (http://example.org/six-1.16.0-py2.py3-none-any.whl)"""
PIP_URL_404 = "ERROR: Could not install requirement six@ http://example.org/six.whl from http://example.org/six.whl because of HTTP error 404 Client Error: Not Found for url: http://example.org/six.whl"
UV_DENIED = """\
error: No solution found when resolving dependencies
  cause: Because ours was not found in the package registry and you require ours, we can conclude that your requirements are unsatisfiable.

hint: An index URL (http://example.org/simple) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)."""
PIP_DENIED = """\
WARNING: 401 Error, Credentials not correct for http://example.org/simple/ours/
ERROR: Could not find a version that satisfies the requirement ours (from versions: none)
ERROR: No matching distribution found for ours"""
UV_GIT_SSH = """\
error: Failed to download and build `x @ git+ssh://git@127.0.0.1:9/x.git`
  cause: Git operation failed
  cause: failed to clone into: cache/git-v1/db/5c42391f8587027b
         fatal: Could not read from remote repository."""
UV_NO_GIT = """\
error: Failed to download and build `x @ git+https://example.org/x.git`
  cause: Git operation failed
  cause: Git executable not found. Ensure that Git is installed and available."""
PIP_GIT = """\
Collecting git+https://127.0.0.1:9/x.git
  Cloning https://127.0.0.1:9/x.git to ./pip-req-build
error: subprocess-exited-with-error

× git clone --filter=blob:none --quiet https://127.0.0.1:9/x.git did not run successfully.
│ exit code: 128"""
PIP_NO_GIT = """\
Collecting git+https://example.org/x.git
ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?"""
PIP_BACKEND = """\
Collecting numpy==1.19.5
ERROR: Exception:
Traceback (most recent call last):
  File "pip/_internal/cli/base_command.py", line 106, in _run_wrapper
    status = _inner_run()
pip._vendor.pyproject_hooks._impl.BackendUnavailable: Traceback (most recent call last):
  File "setuptools/__init__.py", line 9, in <module>
    import distutils.core
ModuleNotFoundError: No module named 'distutils'
"""


@pytest.mark.parametrize(
    ("said", "reason", "requirement"),
    [
        (UV_NOT_FOUND, failure.NOT_FOUND, "nosuchpkg-xyz-123"),
        (UV_OLDER_NOT_FOUND, failure.NOT_FOUND, "nosuchpkg-xyz-123"),
        (UV_NO_VERSION, failure.NO_VERSION, "flask==99"),
        (UV_TOO_NEW, failure.NO_VERSION, "flask>=99"),
        (UV_PYTHON, failure.NO_VERSION, "numpy==2.3.0"),
        (UV_NO_WHEEL, failure.NO_VERSION, "docopt==0.6.2"),
        (UV_HASH, failure.HASH, "six==1.16.0"),
        (UV_UNHASHED, failure.HASH, "click"),
        (UV_CONFLICT, failure.CONFLICT, "flask==2.0 and werkzeug==0.9"),
        (UV_COMPILER, failure.BUILD, "badc @ file:///tmp/badc"),
        (UV_DOWN, failure.INDEX, "http://127.0.0.1:9/simple/docopt"),
        (UV_GIT, failure.INDEX, "https://127.0.0.1:9/x.git"),
        (UV_DISK, failure.DISK, ""),
        (PIP_NOT_FOUND, failure.NOT_FOUND, "nosuchpkg-xyz-123"),
        (PIP_NO_VERSION, failure.NO_VERSION, "flask==99"),
        (PIP_PYTHON, failure.NO_VERSION, "numpy==2.3.0"),
        (PIP_HASH, failure.HASH, "six==1.16.0"),
        (PIP_UNHASHED, failure.HASH, "click==8.1.8"),
        (PIP_CONFLICT, failure.CONFLICT, "-r f.txt (line 1) and werkzeug==0.9"),
        (PIP_BUILD, failure.BUILD, "./bad"),
        (PIP_DOWN, failure.INDEX, "six"),
        (UV_NO_PROJECT, failure.NO_PROJECT, "./lib"),
        (PIP_NO_PROJECT, failure.NO_PROJECT, "./lib"),
        (PIP_UNPINNED, failure.HASH, "click"),
        (UV_URL_404, failure.INDEX, "six @ http://example.org/six-1.16.0-py2.py3-none-any.whl"),
        (PIP_URL_404, failure.INDEX, "six@ http://example.org/six.whl"),
        (UV_DENIED, failure.DENIED, "ours"),
        (PIP_DENIED, failure.DENIED, "ours"),
        (UV_GIT_SSH, failure.INDEX, "x @ git+ssh://git@127.0.0.1:9/x.git"),
        (UV_NO_GIT, failure.GIT, "x @ git+https://example.org/x.git"),
        (PIP_GIT, failure.INDEX, "git+https://127.0.0.1:9/x.git"),
        (PIP_NO_GIT, failure.GIT, "git+https://example.org/x.git"),
        (PIP_BACKEND, failure.BUILD, "numpy==1.19.5"),
        ("something nobody has seen before", failure.OTHER, ""),
        ("", failure.OTHER, ""),
    ],
)
def test_the_cause(said: str, reason: str, requirement: str) -> None:
    cause = find_cause(said.splitlines())
    assert (cause.reason, cause.requirement) == (reason, requirement)


@pytest.mark.parametrize("said", [UV_PYTHON, PIP_PYTHON])
def test_the_python_that_would_be_needed_is_said(said: str) -> None:
    problem = failed(said.splitlines(), installer="uv" if "cause" in said else "pip", python="3.8.18")
    assert problem.message == "numpy==2.3.0 cannot be used with Python 3.8.18: it needs Python >=3.11."


@pytest.mark.parametrize(
    ("said", "installer", "message"),
    [
        (UV_NO_VERSION, "uv", "flask==99 cannot be used with Python 3.11.7: there is no such version for it."),
        (UV_CONFLICT, "uv", "flask==2.0 and werkzeug==0.9 contradict each other."),
        (UV_NO_PROJECT, "uv", "./lib is no Python package: it has neither pyproject.toml nor setup.py."),
        (PIP_DENIED, "pip", "ours could not be fetched: the address answers 401."),
        (
            PIP_URL_404,
            "pip",
            "six@ http://example.org/six.whl could not be fetched: the address answers 404 Not Found.",
        ),
        ("error: no idea", "uv", "The installer failed: no idea."),
    ],
)
def test_the_requirement_at_fault_comes_first(said: str, installer: str, message: str) -> None:
    assert failed(said.splitlines(), installer=installer, python="3.11.7").message == message


def test_of_a_crash_of_pip_the_reason_is_kept() -> None:
    assert decisive(PIP_BACKEND.splitlines(), "pip")[-1] == "ModuleNotFoundError: No module named 'distutils'"


@pytest.mark.parametrize(
    ("said", "expected", "why"),
    [
        (UV_NO_WHEEL, True, "only sources"),
        (UV_BUILD_OFF, True, "a folder"),
        (PIP_NOT_FOUND, True, "pip does not say whether there are sources"),
        (UV_NOT_FOUND, False, "there is nothing to build"),
        (UV_TOO_NEW, False, "no such version"),
        (UV_HASH, False, "building does not make it right"),
        (UV_DOWN, False, "try later"),
        (PIP_DOWN, False, "try later"),
        (PIP_HASH, False, "building does not make it right"),
    ],
)
def test_when_building_may_help(said: str, expected: bool, why: str) -> None:
    assert needs_build(said.splitlines()) is expected, why


def test_decisive_lines_begin_with_the_installers_conclusion() -> None:
    assert decisive(UV_COMPILER.splitlines(), "uv")[0] == "error: Failed to build `badc @ file:///tmp/badc`"
    assert decisive(PIP_PYTHON.splitlines(), "pip")[0] == "ERROR: No matching distribution found for numpy==2.3.0"


def test_of_long_output_the_complaints_are_kept() -> None:
    noise = [f"         copying file {n}" for n in range(500)]
    lines = ["error: Failed to build `x==1`", *noise, "         x.c:1: fatal error: nosuch.h", *noise, "hint: the end"]
    kept = decisive(lines, "uv")
    assert len(kept) <= 41
    assert kept[0] == lines[0]
    assert "         x.c:1: fatal error: nosuch.h" in kept
    assert kept[-1] == "hint: the end"


def test_a_timeout_has_its_own_words() -> None:
    problem = failed([], installer="uv", python="3.11.7", timed_out=True)
    assert problem.reason == failure.TIMEOUT
    assert problem.hint


def test_every_reason_has_a_sentence_and_a_hint() -> None:
    reasons = [
        getattr(failure, name) for name in dir(failure) if name.isupper() and isinstance(getattr(failure, name), str)
    ]
    for reason in reasons:
        sentence, hint = failure._SAID[reason]
        assert sentence
        assert hint.endswith(".")
