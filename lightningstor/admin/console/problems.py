"""Errors as the console tells them: a page for people, JSON for its scripts; the words come from the one map."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from quart import Blueprint, render_template, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from lightningstor.admin.failures import note_failure, problem, reason_of
from lightningstor.admin.noting import noted
from lightningstor.admin.problem import code_of_status

__all__ = ["http_problem_page", "tell_problems"]

_TITLES: Final = {
    403: "You may not do that",
    404: "That is not there",
    409: "That cannot be done now",
    500: "Something went wrong here",
}


def tell_problems(blueprint: Blueprint) -> None:
    """Turn what a page raises into an answer."""

    @blueprint.errorhandler(Exception)
    async def told(error: Exception) -> ResponseReturnValue:
        if request.headers.get("accept", "").startswith("application/json"):
            return problem(error)
        if isinstance(error, HTTPException):
            return await http_problem_page(error)
        explained = note_failure(error)
        return await _page(explained.status, explained.code, explained.message)


async def http_problem_page(error: HTTPException) -> tuple[str, int]:
    """The page for a request that no page of the console takes."""
    status = error.code or 500
    note = noted()
    note.code = code_of_status(status)
    return await _page(status, note.code, reason_of(error))


async def _page(status: int, code: str, message: str) -> tuple[str, int]:
    title = _TITLES.get(status, "That did not work")
    page = await render_template(
        "problem.html", title=title, message=message, code=code, request_id=noted().id, back=_back()
    )
    return page, status


def _back() -> str:
    """The page that the request came from, if it is one of ours."""
    referrer = urlsplit(request.headers.get("referer", ""))
    if referrer.netloc == request.host and referrer.path.startswith("/console/"):
        return referrer.path + (f"?{referrer.query}" if referrer.query else "")
    return url_for("console.home")
