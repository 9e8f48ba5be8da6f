"""Says why content does not start: one sentence, what to do, and only the author's part of the traceback. Pure."""

from __future__ import annotations

import os
import traceback
from typing import List, Optional

MARK = "rostra: "  # begins the lines that are meant for the author

# Modules whose package on the index has another name.
_PACKAGES = {
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "jwt": "pyjwt",
    "PIL": "pillow",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


# What was part of Python once: there is no such package, or it is not the same thing.
_ONCE_STANDARD = """
aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils dummy_threading formatter imghdr imp lib2to3
macpath mailcap msilib nis nntplib ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib uu xdrlib
"""


class Failure(Exception):
    """Content cannot start. ``cause`` is the author's exception when there is one."""

    def __init__(self, message: str, hint: str = "", cause: Optional[BaseException] = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.cause = cause


def lines(failure: Failure, code_dir: str) -> List[str]:
    """Return what to print: the sentence with its hint first, then the trimmed traceback."""
    first = " ".join(part for part in (failure.message, failure.hint) if part)
    if failure.cause is None:
        return [MARK + first]
    return [MARK + first, *trimmed(failure.cause, code_dir)]


def trimmed(error: BaseException, code_dir: str) -> List[str]:
    """Return the traceback of ``error`` with the frames of files under ``code_dir`` only, and its last line."""
    shown = [_of_the_author(frame, code_dir) for frame in traceback.extract_tb(error.__traceback__)]
    texts = traceback.format_list([frame for frame in shown if frame is not None])
    texts += traceback.format_exception_only(type(error), error)
    return [line for text in texts for line in text.rstrip("\n").replace(code_dir + os.sep, "").split("\n")]


def while_importing(error: BaseException, where: str) -> Failure:
    """Return the failure for what the author's code raised when it was imported. ``where`` is a file or a module."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(error, where)
    if isinstance(error, SystemExit):
        return Failure(
            f"{where} ended the process while it was imported (exit status {error.code}).",
            "Move what parses arguments or exits under `if __name__ == '__main__':`.",
            error,
        )
    if isinstance(error, SyntaxError):
        place = f"line {error.lineno} of {os.path.basename(error.filename or where)}"
        return Failure(f"{where} cannot be imported: {place} is not valid Python here ({error.msg}).", "", error)
    return Failure(f"{where} failed while it was imported: {type(error).__name__}: {_first_line(error)}", "", error)


def missing(module: str) -> Failure:
    """Return the failure for a package the content needs and its environment has not got."""
    top = module.partition(".")[0]
    if top in _ONCE_STANDARD.split():
        what = "was part of Python once and is not part of the Python this content runs on."
        instead = "have setuptools installed" if top == "distutils" else "publish for an older Python"
        return Failure(f"{module!r} {what}", f"Change the code that imports it, or {instead}.")
    package = _PACKAGES.get(top, top)
    return Failure(f"No module named {module!r} is installed for this content.", f"Add {package} to requirements.txt.")


def _missing_module(error: ModuleNotFoundError, where: str) -> Failure:
    plain = missing(error.name or "")
    return Failure(f"{where} cannot be imported: {plain.message[0].lower()}{plain.message[1:]}", plain.hint, error)


def _of_the_author(frame: traceback.FrameSummary, code_dir: str) -> Optional[traceback.FrameSummary]:
    return frame if frame.filename.startswith(code_dir + os.sep) else None


def _first_line(error: BaseException) -> str:
    return (str(error) or "no message").split("\n", 1)[0]
