"""`lightningstor bucket` and `upload`."""

from __future__ import annotations

import click

from lightningstor.cli.output import Output
from lightningstor.cli.remote import AdminApi, remote, segment

__all__ = ["bucket", "scope_query", "upload"]

_COLUMNS = ("name", "org", "project", "versioning", "objects", "bytes", "created_at")
_UPLOAD_COLUMNS = ("key", "upload_id", "initiated_at", "initiated_by")


org_of_bucket = click.option("--org", help="The organisation that it belongs to; by default the caller's.")
project_of_bucket = click.option("--project", help="The project that it belongs to.")


def scope_query(org: str | None, project: str | None) -> dict[str, str]:
    """The parameters that say whose bucket is meant."""
    return {name: value for name, value in (("org", org), ("project", project)) if value is not None}


@click.group()
def bucket() -> None:
    """Buckets."""


@bucket.command("list")
@click.option("--org", help="Of this organisation; by default the caller's.")
@click.option("--project", help="Of this project, with what the organisation shares.")
@click.option("--prefix", default="", help="Only names that begin with this.")
@remote
def bucket_list(api: AdminApi, output: Output, org: str | None, project: str | None, prefix: str) -> None:
    """List buckets with what they hold."""
    asked = {"org": org, "project": project, "prefix": prefix}
    query = {name: value for name, value in asked.items() if value}
    output.table(api.pages("/buckets", query), _COLUMNS, "There are no buckets.")


@bucket.command("create")
@click.argument("name")
@click.option("--org", help="In this organisation; by default the caller's.")
@click.option("--project", help="In this project.")
@click.option("--versioning", is_flag=True, help="Keep replaced and deleted versions.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="A tag; repeatable.")
@remote
def bucket_create(
    api: AdminApi,
    output: Output,
    name: str,
    org: str | None,
    project: str | None,
    versioning: bool,
    tags: tuple[str, ...],
) -> None:
    """Make a bucket."""
    wanted: dict[str, object] = {"name": name, "versioning": "Enabled" if versioning else "Disabled"}
    wanted |= {field: value for field, value in (("org", org), ("project", project)) if value is not None}
    if tags:
        wanted["tags"] = _tags(tags)
    output.record(api("POST", "/buckets", wanted))


@bucket.command("show")
@click.argument("name")
@org_of_bucket
@project_of_bucket
@remote
def bucket_show(api: AdminApi, output: Output, name: str, org: str | None, project: str | None) -> None:
    """Show a bucket and what it holds."""
    output.record(api("GET", f"/buckets/{segment(name)}", query=scope_query(org, project)))


@bucket.command("change")
@click.argument("name")
@click.option("--versioning", type=click.Choice(["Enabled", "Suspended"]), help="Whether it keeps versions.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="The tags it is to have; repeatable.")
@click.option("--no-tags", is_flag=True, help="Remove all its tags.")
@org_of_bucket
@project_of_bucket
@remote
def bucket_change(
    api: AdminApi,
    output: Output,
    name: str,
    versioning: str | None,
    tags: tuple[str, ...],
    no_tags: bool,
    org: str | None,
    project: str | None,
) -> None:
    """Change versioning or tags; what is not named stays."""
    change: dict[str, object] = {}
    if versioning is not None:
        change["versioning"] = versioning
    if tags or no_tags:
        change["tags"] = _tags(tags)
    if not change:
        raise click.UsageError("name what to change")
    output.record(api("PATCH", f"/buckets/{segment(name)}", change, scope_query(org, project)))


@bucket.command("delete")
@click.argument("name")
@org_of_bucket
@project_of_bucket
@remote
def bucket_delete(api: AdminApi, output: Output, name: str, org: str | None, project: str | None) -> None:
    """Delete an empty bucket."""
    api("DELETE", f"/buckets/{segment(name)}", query=scope_query(org, project))
    output.done(f"Deleted {name}.")


@click.group()
def upload() -> None:
    """Multipart uploads that are not completed."""


@upload.command("list")
@click.argument("bucket_name", metavar="BUCKET")
@click.option("--prefix", default="", help="Only of keys that begin with this.")
@org_of_bucket
@project_of_bucket
@remote
def upload_list(
    api: AdminApi, output: Output, bucket_name: str, prefix: str, org: str | None, project: str | None
) -> None:
    """List a bucket's open uploads."""
    query = scope_query(org, project) | ({"prefix": prefix} if prefix else {})
    answer = api.pages(f"/buckets/{segment(bucket_name)}/uploads", query)
    output.table(answer, _UPLOAD_COLUMNS, f"{bucket_name} has no open uploads.")


@upload.command("abort")
@click.argument("bucket_name", metavar="BUCKET")
@click.argument("key")
@click.argument("upload_id", metavar="ID")
@org_of_bucket
@project_of_bucket
@remote
def upload_abort(
    api: AdminApi, output: Output, bucket_name: str, key: str, upload_id: str, org: str | None, project: str | None
) -> None:
    """Abort an upload and free its parts."""
    path = f"/buckets/{segment(bucket_name)}/uploads/{segment(upload_id)}"
    api("DELETE", path, query={"key": key, **scope_query(org, project)})
    output.done(f"Aborted {upload_id}.")


def _tags(given: tuple[str, ...]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--tag")
        if name in tags:
            raise click.BadParameter(f"the tag {name} comes twice", param_hint="--tag")
        tags[name] = value
    return tags
