"""Users and service accounts; for administrators."""

from __future__ import annotations

from quart import Blueprint, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from lightningstor.admin.console.access import require_admin
from lightningstor.admin.console.guard import current_session
from lightningstor.admin.noting import note_made
from lightningstor.admin.services import AdminServices
from lightningstor.iam.principal import PrincipalKind, Role
from lightningstor.s3.wire.faults import InvalidRequest

__all__ = ["add_pages"]


def add_pages(blueprint: Blueprint, services: AdminServices) -> None:
    """All users, and each of them."""
    _add_list(blueprint, services)
    _add_user(blueprint, services)


def _add_list(blueprint: Blueprint, services: AdminServices) -> None:
    """List, create."""
    directory = services.directory

    @blueprint.get("/users")
    async def users() -> ResponseReturnValue:
        require_admin()
        org = request.args.get("org") or None
        return await render_template(
            "users.html",
            users=directory.principals.list(org),
            orgs=directory.organisations.list(),
            org=org,
            roles=list(Role),
            fixed=directory.view.fixed,
        )

    @blueprint.post("/users")
    async def user_create() -> ResponseReturnValue:
        require_admin()
        form = await request.form
        made = await directory.principals.create(
            form.get("id", "").strip(),
            org_id=form.get("org", ""),
            kind=PrincipalKind.SERVICE_ACCOUNT if form.get("service") else PrincipalKind.USER,
            role=_role(form.get("role", "")),
            display_name=form.get("display_name", "").strip(),
        )
        note_made(made.id)
        return redirect(url_for("console.user_page", user=made.id), 303)


def _add_user(blueprint: Blueprint, services: AdminServices) -> None:
    """Show, change, delete."""
    directory = services.directory

    @blueprint.get("/users/<user>")
    async def user_page(user: str) -> ResponseReturnValue:
        require_admin()
        found = directory.principals.get(user)
        session = current_session()
        new_key, session.shown_once = session.shown_once, None
        return await render_template(
            "user.html",
            user=found,
            fixed=found.id in directory.view.fixed,
            keys=directory.access_keys.list(user),
            groups=directory.groups.list(found.org_id),
            projects=directory.projects.list(found.org_id),
            grants=[
                grant
                for grant in directory.grants.list(found.org_id)
                if grant.principal_id == user or grant.group_id in found.groups
            ],
            roles=list(Role),
            new_key=new_key,
        )

    @blueprint.post("/users/<user>")
    async def user_change(user: str) -> ResponseReturnValue:
        require_admin()
        form = await request.form
        await directory.principals.update(
            user,
            role=_role(form.get("role", "")),
            groups=tuple(form.getlist("group")),
            display_name=form.get("display_name", "").strip(),
            email=form.get("email", "").strip(),
            admin=bool(form.get("admin")),
            disabled=bool(form.get("disabled")),
            project_id=form.get("project") or None,
        )
        return redirect(url_for("console.user_page", user=user), 303)

    @blueprint.post("/users/<user>/delete")
    async def user_delete(user: str) -> ResponseReturnValue:
        require_admin()
        await directory.principals.delete(user)
        return redirect(url_for("console.users"), 303)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise InvalidRequest(f"{text!r} is no role") from None
