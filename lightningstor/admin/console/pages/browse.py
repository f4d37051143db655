"""What is in a bucket: folders and objects, or all versions of them."""

from __future__ import annotations

from itertools import accumulate

import msgspec
from quart import Blueprint, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from lightningstor.admin.console.access import permitted_bucket
from lightningstor.admin.console.guard import current_session
from lightningstor.admin.services import AdminServices
from lightningstor.errors import StoreError
from lightningstor.s3.wire.faults import InvalidRequest
from lightningstor.store.api import Deletion

__all__ = ["add_pages", "crumbs_of"]

_PAGE = 200
_DELIMITER = "/"


def crumbs_of(key: str) -> list[tuple[str, str]]:
    """The folders above a key or prefix: (name, prefix), outermost first."""
    folders = key.split(_DELIMITER)[:-1]
    prefixes = accumulate(folders, lambda above, name: above + name + _DELIMITER, initial="")
    return list(zip(folders, list(prefixes)[1:], strict=True))


def _ticked(text: str) -> Deletion:
    try:
        key, *version = msgspec.json.decode(text, type=list[str])
        return Deletion(key, *version[:1])
    except (msgspec.MsgspecError, ValueError):
        raise InvalidRequest("what is ticked is neither a key nor a version") from None


def add_pages(blueprint: Blueprint, services: AdminServices) -> None:
    """The listing, and deleting what is ticked in it."""
    listings = services.store.listings

    @blueprint.get("/buckets/<bucket>/")
    async def bucket_browse(bucket: str) -> ResponseReturnValue:
        versions = request.args.get("versions")
        record, place = await permitted_bucket(services, "ListObjectVersions" if versions else "ListObjectsV2", bucket)
        prefix, after = request.args.get("prefix", ""), request.args.get("after", "")
        shown = {"bucket": record, "prefix": prefix, "folders": crumbs_of(prefix), "after": after}
        if versions:
            listed = await listings.versions(
                place,
                prefix=prefix,
                delimiter=_DELIMITER,
                key_marker=after,
                version_id_marker=request.args.get("after_version"),
                limit=_PAGE,
            )
            return await render_template("versions.html", listing=listed, **shown)
        listing = await listings.objects(place, prefix=prefix, delimiter=_DELIMITER, after=after, limit=_PAGE)
        return await render_template("browse.html", listing=listing, **shown)

    @blueprint.post("/buckets/<bucket>/delete-objects")
    async def bucket_delete_objects(bucket: str) -> ResponseReturnValue:
        """Delete what is ticked: `[key]` or `[key, version id]` in JSON, as a form would change a key's line ends."""
        form = await request.form
        ticked = form.getlist("object")
        if not ticked:
            raise InvalidRequest("nothing is ticked")
        items: list[Deletion] = []
        place = bucket
        for text in ticked:
            item = _ticked(text)
            _, place = await permitted_bucket(services, "DeleteObject", bucket, item.key)
            items.append(item)
        results = await services.store.deletes.delete_many(place, current_session().principal.owner, items)
        for result in results:
            if isinstance(result, StoreError):
                raise result
        back = {"prefix": form.get("prefix", ""), "versions": form.get("versions") or None}
        return redirect(url_for("console.bucket_browse", bucket=bucket, **back), 303)
