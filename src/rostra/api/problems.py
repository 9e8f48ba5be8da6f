"""Errors as publishing clients read them. The only place that knows HTTP status codes."""

from __future__ import annotations

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from rostra import errors
from rostra.db.errors import ChangedMeanwhile, DatabaseBusy

log = structlog.get_logger()

_STATUS: dict[type[errors.Problem], int] = {
    errors.TooLarge: 413,
    errors.Invalid: 400,
    errors.NotSignedIn: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.Unavailable: 503,
}
# Numbers whose status on the wire is not their family's.
_STATUS_OF_NUMBER = {2: 405, 134: 500}


class BadParameter(errors.Invalid):
    """A query parameter or a part of the path cannot be understood."""

    code = "bad-parameter"
    number = 25

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(f"the parameter {name[:80]!r} is not usable: {why}", hint="Correct it or leave it out.")


class MethodNotServed(errors.Invalid):
    code = "method-not-served"
    number = 2

    def __init__(self, method: str) -> None:
        super().__init__(f"this address does not answer {method[:20]}", hint="See the reference of the API.")


def status_of(problem: errors.Problem) -> int:
    if problem.number in _STATUS_OF_NUMBER:
        return _STATUS_OF_NUMBER[problem.number]
    return next((_STATUS[family] for family in type(problem).__mro__ if family in _STATUS), 500)


def body_of(problem: errors.Problem) -> dict[str, object]:
    """Return exactly the three keys clients know; the number is an integer."""
    return {"code": problem.number, "error": str(problem), "payload": None}


def answer(problem: errors.Problem) -> JSONResponse:
    return JSONResponse(body_of(problem), status_of(problem))


def handle_in(app: FastAPI) -> None:
    """Make every error of ``app`` look like this."""
    app.add_exception_handler(errors.Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _parameter)
    app.add_exception_handler(IntegrityError, _collision)
    for away in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(away, _database_away)
    app.add_exception_handler(Exception, _bug)


async def _problem(request: Request, why: Exception) -> Response:  # noqa: ARG001
    assert isinstance(why, errors.Problem)
    return answer(why)


async def _http(request: Request, why: Exception) -> Response:
    """What the router says. Clients take a 404 that is not JSON to mean "no such route", and use an older one."""
    assert isinstance(why, HTTPException)
    if why.status_code == 405:
        return answer(MethodNotServed(request.method))
    return PlainTextResponse("404 page not found\n" if why.status_code == 404 else why.detail, why.status_code)


async def _parameter(request: Request, why: Exception) -> Response:  # noqa: ARG001
    assert isinstance(why, RequestValidationError)
    first = why.errors()[0]
    return answer(BadParameter(str(first["loc"][-1]), first["msg"]))


async def _collision(request: Request, why: Exception) -> Response:
    log.warning("two requests collided", path=request.url.path, why=str(why).splitlines()[0])
    return answer(ChangedMeanwhile())


async def _database_away(request: Request, why: Exception) -> Response:
    log.error("the database cannot be used", path=request.url.path, why=str(why).splitlines()[0])
    return answer(DatabaseBusy())


async def _bug(request: Request, why: Exception) -> Response:
    log.error("a request failed because of a bug", method=request.method, path=request.url.path, why=repr(why))
    bug = errors.Problem("something went wrong inside the server", hint="Its log has the details.")
    return answer(bug)
