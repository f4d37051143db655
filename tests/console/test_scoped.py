"""The console where bucket names are scoped: each caller's names are its own."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from urllib.parse import urlencode

from tests.admin.conftest import caller_of
from tests.harness.daemon import RunningDaemon


def test_a_bucket_is_that_of_the_callers_own_scope(launch_daemon: Callable[..., RunningDaemon]) -> None:
    """Two organisations have a bucket of the same name; each sees its own objects in it."""
    daemon = launch_daemon(config='[s3]\nbucket_names = "scoped"\n')
    admin = caller_of(daemon, daemon.access_key, daemon.secret_key)
    for org in ("one", "two"):
        admin.ok("POST", "/orgs", {"id": org})
        admin.ok("POST", "/principals", {"id": f"user-{org}", "org": org})
        key = admin.ok("POST", f"/principals/user-{org}/access-keys", {})
        caller = caller_of(daemon, key["access_key"], key["secret_key"])
        caller.ok("POST", "/buckets", {"name": "same"})
        connection = http.client.HTTPConnection(daemon.addresses["admin"], timeout=20)
        form = {"content-type": "application/x-www-form-urlencoded"}
        login = urlencode({"access_key": key["access_key"], "secret_key": key["secret_key"]})
        connection.request("POST", "/console/login", login, form)
        answer = connection.getresponse()
        answer.read()
        cookie = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
        connection.request("GET", "/console/buckets/same/settings", headers=cookie)
        page = connection.getresponse().read().decode()
        assert f"<dd>{org}</dd>" in page
        token = re.search(r'name="csrf-token" content="(\w+)"', page)
        assert token is not None
        connection.request(
            "POST",
            "/console/buckets/same/settings",
            urlencode({"csrf": token[1], "tags": f"of = {org}"}),
            form | cookie,
        )
        connection.getresponse().read()
        connection.close()
        assert caller.ok("GET", "/buckets/same")["tags"] == {"of": org}
