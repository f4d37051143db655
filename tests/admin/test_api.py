"""The admin API through a real daemon: every endpoint does what its row says, for whom it says."""

from __future__ import annotations

import http.client
import json
import re
import secrets
from typing import Any

import pytest

from lightningstor.admin.api.endpoint import PREFIX, Access
from lightningstor.admin.api.table import ENDPOINTS
from lightningstor.iam.directory import ROOT_ID
from tests.admin.conftest import AdminCaller, caller_of
from tests.conftest import StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp


def fresh(word: str) -> str:
    """A name that no other test has."""
    return f"{word}-{secrets.token_hex(4)}"


def user_of(daemon: RunningDaemon, by: AdminCaller, org: str, **more: Any) -> tuple[str, AdminCaller]:
    """A new principal of that organisation and somebody who calls with its key."""
    name = fresh("user")
    by.ok("POST", "/principals", {"id": name, "org": org, **more})
    key = by.ok("POST", f"/principals/{name}/access-keys", {})
    return name, caller_of(daemon, key["access_key"], key["secret_key"])


def test_every_endpoint_works_for_an_administrator(daemon: RunningDaemon, admin: AdminCaller) -> None:
    """A walk through the whole table: each row answers 2xx with what it promises, and each row is walked."""
    org, project, group, user, bucket = fresh("org"), fresh("project"), fresh("group"), fresh("user"), fresh("bucket")
    admin.ok("GET", "/whoami")
    assert admin.ok("GET", "/server")["ready"] is True
    assert "collection" in {job["name"] for job in admin.ok("GET", "/jobs")["items"]}

    assert admin.ok("POST", "/orgs", {"id": org, "display_name": "An org"})["display_name"] == "An org"
    assert org in {one["id"] for one in admin.ok("GET", "/orgs")["items"]}
    assert admin.ok("GET", f"/orgs/{org}")["id"] == org
    admin.ok("POST", f"/orgs/{org}/projects", {"id": project})
    assert [one["id"] for one in admin.ok("GET", f"/orgs/{org}/projects")["items"]] == [project]
    assert admin.ok("GET", f"/orgs/{org}/projects/{project}")["org"] == org
    admin.ok("POST", f"/orgs/{org}/groups", {"id": group})
    assert [one["id"] for one in admin.ok("GET", f"/orgs/{org}/groups")["items"]] == [group]

    made = admin.ok("POST", "/principals", {"id": user, "org": org, "project": project, "role": "reader"})
    assert (made["role"], made["project"], made["fixed"]) == ("reader", project, False)
    assert [one["id"] for one in admin.ok("GET", "/principals", query=f"org={org}")["items"]] == [user]
    assert admin.ok("GET", f"/principals/{user}")["id"] == user
    changed = admin.ok("PATCH", f"/principals/{user}", {"role": "writer", "groups": [group], "project": None})
    assert (changed["role"], changed["groups"], changed["project"]) == ("writer", [group], None)
    assert admin.ok("GET", f"/orgs/{org}/groups/{group}")["members"] == [user]

    keys = f"/principals/{user}/access-keys"
    first = admin.ok("POST", keys, {})
    assert len(first["secret_key"]) >= 30
    assert [one["access_key"] for one in admin.ok("GET", keys)["items"]] == [first["access_key"]]
    second = admin.ok("POST", f"{keys}/{first['access_key']}/rotate", {"grace_ms": 0})
    assert second["access_key"] != first["access_key"]
    soon = admin.ok("PATCH", f"{keys}/{second['access_key']}", {"expires_at": 4_102_444_800_000})
    assert soon["expires_at"] == 4_102_444_800_000
    admin.ok("DELETE", f"{keys}/{second['access_key']}")
    api_keys = f"/principals/{user}/api-keys"
    api_key = admin.ok("POST", api_keys, {"name": "ci"})
    assert [one["id"] for one in admin.ok("GET", api_keys)["items"]] == [api_key["id"]]
    admin.ok("DELETE", f"{api_keys}/{api_key['id']}")
    assert admin.ok("POST", f"/principals/{user}/tokens", {"ttl_s": 60})["principal"] == user
    admin.ok("DELETE", f"/principals/{user}/tokens")

    statement = {"effect": "Deny", "actions": ["lightningstor:objects:delete"], "resources": [f"org/{org}/*"]}
    grant = admin.ok("POST", f"/orgs/{org}/grants", {"statement": statement, "principal": user})
    listed = admin.ok("GET", f"/orgs/{org}/grants", query=f"principal={user}")["items"]
    assert [one["id"] for one in listed] == [grant["id"]]
    admin.ok("DELETE", f"/orgs/{org}/grants/{grant['id']}")

    admin.ok("POST", "/buckets", {"name": bucket, "org": org, "project": project, "tags": {"a": "b"}})
    assert admin.ok("GET", f"/buckets/{bucket}")["tags"] == {"a": "b"}
    assert [one["name"] for one in admin.ok("GET", "/buckets", query=f"org={org}")["items"]] == [bucket]
    assert admin.ok("PATCH", f"/buckets/{bucket}", {"versioning": "Enabled", "tags": {}})["versioning"] == "Enabled"
    for path in (f"/orgs/{org}/quota", f"/orgs/{org}/projects/{project}/quota"):
        assert admin.ok("PUT", path, {"max_buckets": 7})["max_buckets"] == 7
        assert (admin.ok("GET", path)["max_buckets"], admin.ok("GET", path)["bucket_count"]) == (7, 1)
    assert admin.ok("PUT", f"/buckets/{bucket}/quota", {"max_total_size_bytes": 5})["max_total_size_bytes"] == 5
    assert admin.ok("GET", f"/buckets/{bucket}/quota")["total_size_bytes"] == 0

    s3 = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    upload = s3.request("POST", f"/{bucket}/a key", query="uploads=").element("UploadId")
    s3.close()
    uploads = admin.ok("GET", f"/buckets/{bucket}/uploads")["items"]
    assert [(one["key"], one["upload_id"]) for one in uploads] == [("a key", upload)]
    admin.ok("DELETE", f"/buckets/{bucket}/uploads/{upload}", query="key=a%20key")

    for path in (f"/buckets/{bucket}", f"/principals/{user}", f"/orgs/{org}/groups/{group}"):
        admin.ok("DELETE", path)
    admin.ok("DELETE", f"/orgs/{org}/projects/{project}")
    admin.ok("DELETE", f"/orgs/{org}")
    assert admin("GET", f"/orgs/{org}")[0] == 404

    unwalked = [
        row.name for row in ENDPOINTS if not any(row.method == m and _fits(row.path, p) for m, p in admin.called)
    ]
    assert not unwalked


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


