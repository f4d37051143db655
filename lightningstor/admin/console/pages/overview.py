"""The first page: how the daemon is, and what the last minutes were like."""

from __future__ import annotations

from attrs import asdict
from quart import Blueprint, redirect, render_template, url_for
from quart.typing import ResponseReturnValue

from lightningstor.admin.console.access import require_admin
from lightningstor.admin.console.guard import current_session
from lightningstor.admin.services import AdminServices

__all__ = ["add_pages"]


def add_pages(blueprint: Blueprint, services: AdminServices) -> None:
    """The overview, for administrators; everybody else begins with the buckets."""

    @blueprint.get("/")
    async def home() -> ResponseReturnValue:
        if not current_session().principal.admin:
            return redirect(url_for("console.buckets"), 303)
        return await render_template(
            "overview.html",
            reasons=services.readiness.reasons(),
            region=services.region,
            usage=services.usage,
            jobs=services.jobs,
        )

    @blueprint.get("/samples")
    async def samples() -> ResponseReturnValue:
        require_admin()
        return {"samples": [asdict(sample) for sample in services.samples.kept]}
