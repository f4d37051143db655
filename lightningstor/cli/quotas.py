"""`lightningstor quota`."""

from __future__ import annotations

import re
from typing import Any

import click

from lightningstor.cli.buckets import scope_query
from lightningstor.cli.output import Output
from lightningstor.cli.remote import AdminApi, remote, segment

__all__ = ["quota"]

_SIZE = re.compile(r"(\d+)\s*(|[KMGTP])(?:i?B)?\Z", re.IGNORECASE)
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
_LIMITS = ("max_buckets", "max_total_size_bytes", "max_objects_per_bucket", "max_object_size_bytes")


class _Size(click.ParamType[int]):
    """Bytes: 1048576, 1M, 1MiB; or none."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if value == "none":
            return -1
        size = _SIZE.match(value)
        if size is None:
            self.fail(f"{value!r} is no size such as 1048576, 500M or 2TiB, and not none", param, ctx)
        return int(size[1]) * _FACTORS[size[2].upper()]


SIZE = _Size()


@click.group()
def quota() -> None:
    """Limits and usage of organisations, projects and buckets."""


def _scope(org: str | None, project: str | None, bucket: str | None) -> tuple[str, dict[str, str]]:
    """Path and parameters of what the options name."""
    if bucket is not None:
        return f"/buckets/{segment(bucket)}/quota", scope_query(org, project)
    of = f"/orgs/{segment(org or 'default')}"
    return (f"{of}/quota" if project is None else f"{of}/projects/{segment(project)}/quota"), {}


@quota.command("show")
@click.option("--org", help="Of this organisation; by default of `default`.")
@click.option("--project", help="Of this project of it.")
@click.option("--bucket", help="Of this bucket; --org and --project then say whose it is.")
@remote
def quota_show(api: AdminApi, output: Output, org: str | None, project: str | None, bucket: str | None) -> None:
    """Show limits and usage."""
    path, query = _scope(org, project, bucket)
    output.record(api("GET", path, query=query))


@quota.command("set")
@click.option("--org", help="Of this organisation; by default of `default`.")
@click.option("--project", help="Of this project of it.")
@click.option("--bucket", help="Of this bucket; --org and --project then say whose it is.")
@click.option("--buckets", "max_buckets", type=SIZE, metavar="N", help="How many buckets.")
@click.option("--size", "max_total_size_bytes", type=SIZE, metavar="SIZE", help="Bytes in all: 500M, 2TiB.")
@click.option("--objects", "max_objects_per_bucket", type=SIZE, metavar="N", help="Objects of one bucket.")
@click.option("--object-size", "max_object_size_bytes", type=SIZE, metavar="SIZE", help="Bytes of one object.")
@remote
def quota_set(
    api: AdminApi,
    output: Output,
    /,
    org: str | None,
    project: str | None,
    bucket: str | None,
    **limits: int | None,
) -> None:
    """Set limits; those that are not named stay, `none` removes one."""
    if all(value is None for value in limits.values()):
        raise click.UsageError("name at least one limit")
    path, query = _scope(org, project, bucket)
    now = api("GET", path, query=query)
    wanted = {name: now[name] if limits[name] is None else limits[name] for name in _LIMITS}
    output.record(api("PUT", path, {name: None if value == -1 else value for name, value in wanted.items()}, query))
