"""Reads of a bucket, each held against the bucket's model."""

from __future__ import annotations

from attrs import frozen

from tests.harness.s3_bucket import S3Bucket, metadata_of, tags_of
from tests.harness.s3_model import Draft, S3Model, pages_of

__all__ = ["Reads"]


@frozen
class Reads:
    """What is read is what the model says."""

    bucket: S3Bucket
    model: S3Model

    def _found(self, key: str, index: int | None) -> tuple[str | None, int, Draft | None]:
        """What a read of a version finds: (its id, the status, the object)."""
        version_id = None if index is None else self.model.version_id(key, index)
        version = self.model.version(key, version_id)
        if version is None:
            return version_id, 404, None
        return version_id, (405 if version_id else 404) if version.draft is None else 200, version.draft

    def get(self, key: str, index: int | None, method: str = "GET") -> None:
        """The current object, or a version: content, ETag, metadata."""
        version_id, status, draft = self._found(key, index)
        answer = self.bucket.get(key, version_id, method=method)
        assert answer.status == status, answer
        if draft is not None:
            assert answer.body == (bytes(draft.content) if method == "GET" else b"")
            assert answer.headers["content-length"] == str(draft.content.size)
            assert answer.headers["etag"] == f'"{draft.etag}"'
            assert metadata_of(answer) == draft.metadata
            assert answer.headers.get("x-amz-tagging-count", "0") == str(len(draft.tags))

    def head(self, key: str, index: int | None) -> None:
        """As `get`, without the content."""
        self.get(key, index, "HEAD")

    def range(self, key: str, first: int, length: int) -> None:
        """A range of the current object."""
        _, status, draft = self._found(key, None)
        first = first % (draft.content.size + 2) if draft else first
        answer = self.bucket.get(key, spec=f"bytes={first}-{first + length}")
        if draft is None or first >= draft.content.size:
            assert answer.status == (416 if draft else status), answer
        else:
            assert answer.status == 206
            assert answer.body == bytes(draft.content)[first : first + length + 1]

    def tags(self, key: str, index: int | None) -> None:
        """GetObjectTagging."""
        version_id, status, draft = self._found(key, index)
        answer = self.bucket.tags(key, version_id)
        assert answer.status == status or (draft is None and answer.status == 405), answer
        if draft is not None:
            assert tags_of(answer) == draft.tags

    def list_objects(self, prefix: str, delimiter: str, size: int, after: str = "") -> None:
        """ListObjectsV2 in pages."""
        entries = ((key, (one.etag, one.content.size)) for key, one in self.model.objects() if key > after)
        assert self.bucket.objects(prefix, delimiter, size, after) == pages_of(entries, prefix, delimiter, size)

    def list_after(self, after: str, size: int) -> None:
        """ListObjectsV2 behind a key."""
        self.list_objects("", "", size, after)

    def list_versions(self, prefix: str, delimiter: str, size: int) -> None:
        """ListObjectVersions in pages."""
        entries = (
            (key, (one.id, latest, None if one.draft is None else (one.draft.etag, one.draft.content.size)))
            for key, (one, latest) in self.model.versions()
        )
        assert self.bucket.versions(prefix, delimiter, size) == pages_of(entries, prefix, delimiter, size)

    def list_uploads(self, prefix: str, delimiter: str, size: int) -> None:
        """ListMultipartUploads in pages."""
        entries = ((key, one.id) for key, one in self.model.open_uploads())
        assert self.bucket.uploads(prefix, delimiter, size) == pages_of(entries, prefix, delimiter, size)

    def list_parts(self, index: int, size: int) -> None:
        """ListParts in pages."""
        if index < len(self.model.uploads):
            upload = self.model.uploads[index]
            parts = [(number, upload.parts[number].md5, upload.parts[number].size) for number in sorted(upload.parts)]
            assert upload.id is not None
            pages = self.bucket.parts(upload.key, upload.id, size)
            assert pages == ([parts[at : at + size] for at in range(0, len(parts), size)] or [[]])
