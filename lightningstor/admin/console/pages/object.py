"""One object: what is known of it, its versions, a preview, its tags, a link to give away."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from quart import Blueprint, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from lightningstor.admin.console.access import permitted_bucket
from lightningstor.admin.console.guard import current_session
from lightningstor.admin.console.links import Links
from lightningstor.admin.console.pages.browse import crumbs_of
from lightningstor.admin.console.pages.tags import tags_of_text, text_of_tags
from lightningstor.admin.services import AdminServices
from lightningstor.model.records import ObjectVersion
from lightningstor.s3.wire.faults import InvalidRequest

__all__ = ["add_pages"]

_VERSIONS_SHOWN: Final = 50
_LINK_S: Final = 300
_SHARE_CHOICES: Final = {"1 hour": 3600, "1 day": 86_400, "7 days": 604_800}
_TEXT_PREVIEW_MAX: Final = 1 << 20
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/svg+xml"})
_TEXTS: Final = frozenset({"application/json", "application/xml", "application/yaml", "application/toml"})


def preview_kind(version: ObjectVersion) -> str | None:
    """How an object can be shown: "image", "video", "audio", "text"; None: not at all."""
    kind = (version.content_type or "").partition(";")[0].strip().lower()
    if kind in _IMAGES:
        return "image"
    if kind.startswith(("video/", "audio/")):
        return kind.partition("/")[0]
    if (kind.startswith("text/") or kind in _TEXTS) and version.size <= _TEXT_PREVIEW_MAX:
        return "text"
    return None


def add_pages(blueprint: Blueprint, services: AdminServices) -> None:
    """The object's page and what can be done from it."""
    store = services.store

    def links() -> Links:
        credential = current_session().credential
        return Links(credential, request.headers.get("host", ""), services.region, services.world.clock)

    @blueprint.get("/buckets/<bucket>/object")
    async def object_page(bucket: str) -> ResponseReturnValue:
        key, version_id = _named()
        record, place = await permitted_bucket(services, "GetObject", bucket, key)
        version = (await store.objects.find(place, key, version_id)).version
        listed = await store.listings.versions(place, prefix=key, limit=_VERSIONS_SHOWN)
        kind = preview_kind(version)
        as_text = {"response-content-type": "text/plain; charset=utf-8"} if kind == "text" else {}
        disposition = f"attachment; filename*=UTF-8''{quote(key.rpartition('/')[2], safe='')}"
        chosen = {} if version_id is None else {"versionId": version_id}
        return await render_template(
            "object.html",
            bucket=record,
            key=key,
            name=key.rpartition("/")[2] or key,
            folders=crumbs_of(key),
            version=version,
            chosen=version_id,
            versions=[entry for entry in listed.versions if entry.key == key],
            tags=text_of_tags(version.tags),
            kind=kind,
            preview=links().local("GET", bucket, key, {**chosen, **as_text}, _LINK_S) if kind else None,
            download=links().local(
                "GET", bucket, key, {**chosen, "response-content-disposition": disposition}, _LINK_S
            ),
            share_choices=_SHARE_CHOICES,
            shared=request.args.get("shared"),
        )

    @blueprint.post("/buckets/<bucket>/object/share")
    async def object_share(bucket: str) -> ResponseReturnValue:
        key, version_id = _named()
        await permitted_bucket(services, "GetObject", bucket, key)
        try:
            expires_s = _SHARE_CHOICES[(await request.form).get("expires", "")]
        except KeyError:
            raise InvalidRequest("choose how long the link shall be good") from None
        origin = services.s3_origin(request.host)
        chosen = {} if version_id is None else {"versionId": version_id}
        path = links().object("GET", bucket, key, chosen, expires_s, host=origin.partition("://")[2])
        return {"url": origin + path}

    @blueprint.post("/buckets/<bucket>/object/tags")
    async def object_tags(bucket: str) -> ResponseReturnValue:
        key, version_id = _named()
        _, place = await permitted_bucket(services, "PutObjectTagging", bucket, key)
        tags = tags_of_text((await request.form).get("tags", ""))
        await store.objects.set_tags(place, key, version_id, tags or None)
        return redirect(url_for("console.object_page", bucket=bucket, key=key, version=version_id), 303)

    @blueprint.post("/buckets/<bucket>/object/delete")
    async def object_delete(bucket: str) -> ResponseReturnValue:
        key, version_id = _named()
        _, place = await permitted_bucket(services, "DeleteObject", bucket, key)
        await store.deletes.delete(place, key, current_session().principal.owner, version_id)
        folder = key.rpartition("/")[0]
        return redirect(url_for("console.bucket_browse", bucket=bucket, prefix=folder + "/" if folder else None), 303)


def _named() -> tuple[str, str | None]:
    key = request.args.get("key", "")
    if not key:
        raise InvalidRequest("the parameter key is missing")
    return key, request.args.get("version") or None
