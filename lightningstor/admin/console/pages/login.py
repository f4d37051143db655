"""Logging in with an access key, and out."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from lightningstor.admin.console.guard import current_session
from lightningstor.admin.console.sessions import COOKIE, LoginThrottled, Sessions
from lightningstor.admin.noting import noted

__all__ = ["add_pages"]

_MAX_FIELD = 1024


def add_pages(blueprint: Blueprint, sessions: Sessions) -> None:
    """The login form, what it leads to, and the way out."""

    @blueprint.get("/login")
    async def log_in_form() -> ResponseReturnValue:
        if sessions.find(request.cookies.get(COOKIE)) is not None:
            return redirect(_target())
        return await render_template("login.html", next=_target(), message=None, access_key="")

    @blueprint.post("/login")
    async def log_in() -> ResponseReturnValue:
        note = noted()
        if _foreign_origin():
            note.code = "AccessDenied"
            return Response("This form was sent by another site.", 403)
        form = await request.form
        access_key, secret = form.get("access_key", "")[:_MAX_FIELD].strip(), form.get("secret_key", "")[:_MAX_FIELD]
        note.access_key = access_key or None
        try:
            name = sessions.log_in(access_key, secret, note.client)
        except LoginThrottled as throttled:
            note.code, note.refused = "SlowDown", True
            page = await render_template("login.html", next=_target(), message=f"{throttled}.", access_key=access_key)
            return page, 429, {"retry-after": str(throttled.retry_after_s)}
        if name is None:
            note.code = "InvalidAccessKeyOrSecret"
            message = "This access key and secret key do not belong together."
            page = await render_template("login.html", next=_target(), message=message, access_key=access_key)
            return page, 403
        session = sessions.find(name)
        if session is not None:
            note.principal, note.authentication = session.principal, "session"
        answer = redirect(_target(), 303)
        # What a proxy says of its own side can only make the cookie stricter.
        secure = note.secure or note.text(b"x-forwarded-proto") == "https"
        answer.set_cookie(COOKIE, name, httponly=True, samesite="Strict", secure=secure, path="/console")
        return answer

    @blueprint.post("/logout")
    async def log_out() -> ResponseReturnValue:
        assert current_session() is not None
        sessions.log_out(request.cookies.get(COOKIE))
        answer = redirect(url_for("console.log_in_form"), 303)
        answer.delete_cookie(COOKIE, path="/console")
        return answer


def _target() -> str:
    """Where to go after the login: a page of the console and nothing else."""
    wanted = request.args.get("next", "")
    start = url_for("console.home")
    return wanted if wanted.startswith("/console/") and "\\" not in wanted and "//" not in wanted[:10] else start


def _foreign_origin() -> bool:
    """There is no session whose token could be checked yet; browsers say where a form was sent from."""
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host", "")
