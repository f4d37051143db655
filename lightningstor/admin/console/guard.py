"""What stands before and behind every page: the session, the CSRF token, the headers that bind the browser."""

from __future__ import annotations

import hmac
from typing import Final

from quart import Blueprint, Response, g, redirect, request, url_for
from quart.wrappers.response import Response as QuartResponse

from lightningstor.admin.console.sessions import COOKIE, Session, Sessions
from lightningstor.admin.noting import noted

__all__ = ["CSRF_FIELD", "CSRF_HEADER", "current_session", "guard"]

CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "x-csrf-token"
_OPEN: Final = frozenset({"console.log_in", "console.log_in_form", "console.static"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def current_session() -> Session:
    """The session of the request that is being answered; there is one, or `guard` would have answered it."""
    session: Session = g.session
    return session


def guard(blueprint: Blueprint, sessions: Sessions) -> None:
    """Put the checks before every view of the blueprint, and the headers behind it."""

    @blueprint.before_request
    async def check() -> QuartResponse | None:
        g.session = session = sessions.find(request.cookies.get(COOKIE))
        note = noted()
        if session is not None:
            note.principal, note.access_key = session.principal, session.credential.access_key_id
            note.authentication = "session"
        if request.endpoint in _OPEN:
            return None
        if session is None:
            note.refused = True
            return _to_login()
        if request.method not in _SAFE and not await _csrf_holds(session):
            note.code = "AccessDenied"
            return Response("This page is out of date: go back, reload it and try again.", 403)
        return None

    @blueprint.after_request
    async def bind_browser(response: QuartResponse) -> QuartResponse:
        response.headers.update(_HEADERS)
        if request.endpoint != "console.static":
            response.headers["cache-control"] = "no-store"
        return response


def _to_login() -> QuartResponse:
    """A page goes to the login and then back; a script is told, and reloads its page."""
    if request.headers.get("accept", "").startswith("application/json") or request.method not in _SAFE:
        return Response("You are not logged in, or no longer.", 401)
    target = request.full_path.rstrip("?")
    answer: QuartResponse = redirect(url_for("console.log_in_form", next=target), 303)  # type: ignore[assignment]
    return answer


async def _csrf_holds(session: Session) -> bool:
    given = request.headers.get(CSRF_HEADER)
    if given is None:
        given = (await request.form).get(CSRF_FIELD, "")
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), session.csrf.encode())
