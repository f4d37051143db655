"""The list of buckets, and a bucket's settings."""

from __future__ import annotations

from quart import Blueprint, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from lightningstor.admin.console.access import permit, permitted_bucket
from lightningstor.admin.console.guard import current_session
from lightningstor.admin.console.pages.tags import tags_of_text, text_of_tags
from lightningstor.admin.services import AdminServices
from lightningstor.iam.authorize import Resource
from lightningstor.model.names import bucket_name
from lightningstor.store.usage import usage_of

__all__ = ["add_pages"]

_PAGE = 200


def add_pages(blueprint: Blueprint, services: AdminServices) -> None:
    """List, create, settings, delete."""

    @blueprint.get("/buckets")
    async def buckets() -> ResponseReturnValue:
        principal = current_session().principal
        scope = Resource(principal.org_id, principal.project_id)
        await permit(services, "ListBuckets", scope)
        after, prefix = request.args.get("after", ""), request.args.get("prefix", "")
        page = await services.store.buckets.list(
            principal.org_id, principal.project_id, prefix=prefix, after=after, limit=_PAGE, reachable=True
        )
        rows = [(bucket, *await usage_of(services.store.ctx.kv, bucket)) for bucket in page.items]
        following = page.items[-1].name if page.truncated else None
        return await render_template("buckets.html", rows=rows, prefix=prefix, after=after, following=following)

    @blueprint.post("/buckets")
    async def bucket_create() -> ResponseReturnValue:
        principal, form = current_session().principal, await request.form
        name = bucket_name(form.get("name", "").strip())
        scope = Resource(principal.org_id, principal.project_id, name)
        await permit(services, "CreateBucket", scope)
        await services.store.buckets.create(
            name,
            principal.owner,
            org_id=principal.org_id,
            project_id=principal.project_id,
            region=services.region,
            versioning="Enabled" if form.get("versioning") else "Disabled",
        )
        return redirect(url_for("console.bucket_browse", bucket=name), 303)

    @blueprint.get("/buckets/<bucket>/settings")
    async def bucket_settings(bucket: str) -> ResponseReturnValue:
        record, _ = await permitted_bucket(services, "GetBucketVersioning", bucket)
        objects, size = await usage_of(services.store.ctx.kv, record)
        return await render_template(
            "bucket_settings.html", bucket=record, objects=objects, size=size, tags=text_of_tags(record.tags)
        )

    @blueprint.post("/buckets/<bucket>/settings")
    async def bucket_change(bucket: str) -> ResponseReturnValue:
        record, place = await permitted_bucket(services, "PutBucketVersioning", bucket)
        await permitted_bucket(services, "PutBucketTagging", bucket)
        form = await request.form
        wanted, tags = form.get("versioning", record.versioning), tags_of_text(form.get("tags", ""))
        await services.store.buckets.change(
            place, versioning=None if wanted == record.versioning else wanted, tags=tags
        )
        return redirect(url_for("console.bucket_settings", bucket=bucket), 303)

    @blueprint.post("/buckets/<bucket>/delete")
    async def bucket_delete(bucket: str) -> ResponseReturnValue:
        _, place = await permitted_bucket(services, "DeleteBucket", bucket)
        await services.store.buckets.delete(place)
        return redirect(url_for("console.buckets"), 303)
