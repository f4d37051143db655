"""Errors as the console tells them: a page for people, JSON for its scripts; the words come from the one map."""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import urlsplit

from quart import Blueprint, render_template, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from lightningstor.admin.api.blueprint import problem
from lightningstor.admin.request import next_request_id
from lightningstor.admin.services import AdminServices
from lightningstor.errors import StoreError
from lightningstor.s3.errors import explain

__all__ = ["tell_problems"]

logger: Final = logging.getLogger("lightningstor.admin")
_TITLES: Final = {
    403: "You may not do that",
    404: "That is not there",
    409: "That cannot be done now",
    500: "Something went wrong here",
}


def tell_problems(blueprint: Blueprint, services: AdminServices) -> None:
    """Turn what a page raises into an answer."""

    @blueprint.errorhandler(Exception)
    async def told(error: Exception) -> ResponseReturnValue:
        request_id = next_request_id(services.world)
        if isinstance(error, HTTPException):
            return await _page(error.code or 500, error.name, f"{request.method} {request.path}", request_id)
        if request.headers.get("accept", "").startswith("application/json"):
            return problem(error, request_id)
        explained = explain(error, request.method)
        if not isinstance(error, StoreError):
            logger.error("request %s failed", request_id, exc_info=error)
        return await _page(explained.status, explained.code, explained.message, request_id)


async def _page(status: int, code: str, message: str, request_id: str) -> tuple[str, int]:
    title = _TITLES.get(status, "That did not work")
    page = await render_template(
        "problem.html", title=title, message=message, code=code, request_id=request_id, back=_back()
    )
    return page, status


def _back() -> str:
    """The page that the request came from, if it is one of ours."""
    referrer = urlsplit(request.headers.get("referer", ""))
    if referrer.netloc == request.host and referrer.path.startswith("/console/"):
        return referrer.path + (f"?{referrer.query}" if referrer.query else "")
    return url_for("console.home")