def _example(template: str) -> str:
    return re.sub(r"\{\w+\}", "some-name", template)


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_nothing_without_credentials(daemon: RunningDaemon, row: Any) -> None:
    """Every endpoint refuses a caller without credentials, and one whose secret is wrong."""
    connection = http.client.HTTPConnection(daemon.addresses["admin"], timeout=10)
    connection.request(row.method, PREFIX + _example(row.path))
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (403, "AccessDenied")
    connection.close()
    wrong = caller_of(daemon, daemon.access_key, "not-the-secret-of-this-key")
    assert wrong(row.method, _example(row.path))[1]["error"]["code"] == "SignatureDoesNotMatch"


@pytest.mark.parametrize("row", [row for row in ENDPOINTS if row.access is Access.ADMIN], ids=lambda row: row.name)
def test_administrators_endpoints_are_closed_to_others(daemon: RunningDaemon, admin: AdminCaller, row: Any) -> None:
    """The owner of an organisation is no administrator."""
    org = fresh("org")
    admin.ok("POST", "/orgs", {"id": org})
    _, user = user_of(daemon, admin, org)
    assert user(row.method, _example(row.path))[0] == 403


def test_others_see_and_change_only_what_is_theirs(daemon: RunningDaemon, admin: AdminCaller) -> None:
    """A principal manages its own keys; identities, buckets and quotas of others are closed to it."""
    ours, theirs = fresh("org"), fresh("org")
    for org in (ours, theirs):
        admin.ok("POST", "/orgs", {"id": org})
    name, user = user_of(daemon, admin, ours)
    other, _ = user_of(daemon, admin, theirs)
    bucket, foreign = fresh("bucket"), fresh("bucket")
    admin.ok("POST", "/buckets", {"name": foreign, "org": theirs})

    assert user.ok("GET", "/whoami")["id"] == name
    key = user.ok("POST", f"/principals/{name}/access-keys", {})
    user.ok("DELETE", f"/principals/{name}/access-keys/{key['access_key']}")
    user.ok("POST", "/buckets", {"name": bucket})
    assert [one["name"] for one in user.ok("GET", "/buckets")["items"]] == [bucket]
    for method, path, body in (
        ("GET", f"/principals/{other}", None),
        ("GET", f"/principals/{daemon.access_key}", None),
        ("POST", f"/principals/{other}/access-keys", {}),
        ("POST", f"/principals/{ROOT_ID}/access-keys", {}),
        ("POST", f"/principals/{ROOT_ID}/tokens", {"ttl_s": 60}),
        ("POST", "/principals", {"id": fresh("user"), "org": ours}),
        ("GET", f"/orgs/{theirs}", None),
        ("GET", f"/orgs/{ours}/grants", None),
        ("GET", "/buckets", None),
        ("GET", f"/buckets/{foreign}", None),
        ("DELETE", f"/buckets/{foreign}", None),
        ("GET", f"/buckets/{foreign}/uploads", None),
        ("POST", "/buckets", {"name": fresh("bucket"), "org": theirs}),
    ):
        query = f"org={theirs}" if path == "/buckets" and method == "GET" else ""
        assert user(method, path, body, query)[0] == 403, (method, path)


