"""Requests that change a bucket, each with what S3 answers to it and what it then has done to the bucket's model."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import quote
from xml.sax.saxutils import escape

from attrs import define, evolve, field, frozen

from tests.harness.s3_bucket import query_of, tree
from tests.harness.s3_model import ENABLED, NULL, Content, Draft, S3Model, Upload
from tests.harness.signed_http import Answer

__all__ = ["Change", "Changes"]

Effect = Callable[[S3Model, Answer | None], None]
"""What a request does to the model. Ids are taken from its answer; without one they are not known yet."""

_OTHER_ETAG = "0" * 32


@frozen
class Change:
    """A request to the bucket or one of its keys.

    Args:
        statuses: what S3 answers, with `code` where it is an error.
        effects: what it has done then, one for each thing that happens or does not happen by itself.
        etag: what the answer must name.
    """

    method: str
    key: str = ""
    body: bytes = b""
    query: str = ""
    headers: dict[str, str] = field(factory=dict)
    statuses: tuple[int, ...] = (200,)
    code: str = ""
    effects: tuple[Effect, ...] = ()
    etag: str = ""

    def check(self, answer: Answer) -> None:
        """The answer is the one that S3 gives."""
        assert answer.status in self.statuses, f"{self} was answered {answer}"
        if self.code:
            assert answer.element("Code") == self.code, f"{self} was answered {answer}"
        if self.etag:
            told = answer.headers.get("etag") or tree(answer).findtext("ETag") or ""
            assert told == f'"{self.etag}"', f"{self} was answered {answer}"

    def refused(self, status: int, code: str) -> Change:
        """The same where S3 refuses it: nothing is done."""
        return evolve(self, statuses=(status,), code=code, effects=(), etag="")


@define
class Changes:
    """Makes the requests.

    Args:
        bucket: its name, which copies need.
        model: what the bucket holds.
        seed: for bodies, metadata and tags; another one for each step.
    """

    bucket: str
    model: S3Model
    seed: int

    def put(self, key: str, size: int, extras: int, condition: str) -> Change:
        draft = self._draft(extras, Content(((self.seed, size),)))
        change = Change(
            "PUT",
            key,
            bytes(draft.content),
            headers=_draft_headers(draft),
            effects=(partial(_put, key, draft),),
            etag=draft.etag,
        )
        return self._conditional(change, condition)

    def delete(self, key: str) -> Change:
        return Change("DELETE", key, statuses=(204,), effects=(partial(_delete, key, _marker_id),))

    def delete_version(self, key: str, index: int) -> Change | None:
        version_id = self.model.version_id(key, index)
        if version_id is None:
            return None
        effects = (partial(_delete_version, key, version_id),)
        return Change("DELETE", key, query=query_of(versionId=version_id), statuses=(204,), effects=effects)

    def delete_many(self, items: Sequence[tuple[str, int | None]]) -> Change:
        lines, effects = [], list[Effect]()
        for key, index in items:
            version_id = None if index is None else self.model.version_id(key, index)
            if version_id is None:
                lines.append(f"<Object><Key>{escape(key)}</Key></Object>")
                effects.append(partial(_delete, key, partial(_batch_marker_id, key)))
            else:
                lines.append(f"<Object><Key>{escape(key)}</Key><VersionId>{version_id}</VersionId></Object>")
                effects.append(partial(_delete_version, key, version_id))
        body = f"<Delete>{''.join(lines)}</Delete>".encode()
        return Change("POST", "", body, "delete=", _digest(body), effects=tuple(effects))

    def copy(self, source: str, index: int | None, key: str, replace: bool, extras: int, condition: str) -> Change:
        version_id = None if index is None else self.model.version_id(source, index)
        # A copy onto itself that changes nothing is refused.
        replace = replace or (source == key and version_id is None)
        named = "" if version_id is None else f"?versionId={version_id}"
        headers = {"x-amz-copy-source": f"/{self.bucket}/{quote(source, safe='/~')}{named}"}
        new = self._draft(extras, Content())
        if replace:
            headers |= {"x-amz-metadata-directive": "REPLACE", **_metadata_headers(new)}
        change = Change("PUT", key, headers=headers)
        version = self.model.version(source, version_id)
        if version is None:
            return change.refused(404, "NoSuchKey" if version_id is None else "NoSuchVersion")
        if version.draft is None:
            return change.refused(*((404, "NoSuchKey") if version_id is None else (400, "InvalidRequest")))
        old = version.draft
        in_place = source == key and version_id is None and (not self.model.versioning or self._null_is_replaced(key))
        # CopyObject: "The ETag reflects only changes to the contents of an object, not its metadata."
        etag = old.etag if in_place else old.content.md5
        draft = Draft(old.content, new.metadata if replace else old.metadata, old.tags, etag)
        change = evolve(change, effects=(partial(_put, key, draft),), etag=etag)
        return self._conditional(change, condition)

    def renew(self, key: str, extras: int, condition: str) -> Change:
        """A copy onto itself, with other metadata."""
        return self.copy(key, None, key, True, extras, condition)

    def tag(self, key: str, index: int | None, extras: int) -> Change:
        version_id = None if index is None else self.model.version_id(key, index)
        tags = self._draft(extras, Content()).tags
        query = "&".join(filter(None, ["tagging=", query_of(versionId=version_id)]))
        if tags:
            listed = "".join(f"<Tag><Key>{name}</Key><Value>{value}</Value></Tag>" for name, value in tags.items())
            body = f"<Tagging><TagSet>{listed}</TagSet></Tagging>".encode()
            change = Change("PUT", key, body, query, _digest(body))
        else:
            change = Change("DELETE", key, query=query, statuses=(204,))
        version = self.model.version(key, version_id)
        if version is None:
            return change.refused(404, "NoSuchKey" if version_id is None else "NoSuchVersion")
        if version.draft is None:
            return evolve(change, statuses=(404, 405) if version_id is None else (405,))
        return evolve(change, effects=(lambda model, _: model.set_tags(key, version_id, tags),))

    def version(self, status: str) -> Change:
        body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode()

        def effect(model: S3Model, _: Answer | None) -> None:
            model.versioning = status

        return Change("PUT", "", body, "versioning=", _digest(body), effects=(effect,))

    def begin(self, key: str, extras: int) -> Change:
        draft = self._draft(extras, Content())

        def effect(model: S3Model, answer: Answer | None) -> None:
            upload_id = None if answer is None else answer.element("UploadId")
            assert upload_id != ""
            model.uploads.append(Upload(upload_id, key, draft))

        return Change("POST", key, query="uploads=", headers=_draft_headers(draft), effects=(effect,))

    def part(self, index: int, number: int, size: int) -> Change | None:
        found = self._upload(index)
        if found is None:
            return None
        upload, key = found
        content = Content(((self.seed, size),))
        query = query_of(partNumber=number, uploadId=upload.id)
        change = Change("PUT", key, bytes(content), query, etag=content.md5)
        if key != upload.key:
            return change.refused(404, "NoSuchUpload")
        changed = evolve(upload, parts={**upload.parts, number: content})
        return evolve(change, effects=(lambda model, _: model.change_upload(upload, changed),))

    def complete(self, index: int, chosen: int, wrong: bool, condition: str) -> Change | None:
        """Of the parts those whose bits are set in `chosen`, or all; `wrong`: one of them with another ETag."""
        found = self._upload(index)
        if found is None:
            return None
        upload, key = found
        numbers = [number for number in sorted(upload.parts) if chosen >> number & 1] or sorted(upload.parts)
        parts = [(number, upload.parts[number].md5) for number in numbers]
        if wrong or not parts:
            parts = [*parts[:-1], (numbers[-1] if numbers else 1, _OTHER_ETAG)]
        listed = (f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts)
        body = f"<CompleteMultipartUpload>{''.join(listed)}</CompleteMultipartUpload>".encode()
        change = Change("POST", key, body, query_of(uploadId=upload.id))
        if key != upload.key:
            return change.refused(404, "NoSuchUpload")
        if wrong or not numbers:
            return change.refused(400, "InvalidPart")
        draft = upload.composed(numbers)

        def effect(model: S3Model, answer: Answer | None) -> None:
            model.change_upload(upload, None)
            _put(key, draft, model, answer)

        return self._conditional(evolve(change, effects=(effect,), etag=draft.etag), condition)

    def abort(self, index: int) -> Change | None:
        found = self._upload(index)
        if found is None:
            return None
        upload, key = found
        change = Change("DELETE", key, query=query_of(uploadId=upload.id), statuses=(204,))
        if key != upload.key:
            return change.refused(404, "NoSuchUpload")
        return evolve(change, effects=(lambda model, _: model.change_upload(upload, None),))

    def _upload(self, index: int) -> tuple[Upload, str] | None:
        """An open upload and its key; beyond the last the first one with a key that is not its own."""
        uploads = self.model.uploads
        if index < len(uploads):
            return uploads[index], uploads[index].key
        return (uploads[0], f"{uploads[0].key}x") if uploads else None

    def _draft(self, extras: int, content: Content) -> Draft:
        """With metadata, tags, both or neither."""
        metadata = {"colour": f"red {self.seed}"} if extras & 1 else {}
        return Draft(content, metadata, {"stage": f"s{self.seed}", "of": ""} if extras & 2 else {})

    def _null_is_replaced(self, key: str) -> bool:
        return self.model.versioning != ENABLED and self.model.keys[key][0].id == NULL

    def _conditional(self, change: Change, condition: str) -> Change:
        """The request with a condition: "" none, "new" If-None-Match: *, "same" or "other" If-Match."""
        current = self.model.current(change.key)
        if condition == "new":
            change = evolve(change, headers={**change.headers, "if-none-match": "*"})
            return change.refused(412, "PreconditionFailed") if current else change
        if condition:
            etag = current.etag if current and condition == "same" else _OTHER_ETAG
            change = evolve(change, headers={**change.headers, "if-match": f'"{etag}"'})
            if current is None:
                return change.refused(404, "NoSuchKey")
            if condition == "other":
                return change.refused(412, "PreconditionFailed")
        return change


def _put(key: str, draft: Draft, model: S3Model, answer: Answer | None) -> None:
    version_id = None
    if answer is not None:
        version_id = answer.headers.get("x-amz-version-id")
        _check_id(model, version_id)
    model.put(key, draft, version_id)


def _check_id(model: S3Model, version_id: str | None) -> None:
    """A new id where versioning is enabled; otherwise none, or "null"."""
    if model.versioning != ENABLED:
        assert version_id in (None, NULL)
    else:
        assert version_id not in (None, "", NULL)
        assert version_id not in [version.id for of in model.keys.values() for version in of]


def _delete(key: str, marker_id: Callable[[Answer], str | None], model: S3Model, answer: Answer | None) -> None:
    version_id = None if answer is None else marker_id(answer)
    if answer is not None and model.versioning:
        _check_id(model, version_id)
    model.delete(key, version_id)


def _marker_id(answer: Answer) -> str | None:
    return answer.headers.get("x-amz-version-id")


def _batch_marker_id(key: str, answer: Answer) -> str | None:
    told = [one for one in tree(answer).iter("Deleted") if one.findtext("Key") == key]
    assert len(told) == 1, answer
    return told[0].findtext("DeleteMarkerVersionId")


def _delete_version(key: str, version_id: str, model: S3Model, answer: Answer | None) -> None:
    version = model.version(key, version_id)
    if version is None:
        return
    if answer is not None:
        told = answer.headers.get("x-amz-delete-marker")
        if answer.body:
            told = next(one.findtext("DeleteMarker") for one in tree(answer) if one.findtext("Key") == key)
        assert (told == "true") == (version.draft is None), answer
    model.delete_version(key, version_id)


def _digest(body: bytes) -> dict[str, str]:
    return {"content-md5": b64encode(hashlib.md5(body).digest()).decode()}


def _metadata_headers(draft: Draft) -> dict[str, str]:
    return {f"x-amz-meta-{name}": value for name, value in draft.metadata.items()}


def _draft_headers(draft: Draft) -> dict[str, str]:
    tags = "&".join(f"{name}={value}" for name, value in draft.tags.items())
    return _metadata_headers(draft) | ({"x-amz-tagging": tags} if tags else {})
