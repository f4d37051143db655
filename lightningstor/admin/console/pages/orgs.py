"""Organisations and their projects, with limits and usage; for administrators."""

from __future__ import annotations

from collections.abc import Mapping

from quart import Blueprint, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from lightningstor.admin.console.access import require_admin
from lightningstor.admin.noting import note_made
from lightningstor.admin.services import AdminServices
from lightningstor.model.records import StorageLimits
from lightningstor.s3.wire.faults import InvalidRequest
from lightningstor.store.quotas import QuotaScope

__all__ = ["add_pages", "limits_of_form"]

_MIB = 1 << 20


def limits_of_form(form: Mapping[str, str]) -> StorageLimits:
    """The limits that a form says; an empty field is no limit, sizes are in MiB.

    Raises:
        InvalidRequest: a field is no number.
    """
    return StorageLimits(
        max_buckets=_number(form, "max_buckets"),
        max_total_size_bytes=_number(form, "max_total_size_mib", _MIB),
        max_objects_per_bucket=_number(form, "max_objects_per_bucket"),
        max_object_size_bytes=_number(form, "max_object_size_mib", _MIB),
    )


def _number(form: Mapping[str, str], name: str, factor: int = 1) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequest(f"{name} must be a whole number or empty, not {text!r}")
    return int(text) * factor


def add_pages(blueprint: Blueprint, services: AdminServices) -> None:
    """Organisations, their projects and groups, limits and usage."""
    _add_organisations(blueprint, services)
    _add_parts(blueprint, services)


def _add_organisations(blueprint: Blueprint, services: AdminServices) -> None:
    """List, create, delete; limits and usage."""
    directory, quotas = services.directory, services.store.quotas

    @blueprint.get("/orgs")
    async def orgs() -> ResponseReturnValue:
        require_admin()
        rows = [
            (org, await quotas.usage(QuotaScope(org.id)), await quotas.get(QuotaScope(org.id)))
            for org in directory.organisations.list()
        ]
        return await render_template("orgs.html", rows=rows)

    @blueprint.post("/orgs")
    async def org_create() -> ResponseReturnValue:
        require_admin()
        form = await request.form
        made = await directory.organisations.create(form.get("id", "").strip(), form.get("display_name", "").strip())
        note_made(made.id)
        return redirect(url_for("console.org_page", org=made.id), 303)

    @blueprint.get("/orgs/<org>")
    async def org_page(org: str) -> ResponseReturnValue:
        require_admin()
        scope = QuotaScope(org)
        projects = [
            (project, await quotas.usage(QuotaScope(org, project.id)), await quotas.get(QuotaScope(org, project.id)))
            for project in directory.projects.list(org)
        ]
        return await render_template(
            "org.html",
            org=directory.organisations.get(org),
            usage=await quotas.usage(scope),
            limits=await quotas.get(scope),
            projects=projects,
            groups=[(group, directory.groups.members(org, group.id)) for group in directory.groups.list(org)],
            fixed=directory.view.is_fixed_organisation(org),
        )

    @blueprint.post("/orgs/<org>/quota")
    async def org_quota(org: str) -> ResponseReturnValue:
        require_admin()
        form = await request.form
        await services.tenants.set_limits(QuotaScope(org, form.get("project") or None), limits_of_form(form))
        return redirect(url_for("console.org_page", org=org), 303)

    @blueprint.post("/orgs/<org>/delete")
    async def org_delete(org: str) -> ResponseReturnValue:
        require_admin()
        await services.tenants.delete_organisation(org)
        return redirect(url_for("console.orgs"), 303)


def _add_parts(blueprint: Blueprint, services: AdminServices) -> None:
    """Projects and groups of an organisation: create, delete."""
    directory = services.directory

    @blueprint.post("/orgs/<org>/projects")
    async def org_project_create(org: str) -> ResponseReturnValue:
        require_admin()
        form = await request.form
        made = await directory.projects.create(org, form.get("id", "").strip(), form.get("display_name", "").strip())
        note_made(made.id)
        return redirect(url_for("console.org_page", org=org), 303)

    @blueprint.post("/orgs/<org>/projects/<project>/delete")
    async def org_project_delete(org: str, project: str) -> ResponseReturnValue:
        require_admin()
        await services.tenants.delete_project(org, project)
        return redirect(url_for("console.org_page", org=org), 303)

    @blueprint.post("/orgs/<org>/groups")
    async def org_group_create(org: str) -> ResponseReturnValue:
        require_admin()
        made = await directory.groups.create(org, (await request.form).get("id", "").strip())
        note_made(made.id)
        return redirect(url_for("console.org_page", org=org), 303)

    @blueprint.post("/orgs/<org>/groups/<group>/delete")
    async def org_group_delete(org: str, group: str) -> ResponseReturnValue:
        require_admin()
        await directory.groups.delete(org, group)
        return redirect(url_for("console.org_page", org=org), 303)
