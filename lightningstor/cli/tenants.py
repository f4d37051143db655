"""`lightningstor org`, `project` and `group`."""

from __future__ import annotations

import click

from lightningstor.cli.output import Output
from lightningstor.cli.remote import AdminApi, remote, segment

__all__ = ["group", "org", "project"]

_COLUMNS = ("id", "display_name", "created_at")
org_option = click.option("--org", default="default", show_default=True, help="The organisation.")
name_option = click.option("--name", "display_name", default="", help="A name for people.")


@click.group()
def org() -> None:
    """Organisations: tenants that share nothing."""


@org.command("list")
@remote
def org_list(api: AdminApi, output: Output) -> None:
    """List all organisations."""
    output.table(api.pages("/orgs"), _COLUMNS, "There are no organisations.")


@org.command("create")
@click.argument("org_id", metavar="ID")
@name_option
@remote
def org_create(api: AdminApi, output: Output, org_id: str, display_name: str) -> None:
    """Make an organisation."""
    output.record(api("POST", "/orgs", {"id": org_id, "display_name": display_name}))


@org.command("show")
@click.argument("org_id", metavar="ID")
@remote
def org_show(api: AdminApi, output: Output, org_id: str) -> None:
    """Show an organisation."""
    output.record(api("GET", f"/orgs/{segment(org_id)}"))


@org.command("delete")
@click.argument("org_id", metavar="ID")
@remote
def org_delete(api: AdminApi, output: Output, org_id: str) -> None:
    """Delete an organisation that has neither buckets nor principals, projects or groups."""
    api("DELETE", f"/orgs/{segment(org_id)}")
    output.done(f"Deleted organisation {org_id}.")


@click.group()
def project() -> None:
    """Projects of an organisation."""


@project.command("list")
@org_option
@remote
def project_list(api: AdminApi, output: Output, org: str) -> None:
    """List an organisation's projects."""
    output.table(api.pages(f"/orgs/{segment(org)}/projects"), _COLUMNS, f"{org} has no projects.")


@project.command("create")
@click.argument("project_id", metavar="ID")
@org_option
@name_option
@remote
def project_create(api: AdminApi, output: Output, project_id: str, org: str, display_name: str) -> None:
    """Make a project."""
    output.record(api("POST", f"/orgs/{segment(org)}/projects", {"id": project_id, "display_name": display_name}))


@project.command("show")
@click.argument("project_id", metavar="ID")
@org_option
@remote
def project_show(api: AdminApi, output: Output, project_id: str, org: str) -> None:
    """Show a project."""
    output.record(api("GET", f"/orgs/{segment(org)}/projects/{segment(project_id)}"))


@project.command("delete")
@click.argument("project_id", metavar="ID")
@org_option
@remote
def project_delete(api: AdminApi, output: Output, project_id: str, org: str) -> None:
    """Delete a project that has neither buckets nor principals."""
    api("DELETE", f"/orgs/{segment(org)}/projects/{segment(project_id)}")
    output.done(f"Deleted project {project_id} of {org}.")


@click.group()
def group() -> None:
    """Groups of principals, to which grants can be attached at once."""


@group.command("list")
@org_option
@remote
def group_list(api: AdminApi, output: Output, org: str) -> None:
    """List an organisation's groups."""
    output.table(api.pages(f"/orgs/{segment(org)}/groups"), (*_COLUMNS, "members"), f"{org} has no groups.")


@group.command("create")
@click.argument("group_id", metavar="ID")
@org_option
@name_option
@remote
def group_create(api: AdminApi, output: Output, group_id: str, org: str, display_name: str) -> None:
    """Make a group."""
    output.record(api("POST", f"/orgs/{segment(org)}/groups", {"id": group_id, "display_name": display_name}))


@group.command("show")
@click.argument("group_id", metavar="ID")
@org_option
@remote
def group_show(api: AdminApi, output: Output, group_id: str, org: str) -> None:
    """Show a group and who is in it. `user change --group` puts principals into groups."""
    output.record(api("GET", f"/orgs/{segment(org)}/groups/{segment(group_id)}"))


@group.command("delete")
@click.argument("group_id", metavar="ID")
@org_option
@remote
def group_delete(api: AdminApi, output: Output, group_id: str, org: str) -> None:
    """Delete a group; its grants go with it, its principals stay."""
    api("DELETE", f"/orgs/{segment(org)}/groups/{segment(group_id)}")
    output.done(f"Deleted group {group_id} of {org}.")
