"""kill -9 amid changes of identities, quotas, scoped buckets and access logs: each has happened, or it has not.

Beside PROOF 1: of two projects that use the same bucket names, under quotas of both, with an owner each whose keys,
roles and grants change all the time.
"""

from __future__ import annotations

import hashlib
import shutil
from base64 import b64encode
from collections.abc import Callable, Hashable
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, field

from lightningstor.config import Config, S3Settings, ServerSettings
from lightningstor.daemon.storage import open_storage
from lightningstor.ports import production_world
from lightningstor.store.fsck import fsck
from lightningstor.store.references import Kind
from tests.admin.conftest import AdminCaller, caller_of
from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.dying import Dying, points
from tests.harness.signed_http import SignedHttp

_CONFIG = """
[s3]
bucket_names = "scoped"
access_log_interval_seconds = 0.05
[limits]
gc_grace_seconds = 0
"""
_PROJECTS = ("web", "db")
_QUOTA_BYTES = 400_000
_TURNS = 8
_LOGGING = b"""<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>l/</TargetPrefix>
</LoggingEnabled></BucketLoggingStatus>"""


@define
class Facts:
    """What may be found of each thing: the value of the last acknowledged change, or of one tried since."""

    allowed: dict[Hashable, list[Any]] = field(factory=dict)
    acknowledged: int = 0

    def change(self, what: Hashable, value: Any, make: Callable[[], Any]) -> Any:
        """Make a change that gives the thing that value; what `make` gave."""
        self.allowed.setdefault(what, [None]).append(value)
        made = make()
        self.allowed[what] = [value]
        self.acknowledged += 1
        return made

    def hold(self, what: Hashable, found: Any) -> None:
        """What was found is one of what may be."""
        allowed = self.allowed.get(what, [None])
        assert found in allowed, f"{what}: found {found!r:.60}, allowed were {[repr(value)[:60] for value in allowed]}"


@define
class Site:
    """The daemon's callers: root at the admin port, an owner of each project at S3."""

    admin: AdminCaller
    owners: dict[str, SignedHttp]

    def close(self) -> None:
        for owner in self.owners.values():
            owner.close()


def prepare(daemon: RunningDaemon, keys: dict[str, tuple[str, str]]) -> None:
    """An organisation with two projects, each with an owner, two buckets and a quota."""
    admin = caller_of(daemon, daemon.access_key, daemon.secret_key)
    admin.ok("POST", "/orgs", {"id": "acme"})
    for project in _PROJECTS:
        admin.ok("POST", "/orgs/acme/projects", {"id": project})
        admin.ok("POST", "/principals", {"id": f"owner-{project}", "org": "acme", "project": project})
        admin.ok("POST", "/principals", {"id": f"user-{project}", "org": "acme", "project": project})
        key = admin.ok("POST", f"/principals/owner-{project}/access-keys", {})
        keys[project] = key["access_key"], key["secret_key"]
        admin.ok("PUT", f"/orgs/acme/projects/{project}/quota", {"max_total_size_bytes": _QUOTA_BYTES})
        with closing(SignedHttp(daemon.addresses["s3"], *keys[project])) as owner:
            for bucket in ("same", "logs"):
                assert owner.request("PUT", f"/{bucket}").status == 200
            digest = b64encode(hashlib.md5(_LOGGING).digest()).decode()
            put = owner.request("PUT", "/same", _LOGGING, query="logging=", headers={"content-md5": digest})
            assert put.status == 200


def site_of(daemon: RunningDaemon, keys: dict[str, tuple[str, str]]) -> Site:
    owners = {project: SignedHttp(daemon.addresses["s3"], *keys[project]) for project in _PROJECTS}
    return Site(caller_of(daemon, daemon.access_key, daemon.secret_key), owners)


def work(site: Site, facts: Facts, issued: dict[str, str]) -> None:
    """Change everything, turn by turn, until the daemon is gone."""
    admin = site.admin
    for turn in range(_TURNS):
        for project in _PROJECTS:
            user = f"user-{project}"
            role = ("writer", "reader")[turn % 2]
            facts.change((user, "role"), role, partial(admin.ok, "PATCH", f"/principals/{user}", {"role": role}))
            made = facts.change(
                (user, "keys"), turn + 1, partial(admin.ok, "POST", f"/principals/{user}/access-keys", {})
            )
            issued[made["access_key"]] = user
            group = f"group-{project}-{turn}"
            facts.change(group, True, partial(admin.ok, "POST", "/orgs/acme/groups", {"id": group}))
            statement = {"effect": "Deny", "actions": ["lightningstor:objects:delete"], "resources": ["org/acme/*"]}
            grant = {"statement": statement, "principal": user}
            facts.change((user, "grants"), turn + 1, partial(admin.ok, "POST", "/orgs/acme/grants", grant))
            limit = {"max_total_size_bytes": _QUOTA_BYTES + turn}
            path = f"/orgs/acme/projects/{project}/quota"
            facts.change((project, "limit"), _QUOTA_BYTES + turn, partial(admin.ok, "PUT", path, limit))
            put(site.owners[project], facts, project, turn)


