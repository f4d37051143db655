"""`lightningstor user`, `key`, `api-key` and `token`."""

from __future__ import annotations

import click

from lightningstor.cli.moments import moment_option
from lightningstor.cli.output import Output
from lightningstor.cli.remote import AdminApi, remote, segment

__all__ = ["api_key", "key", "token", "user"]

_USER_COLUMNS = ("id", "org", "project", "kind", "role", "admin", "disabled", "groups")
_KEY_COLUMNS = ("access_key", "created_at", "expires_at")
_API_KEY_COLUMNS = ("id", "name", "created_at", "expires_at")
_ROLES = click.Choice(["owner", "writer", "reader", "none"])
_ONCE = "The secret is shown this once."

user_argument = click.argument("user_id", metavar="USER")


@click.group()
def user() -> None:
    """Users and service accounts."""


@user.command("list")
@click.option("--org", help="Only those of this organisation.")
@remote
def user_list(api: AdminApi, output: Output, org: str | None) -> None:
    """List users and service accounts."""
    query = {} if org is None else {"org": org}
    output.table(api.pages("/principals", query), _USER_COLUMNS, "There are no users.")


@user.command("create")
@click.argument("user_id", metavar="ID")
@click.option("--org", default="default", show_default=True, help="The organisation that it belongs to.")
@click.option("--project", help="Bind it to a project.")
@click.option("--role", type=_ROLES, default="owner", show_default=True, help="What it may do without grants.")
@click.option("--service-account", is_flag=True, help="It is a program.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="Put it into a group; repeatable.")
@click.option("--name", "display_name", default="", help="A name for people.")
@click.option("--email", default="", help="For people.")
@click.option("--admin", is_flag=True, help="It may do everything, in every organisation.")
@remote
def user_create(
    api: AdminApi,
    output: Output,
    user_id: str,
    org: str,
    project: str | None,
    role: str,
    service_account: bool,
    groups: tuple[str, ...],
    display_name: str,
    email: str,
    admin: bool,
) -> None:
    """Make a user or service account. `key create` then gives it an access key."""
    wanted = {
        "id": user_id,
        "org": org,
        "project": project,
        "role": role,
        "kind": "service_account" if service_account else "user",
        "groups": groups,
        "display_name": display_name,
        "email": email,
        "admin": admin,
    }
    output.record(api("POST", "/principals", wanted))


@user.command("show")
@user_argument
@remote
def user_show(api: AdminApi, output: Output, user_id: str) -> None:
    """Show a user or service account."""
    output.record(api("GET", f"/principals/{segment(user_id)}"))


@user.command("change")
@user_argument
@click.option("--role", type=_ROLES, help="What it may do without grants.")
@click.option("--project", help="Bind it to a project; an empty name unbinds it.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="The groups it is to be in; repeatable.")
@click.option("--no-groups", is_flag=True, help="Take it out of all groups.")
@click.option("--name", "display_name", help="A name for people.")
@click.option("--email", help="For people.")
@click.option("--admin/--no-admin", default=None, help="Whether it may do everything.")
@click.option("--disable/--enable", "disabled", default=None, help="Whether its keys are refused.")
@remote
def user_change(
    api: AdminApi,
    output: Output,
    user_id: str,
    role: str | None,
    project: str | None,
    groups: tuple[str, ...],
    no_groups: bool,
    display_name: str | None,
    email: str | None,
    admin: bool | None,
    disabled: bool | None,
) -> None:
    """Change a user or service account; what is not named stays."""
    if groups and no_groups:
        raise click.UsageError("--group and --no-groups exclude each other")
    named = {
        "role": role,
        "groups": groups if groups or no_groups else None,
        "display_name": display_name,
        "email": email,
        "admin": admin,
        "disabled": disabled,
    }
    change: dict[str, object] = {name: value for name, value in named.items() if value is not None}
    if project is not None:
        change["project"] = project or None
    if not change:
        raise click.UsageError("name what to change")
    output.record(api("PATCH", f"/principals/{segment(user_id)}", change))


@user.command("delete")
@user_argument
@remote
def user_delete(api: AdminApi, output: Output, user_id: str) -> None:
    """Delete a user with its keys, tokens and grants. What it stored stays."""
    api("DELETE", f"/principals/{segment(user_id)}")
    output.done(f"Deleted {user_id}.")


@click.group()
def key() -> None:
    """Access keys, with which S3 requests are signed."""


@key.command("list")
@user_argument
@remote
def key_list(api: AdminApi, output: Output, user_id: str) -> None:
    """List a user's access keys."""
    output.table(api("GET", _keys(user_id)), _KEY_COLUMNS, f"{user_id} has no access keys.")


@key.command("create")
@user_argument
@moment_option("--expires", "When it expires")
@remote
def key_create(api: AdminApi, output: Output, user_id: str, expires: int | None) -> None:
    """Make an access key and print it with its secret."""
    output.record(api("POST", _keys(user_id), {"expires_at": expires}))
    _say_once(output)


@key.command("rotate")
@user_argument
@click.argument("access_key")
@click.option("--grace", "grace_s", type=click.IntRange(0), default=0, metavar="SECONDS", help="Keep the old one.")
@remote
def key_rotate(api: AdminApi, output: Output, user_id: str, access_key: str, grace_s: int) -> None:
    """Make a new access key and end the old one, at once or after --grace seconds."""
    path = f"{_keys(user_id)}/{segment(access_key)}/rotate"
    output.record(api("POST", path, {"grace_ms": grace_s * 1000}))
    _say_once(output)


@key.command("expire")
@user_argument
@click.argument("access_key")
@moment_option("--at", "When it expires; without: never")
@remote
def key_expire(api: AdminApi, output: Output, user_id: str, access_key: str, at: int | None) -> None:
    """Let an access key expire at a moment, or never."""
    output.record(api("PATCH", f"{_keys(user_id)}/{segment(access_key)}", {"expires_at": at}))


@key.command("revoke")
@user_argument
@click.argument("access_key")
@remote
def key_revoke(api: AdminApi, output: Output, user_id: str, access_key: str) -> None:
    """Revoke an access key; its next request is refused."""
    api("DELETE", f"{_keys(user_id)}/{segment(access_key)}")
    output.done(f"Revoked {access_key}.")


@click.group("api-key")
def api_key() -> None:
    """API keys, for gRPC."""


@api_key.command("list")
@user_argument
@remote
def api_key_list(api: AdminApi, output: Output, user_id: str) -> None:
    """List a user's API keys."""
    answer = api("GET", f"/principals/{segment(user_id)}/api-keys")
    output.table(answer, _API_KEY_COLUMNS, f"{user_id} has no API keys.")


@api_key.command("create")
@user_argument
@click.option("--name", default="", help="What it is for.")
@moment_option("--expires", "When it expires")
@remote
def api_key_create(api: AdminApi, output: Output, user_id: str, name: str, expires: int | None) -> None:
    """Make an API key and print it."""
    output.record(api("POST", f"/principals/{segment(user_id)}/api-keys", {"name": name, "expires_at": expires}))
    _say_once(output)


@api_key.command("revoke")
@user_argument
@click.argument("key_id", metavar="ID")
@remote
def api_key_revoke(api: AdminApi, output: Output, user_id: str, key_id: str) -> None:
    """Revoke an API key."""
    api("DELETE", f"/principals/{segment(user_id)}/api-keys/{segment(key_id)}")
    output.done(f"Revoked {key_id}.")


@click.group()
def token() -> None:
    """Bearer tokens, for gRPC and the admin API."""


@token.command("issue")
@user_argument
@click.option(
    "--ttl",
    "ttl_s",
    type=click.IntRange(1),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="How long it is good.",
)
@remote
def token_issue(api: AdminApi, output: Output, user_id: str, ttl_s: int) -> None:
    """Issue a token that is good for --ttl seconds, and print it alone: TOKEN=$(lightningstor token issue alice)."""
    answer = api("POST", f"/principals/{segment(user_id)}/tokens", {"ttl_s": ttl_s})
    if output.as_json:
        output.record(answer)
    else:
        click.echo(answer["token"])


@token.command("revoke")
@user_argument
@remote
def token_revoke(api: AdminApi, output: Output, user_id: str) -> None:
    """Revoke all of a user's tokens."""
    api("DELETE", f"/principals/{segment(user_id)}/tokens")
    output.done(f"Revoked the tokens of {user_id}.")


def _keys(user_id: str) -> str:
    return f"/principals/{segment(user_id)}/access-keys"


def _say_once(output: Output) -> None:
    if not output.as_json:
        click.echo(_ONCE, err=True)
