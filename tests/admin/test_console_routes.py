"""Every route of the console without a session (PROOF 34); generated from the routes that the console has."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import Any, Final

import attrs
import pytest

from lightningstor.admin.console.guard import CSRF_HEADER
from lightningstor.admin.services import AdminServices
from lightningstor.admin.session_limits import SessionLimits
from lightningstor.admin.web import make_web
from tests.harness.daemon import RunningDaemon

OPEN: Final = {"console.log_in", "console.log_in_form", "console.static"}


class Nothing:
    """Stands where a route would look for the store; all that is asked for is what routes there are."""

    def __getattr__(self, name: str) -> Any:
        return self


def guarded_routes() -> list[tuple[str, str]]:
    """Method and path of every route that is not open; whatever stands in a path is called x."""
    services: dict[str, Any] = {one.name: Nothing() for one in attrs.fields(AdminServices)}
    web = make_web(AdminServices(**services | {"version": "1", "max_body_bytes": 1, "session_limits": SessionLimits()}))
    paths = web.url_map.bind("localhost")
    return sorted(
        (method, paths.build(rule.endpoint, dict.fromkeys(rule.arguments, "x"), method))
        for rule in web.url_map.iter_rules()
        if rule.endpoint.startswith("console.") and rule.endpoint not in OPEN
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )


ROUTES: Final = guarded_routes()


def test_there_are_routes() -> None:
    """Pages and forms both; so the tests below ask something."""
    assert len([path for method, path in ROUTES if method == "GET"]) >= 10
    assert len([path for method, path in ROUTES if method == "POST"]) >= 10


@pytest.mark.parametrize("cookie", ["", "lightningstor_session=no-session-of-anybody"])
def test_without_a_session_nothing_is_shown_or_done(daemon: RunningDaemon, cookie: str) -> None:
    """A page leads to the login, a form or a script's request is 401; also with a cookie that was made up."""
    connection = HTTPConnection(daemon.addresses["admin"], timeout=20)
    answers = {}
    for method, path in ROUTES:
        for accept in ("text/html", "application/json"):
            headers = {"accept": accept, CSRF_HEADER: "x"} | ({"cookie": cookie} if cookie else {})
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            answers[method, path, accept] = answer.status, (answer.getheader("location") or "").partition("?")[0]
            assert len(body) < 1000
    connection.close()
    assert answers == {
        (method, path, accept): (303, "/console/login") if (method, accept) == ("GET", "text/html") else (401, "")
        for method, path, accept in answers
    }