def put(owner: SignedHttp, facts: Facts, project: str, turn: int) -> None:
    """Objects of both layouts under the same names in both projects; every fourth is deleted again."""
    for size in (10, 90_000):
        key = f"key{turn % 3}-{size}"
        content = f"{project}:{turn}:".encode() + bytes(size)
        before = facts.allowed.get((project, key), [None])
        facts.allowed[project, key] = [*before, content]
        status = owner.request("PUT", f"/same/{key}", content).status
        assert status in (200, 403)
        facts.allowed[project, key] = [content] if status == 200 else before
        facts.acknowledged += 1
    if turn % 4 == 3:
        gone = f"key{turn % 3}-90000"
        facts.change((project, gone), None, partial(owner.request, "DELETE", f"/same/{gone}"))


def check(site: Site, facts: Facts, issued: dict[str, str]) -> None:
    """All that was acknowledged is there, of the rest either state, and no project sees the other's."""
    admin = site.admin
    groups = {one["id"] for one in admin.ok("GET", "/orgs/acme/groups")["items"]}
    for project in _PROJECTS:
        user = f"user-{project}"
        role = admin.ok("GET", f"/principals/{user}")["role"]
        facts.hold((user, "role"), role if (user, "role") in facts.allowed and role != "owner" else None)
        keys = [one["access_key"] for one in admin.ok("GET", f"/principals/{user}/access-keys")["items"]]
        facts.hold((user, "keys"), len(keys) or None)
        assert {key for key, of in issued.items() if of == user} <= set(keys)
        grants = admin.ok("GET", "/orgs/acme/grants", query=f"principal={user}")["items"]
        facts.hold((user, "grants"), len(grants) or None)
        quota = admin.ok("GET", f"/orgs/acme/projects/{project}/quota")
        if (project, "limit") in facts.allowed:
            facts.allowed[project, "limit"].append(_QUOTA_BYTES)
            facts.hold((project, "limit"), quota["max_total_size_bytes"])
        assert quota["total_size_bytes"] <= _QUOTA_BYTES + _TURNS
        for turn in range(_TURNS):
            group = f"group-{project}-{turn}"
            facts.hold(group, group in groups or None)
        for key in {f"key{turn % 3}-{size}" for turn in range(_TURNS) for size in (10, 90_000)}:
            answer = site.owners[project].request("GET", f"/same/{key}")
            assert answer.status in (200, 404)
            facts.hold((project, key), answer.body if answer.status == 200 else None)
        check_logs(site.owners[project])


def check_logs(owner: SignedHttp) -> None:
    """What was delivered are whole lines about the project's own bucket."""
    listed = owner.request("GET", "/logs", query="list-type=2").body.decode()
    for piece in listed.split("<Key>")[1:]:
        log = owner.request("GET", "/logs/" + piece.partition("</Key>")[0])
        assert log.status == 200
        assert log.body.endswith(b"\n")
        assert all(b" same [" in line for line in log.body.splitlines())


async def recount(data_dir: Path, scoped: bool = True) -> int:
    """Of the stopped daemon's store: the counters are right, and nothing is lost; the orphans that were removed."""
    names = S3Settings(bucket_names="scoped" if scoped else "global")
    config = Config(server=ServerSettings(data_dir=data_dir), s3=names)
    async with open_storage(config, production_world(8)) as storage:
        findings = await fsck(storage.store.ctx, repair=True)
        assert {finding.kind for finding in findings} <= {Kind.ORPHAN_CHUNK}, findings
        assert await fsck(storage.store.ctx, repair=False) == []
    return len(findings)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing: apt-get install strace")
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_killed_amid_changes(
    call: str, launch_daemon: StartDaemon, tmp_path: Path, proof_full: bool, figure: Figure
) -> None:
    """Whichever call it dies at: identities, limits and objects are the old or the new, counters equal a recount."""
    dying = Dying(
        launch_daemon, tmp_path, ("AKIAKILLEDKILLEDKILL", "killed-and-killed-and-killed-and-killed0"), _CONFIG
    )
    keys: dict[str, tuple[str, str]] = {}
    dying.prepare(partial(prepare, keys=keys))
    kills = changes = orphans = 0
    for number in points(every=proof_full):
        facts, issued = Facts(), dict[str, str]()

        def use(daemon: RunningDaemon, facts: Facts = facts, issued: dict[str, str] = issued) -> int:
            with closing(site_of(daemon, keys)) as site, suppress(OSError, HTTPException):  # it died
                work(site, facts, issued)
            return facts.acknowledged

        def look(daemon: RunningDaemon, facts: Facts = facts, issued: dict[str, str] = issued) -> None:
            with closing(site_of(daemon, keys)) as site:
                check(site, facts, issued)

        def count(data_dir: Path) -> None:
            nonlocal orphans
            orphans += trio.run(recount, data_dir)

        done, died = dying.run(call, number, use, look, count)
        kills += died
        changes += done
        if not died:
            break
    figure(f"{call}: {kills} kills amid {changes} acknowledged changes: 0 lost, counters right, {orphans} orphans")
    assert kills > 0
    assert changes > 0