def test_limits_go_with_their_tenant(admin: AdminCaller) -> None:
    """An organisation or project that is made anew under an old name has none of the old one's limits."""
    org = fresh("org")
    for _ in range(2):
        admin.ok("POST", "/orgs", {"id": org})
        admin.ok("POST", f"/orgs/{org}/projects", {"id": "web"})
        for path in (f"/orgs/{org}/quota", f"/orgs/{org}/projects/web/quota"):
            assert admin.ok("GET", path)["max_buckets"] is None
            admin.ok("PUT", path, {"max_buckets": 1})
        admin.ok("DELETE", f"/orgs/{org}/projects/web")
        admin.ok("DELETE", f"/orgs/{org}")


def test_a_manager_cannot_make_itself_an_administrator(daemon: RunningDaemon, admin: AdminCaller) -> None:
    """Whom a grant lets manage identities manages those of its organisation, but no administrators."""
    org = fresh("org")
    admin.ok("POST", "/orgs", {"id": org})
    name, manager = user_of(daemon, admin, org)
    chief, _ = user_of(daemon, admin, org, admin=True)
    statement = {"effect": "Allow", "actions": ["lightningstor:iam:*"], "resources": [f"org/{org}", f"org/{org}/*"]}
    admin.ok("POST", f"/orgs/{org}/grants", {"statement": statement, "principal": name})

    helper = fresh("user")
    manager.ok("POST", "/principals", {"id": helper, "org": org})
    manager.ok("POST", f"/principals/{helper}/access-keys", {})
    assert manager("PATCH", f"/principals/{helper}", {"admin": True})[0] == 403
    assert manager("PATCH", f"/principals/{name}", {"admin": True})[0] == 403
    assert manager("POST", "/principals", {"id": fresh("user"), "org": org, "admin": True})[0] == 403
    assert manager("POST", f"/principals/{chief}/access-keys", {})[0] == 403
    assert manager("POST", "/principals", {"id": fresh("user"), "org": "default"})[0] == 403


def test_a_revoked_key_is_refused_at_once(daemon: RunningDaemon, admin: AdminCaller) -> None:
    """The next request with it fails, over S3 as well as here; a token ends with its principal's tokens."""
    org = fresh("org")
    admin.ok("POST", "/orgs", {"id": org})
    name, user = user_of(daemon, admin, org)
    token = admin.ok("POST", f"/principals/{name}/tokens", {"ttl_s": 600})["token"]
    assert _with_token(daemon, token) == 200
    admin.ok("DELETE", f"/principals/{name}/tokens")
    assert _with_token(daemon, token) in (401, 403)
    key = admin.ok("GET", f"/principals/{name}/access-keys")["items"][0]["access_key"]
    user.ok("GET", "/whoami")
    admin.ok("DELETE", f"/principals/{name}/access-keys/{key}")
    assert user("GET", "/whoami")[1]["error"]["code"] == "InvalidAccessKeyId"
    s3 = SignedHttp(daemon.addresses["s3"], key, user.http.secret_key)
    assert s3.request("GET", "/").status == 403
    s3.close()


