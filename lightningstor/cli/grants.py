"""`lightningstor grant`."""

from __future__ import annotations

import json

import click

from lightningstor.cli.output import Output
from lightningstor.cli.remote import AdminApi, remote, segment
from lightningstor.cli.tenants import org_option

__all__ = ["grant"]


@click.group()
def grant() -> None:
    """Grants: statements that allow or deny, attached to users, groups or a whole organisation."""


@grant.command("list")
@org_option
@click.option("--user", help="Only those attached to this user.")
@click.option("--group", help="Only those attached to this group.")
@remote
def grant_list(api: AdminApi, output: Output, org: str, user: str | None, group: str | None) -> None:
    """List an organisation's grants."""
    query = {name: value for name, value in (("principal", user), ("group", group)) if value is not None}
    answer = api.pages(f"/orgs/{segment(org)}/grants", query)
    if output.as_json:
        output.record(answer)
        return
    rows = [{**one, **one["statement"], "attached_to": _attached(one)} for one in answer["items"]]
    for row in rows:
        row["actions"] = row.get("actions") or [f"all but {', '.join(row.get('not_actions', ()))}"]
        row["resources"] = row.get("resources") or [f"all but {', '.join(row.get('not_resources', ()))}"]
    output.table({"items": rows}, ("id", "attached_to", "effect", "actions", "resources"), f"{org} has no grants.")


def _attached(one: dict[str, str | None]) -> str:
    if one["principal"]:
        return f"user {one['principal']}"
    return f"group {one['group']}" if one["group"] else "everybody"


@grant.command("add")
@click.argument("effect", type=click.Choice(["allow", "deny"]))
@click.option("--action", "actions", multiple=True, metavar="PATTERN", help="lightningstor:objects:* or s3:GetObject.")
@click.option("--resource", "resources", multiple=True, metavar="PATTERN", help="By default all of the organisation.")
@click.option("--conditions", metavar="JSON", help='Such as {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}.')
@click.option("--user", help="Attach it to this user.")
@click.option("--group", help="Attach it to this group.")
@org_option
@remote
def grant_add(
    api: AdminApi,
    output: Output,
    effect: str,
    actions: tuple[str, ...],
    resources: tuple[str, ...],
    conditions: str | None,
    user: str | None,
    group: str | None,
    org: str,
) -> None:
    """Allow or deny actions; without --user and --group to everybody of the organisation. Deny always wins."""
    if not actions:
        raise click.UsageError("name at least one --action")
    statement: dict[str, object] = {
        "effect": effect.capitalize(),
        "actions": actions,
        "resources": resources or (f"org/{org}", f"org/{org}/*"),
    }
    if conditions is not None:
        try:
            statement["conditions"] = json.loads(conditions)
        except ValueError as error:
            raise click.BadParameter(f"no JSON: {error}", param_hint="--conditions") from None
    wanted = {"statement": statement, "principal": user, "group": group}
    output.record(api("POST", f"/orgs/{segment(org)}/grants", wanted))


@grant.command("remove")
@click.argument("grant_id", metavar="ID")
@org_option
@remote
def grant_remove(api: AdminApi, output: Output, grant_id: str, org: str) -> None:
    """Take a grant back."""
    api("DELETE", f"/orgs/{segment(org)}/grants/{segment(grant_id)}")
    output.done(f"Removed grant {grant_id}.")