def _with_token(daemon: RunningDaemon, token: str) -> int:
    connection = http.client.HTTPConnection(daemon.addresses["admin"], timeout=10)
    connection.request("GET", f"{PREFIX}/whoami", headers={"authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "says"),
    [
        ("POST", "/orgs", b"{", "", "the body is not right"),
        ("POST", "/orgs", b'{"id": 5}', "", "$.id"),
        ("POST", "/orgs", b'{"id": "x", "colour": "red"}', "", "colour"),
        ("POST", "/orgs", b'{"id": "a/b"}', "", "a/b"),
        ("GET", "/buckets", b"", "limit=0", "limit"),
        ("GET", "/buckets", b"", "limit=2&limit=3", "more than once"),
        ("GET", "/buckets", b"", "colour=red", "colour"),
        ("GET", "/whoami", b"x", "", "no body"),
        ("POST", "/buckets", b'{"name": "NO"}', "", "bucket is not valid"),
    ],
)
def test_bad_input_is_told_what_is_wrong(
    admin: AdminCaller, method: str, path: str, body: bytes, query: str, says: str
) -> None:
    """400 with a sentence that names the place."""
    answer = admin.raw(method, path, body, query)
    told = json.loads(answer.body)["error"]
    assert answer.status == 400
    assert says in told["message"], told
    assert told["request_id"] == answer.headers["x-request-id"]


def test_a_body_that_was_changed_on_its_way_is_refused(daemon: RunningDaemon, admin: AdminCaller) -> None:
    """The signature covers the body's hash, and the body must have it."""
    org = fresh("org")
    admin.ok("POST", "/orgs", {"id": org})
    signed = admin.http.signed_headers("POST", f"{PREFIX}/orgs", b'{"id": "one"}')
    connection = http.client.HTTPConnection(daemon.addresses["admin"], timeout=10)
    connection.request("POST", f"{PREFIX}/orgs", b'{"id": "two"}', signed)
    answered = connection.getresponse()
    assert (answered.status, json.loads(answered.read())["error"]["code"]) == (400, "XAmzContentSHA256Mismatch")
    connection.close()


def test_the_openapi_document_is_about_the_table(daemon: RunningDaemon) -> None:
    """It is open to everybody, and has an operation for every row with the row's parameters."""
    connection = http.client.HTTPConnection(daemon.addresses["admin"], timeout=10)
    connection.request("GET", f"{PREFIX}/openapi.json")
    document = json.loads(connection.getresponse().read())
    connection.close()
    described = {
        operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()
    }
    assert described.keys() == {row.name for row in ENDPOINTS}
    for row in ENDPOINTS:
        named = {one["name"] for one in described[row.name]["parameters"] if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", row.path))
        assert ("requestBody" in described[row.name]) == (row.body is not None)


def test_a_body_that_is_too_large_is_no_fault_of_ours(admin: AdminCaller) -> None:
    """413 with the code that S3 has for it."""
    answer = admin.raw("POST", "/orgs", b'{"id": "' + b"x" * (1 << 20) + b'"}')
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (413, "EntityTooLarge")


@pytest.mark.parametrize("segment", ["%00", "a%2Fb", "..", "%2e%2e", "%ff", "x" * 5000, "a%0d%0ab", "\u00e9"])
def test_odd_names_in_paths_are_not_found(daemon: RunningDaemon, admin: AdminCaller, segment: str) -> None:
    """NUL, slashes, dots, bytes that are no UTF-8, line ends, long ones: 4xx for every kind of thing, nothing else."""
    token = admin.ok("POST", f"/principals/{ROOT_ID}/tokens", {"ttl_s": 60})["token"]
    quoted = segment if segment.isascii() else "%C3%A9"
    for path in ("/orgs/{}", "/orgs/default/projects/{}", "/orgs/default/grants/{}", "/principals/{}", "/buckets/{}"):
        for method in ("GET", "DELETE"):
            connection = http.client.HTTPConnection(daemon.addresses["admin"], timeout=10)
            headers = {"authorization": f"Bearer {token}"}
            connection.request(method, PREFIX + path.format(quoted), headers=headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())["error"]
            connection.close()
            assert 400 <= answer.status < 500, (method, path, told)
            assert told["request_id"] == answer.headers["x-request-id"]


def test_listings_come_in_pages(admin: AdminCaller) -> None:
    """`limit` entries and where the next page begins, until there is none; each entry once."""
    org = fresh("org")
    admin.ok("POST", "/orgs", {"id": org})
    names = sorted(f"group-{number}" for number in range(5))
    for name in names:
        admin.ok("POST", f"/orgs/{org}/groups", {"id": name})
    found: list[str] = []
    after = ""
    while True:
        page = admin.ok("GET", f"/orgs/{org}/groups", query=f"after={after}&limit=2")
        found += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        assert len(page["items"]) == 2
        after = page["next"]
    assert found == names


def test_conditions_and_names_of_s3_hold_here(daemon: RunningDaemon, admin: AdminCaller) -> None:
    """A grant that denies s3:DeleteBucket, or allows from one address only, does so over this port too."""
    org = fresh("org")
    admin.ok("POST", "/orgs", {"id": org})
    _, user = user_of(daemon, admin, org)
    bucket = fresh("bucket")
    user.ok("POST", "/buckets", {"name": bucket})
    everything = [f"org/{org}", f"org/{org}/*"]

    def deny(address: str) -> str:
        conditions = {"IpAddress": {"aws:SourceIp": [address]}}
        statement = {
            "effect": "Deny",
            "actions": ["s3:DeleteBucket"],
            "resources": everything,
            "conditions": conditions,
        }
        granted: str = admin.ok("POST", f"/orgs/{org}/grants", {"statement": statement})["id"]
        return granted

    here = deny("127.0.0.0/8")
    assert user("DELETE", f"/buckets/{bucket}")[0] == 403
    admin.ok("DELETE", f"/orgs/{org}/grants/{here}")
    deny("192.0.2.0/24")
    user.ok("GET", f"/buckets/{bucket}")
    user.ok("DELETE", f"/buckets/{bucket}")


def test_an_api_key_is_taken(daemon: RunningDaemon, admin: AdminCaller) -> None:
    """In x-api-key, as over gRPC; together with an Authorization header it is refused."""
    org = fresh("org")
    admin.ok("POST", "/orgs", {"id": org})
    name, _ = user_of(daemon, admin, org)
    key = admin.ok("POST", f"/principals/{name}/api-keys", {})["key"]

    def who(headers: dict[str, str]) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(daemon.addresses["admin"], timeout=10)
        connection.request("GET", f"{PREFIX}/whoami", headers=headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        return answer.status, content

    assert who({"x-api-key": key})[1]["id"] == name
    assert who({"x-api-key": key, "authorization": "Bearer x"})[0] == 403
    assert who({"x-api-key": key + "x"})[0] == 403


def test_buckets_of_scopes_are_told_apart(launch_daemon: StartDaemon) -> None:
    """Where names are scoped, org and project say whose bucket is meant; without them it is the caller's."""
    daemon = launch_daemon(config='[s3]\nbucket_names = "scoped"\n')
    admin = caller_of(daemon, daemon.access_key, daemon.secret_key)
    for org in ("one", "two"):
        admin.ok("POST", "/orgs", {"id": org})
        admin.ok("POST", "/buckets", {"name": "photos", "org": org, "tags": {"of": org}})
    admin.ok("POST", "/orgs/two/projects", {"id": "web"})
    admin.ok("POST", "/buckets", {"name": "films", "org": "two", "project": "web"})
    for org in ("one", "two"):
        assert admin.ok("GET", "/buckets/photos", query=f"org={org}")["tags"] == {"of": org}
    assert admin("GET", "/buckets/photos")[0] == 404
    assert admin("GET", "/buckets/films", query="org=two")[0] == 404
    assert admin.ok("PUT", "/buckets/films/quota", {"max_total_size_bytes": 9}, "org=two&project=web")
    admin.ok("DELETE", "/buckets/photos", query="org=one")
    assert admin.ok("GET", "/buckets/photos", query="org=two")["org"] == "two"


def test_a_bucket_is_made_in_what_exists(admin: AdminCaller) -> None:
    """An organisation or project that nobody made gets no bucket."""
    for more in ({"org": fresh("org")}, {"project": fresh("project")}):
        assert admin("POST", "/buckets", {"name": fresh("bucket"), **more})[1]["error"]["code"] == "NoSuchEntity"
