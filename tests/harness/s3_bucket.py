"""A bucket as a client sees it: its listings page by page, and everything in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from attrs import frozen

from tests.harness.s3_model import NULL, Facts, Picture
from tests.harness.signed_http import Answer, SignedHttp

__all__ = ["S3Bucket", "metadata_of", "query_of", "tags_of", "tree"]

_META = "x-amz-meta-"
T = TypeVar("T")


def tree(answer: Answer) -> ElementTree.Element:
    """The XML document of an answer, without its namespace.

    S3 writes a NUL in a key as a character reference, which XML 1.0 does not have: U+FFFD stands here in its place.
    """
    root = ElementTree.fromstring(answer.body.replace(b"&#x0;", b"\xef\xbf\xbd"))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def query_of(**fields: str | int | None) -> str:
    """A query; `_` in names stands for `-`, and what is None is left out."""
    pairs = (
        f"{name.replace('_', '-')}={quote(str(value), safe='')}" for name, value in fields.items() if value is not None
    )
    return "&".join(pairs)


def metadata_of(answer: Answer) -> dict[str, str]:
    """User metadata in the headers."""
    return {name.removeprefix(_META): value for name, value in answer.headers.items() if name.startswith(_META)}


def tags_of(answer: Answer) -> dict[str, str]:
    """The tags of a document."""
    return {_text(tag, "Key"): _text(tag, "Value") for tag in tree(answer).iter("Tag")}


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(name) or ""


def _etag(element: ElementTree.Element) -> str:
    return _text(element, "ETag").strip('"')


@frozen
class S3Bucket:
    """A bucket, by one client. Every page is asked for in encoding-type=url, so that every key can be told."""

    client: SignedHttp
    name: str

    def get(self, key: str, version_id: str | None = None, *, method: str = "GET", spec: str = "") -> Answer:
        """GetObject or HeadObject, of a range if `spec` is the value of the header."""
        headers = {"range": spec} if spec else {}
        return self.client.request(method, f"/{self.name}/{key}", b"", query_of(versionId=version_id), headers)

    def tags(self, key: str, version_id: str | None = None) -> Answer:
        """GetObjectTagging."""
        query = "&".join(filter(None, ["tagging=", query_of(versionId=version_id)]))
        return self.client.request("GET", f"/{self.name}/{key}", query=query)

    def objects(
        self, prefix: str, delimiter: str, size: int, start_after: str = ""
    ) -> list[list[tuple[str, tuple[str, int] | None]]]:
        """Pages of ListObjectsV2: (key, (ETag, size)), or (common prefix, None)."""
        query = "list-type=2&" + query_of(start_after=start_after or None)
        pages = []
        for page in self._pages(query, prefix, delimiter, max_keys=size):
            entries = _entries(page, ("Contents",), lambda one: (_etag(one), int(_text(one, "Size"))))
            assert int(_text(page, "KeyCount")) == len(entries)
            pages.append(entries)
        return pages

    def versions(
        self, prefix: str = "", delimiter: str = "", size: int = 1000
    ) -> list[list[tuple[str, tuple[str, bool, tuple[str, int] | None] | None]]]:
        """Pages of ListObjectVersions: (key, (id, whether it is the latest, None for a marker or (ETag, size)))."""

        def entry(one: ElementTree.Element) -> tuple[str, bool, tuple[str, int] | None]:
            facts = (_etag(one), int(_text(one, "Size"))) if one.tag == "Version" else None
            return _text(one, "VersionId"), _text(one, "IsLatest") == "true", facts

        pages = self._pages("versions=", prefix, delimiter, max_keys=size)
        return [_entries(page, ("Version", "DeleteMarker"), entry) for page in pages]

    def uploads(self, prefix: str = "", delimiter: str = "", size: int = 1000) -> list[list[tuple[str, str | None]]]:
        """Pages of ListMultipartUploads: (key, id), or (common prefix, None)."""
        pages = self._pages("uploads=", prefix, delimiter, max_uploads=size)
        return [_entries(page, ("Upload",), lambda one: _text(one, "UploadId")) for page in pages]

    def parts(self, key: str, upload_id: str, size: int = 1000) -> list[list[tuple[int, str, int]]]:
        """Pages of ListParts: (number, ETag, size)."""
        pages, marker = [], "0"
        while True:
            query = query_of(uploadId=upload_id, max_parts=size, part_number_marker=marker)
            answer = self.client.request("GET", f"/{self.name}/{key}", query=query)
            assert answer.status == 200, answer
            page = tree(answer)
            parts = page.findall("Part")
            pages.append([(int(_text(one, "PartNumber")), _etag(one), int(_text(one, "Size"))) for one in parts])
            if _text(page, "IsTruncated") != "true":
                return pages
            following = _text(page, "NextPartNumberMarker")
            assert following != marker, f"the page behind {marker} leads to itself"
            marker = following

    def picture(self) -> Picture:
        """Everything: every version is read whole, and listed where it should be."""
        versions = [
            (key, entry[0], entry[1], self._facts(key, *entry))
            for page in self.versions()
            for key, entry in page
            if entry is not None
        ]
        uploads = [
            (key, upload_id, self.parts(key, upload_id)[0])
            for page in self.uploads()
            for key, upload_id in page
            if upload_id is not None
        ]
        return Picture(_text(tree(self._query("versioning=")), "Status"), versions, uploads)

    def _facts(self, key: str, version_id: str, latest: bool, listed: tuple[str, int] | None) -> Facts | None:
        """What GET and GetObjectTagging say of a version; they must say the same as the listing does."""
        asked = None if latest and version_id == NULL else version_id
        answer = self.get(key, asked)
        if listed is None:
            assert answer.status == (404 if asked is None else 405), answer
            assert answer.headers["x-amz-delete-marker"] == "true"
            return None
        assert answer.status == 200, (key, asked, answer)
        assert (answer.headers["etag"].strip('"'), len(answer.body)) == listed
        digest = hashlib.sha256(answer.body).hexdigest()
        return *listed, digest, metadata_of(answer), tags_of(self.tags(key, asked))

    def _query(self, query: str) -> Answer:
        answer = self.client.request("GET", f"/{self.name}", query=query)
        assert answer.status == 200, answer
        return answer

    def _pages(self, query: str, prefix: str, delimiter: str, **size: int) -> Iterator[ElementTree.Element]:
        asked = query_of(encoding_type="url", prefix=prefix or None, delimiter=delimiter or None, **size)
        marker = ""
        while True:
            whole = "&".join(filter(None, [query.strip("&"), asked, marker]))
            page = tree(self._query(whole))
            yield page
            if _text(page, "IsTruncated") != "true":
                return
            following = query_of(
                continuation_token=page.findtext("NextContinuationToken"),
                key_marker=_decoded(page.findtext("NextKeyMarker")),
                version_id_marker=page.findtext("NextVersionIdMarker"),
                upload_id_marker=page.findtext("NextUploadIdMarker"),
            )
            assert following != marker, f"the page behind {marker} leads to itself"
            marker = following


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text)


def _entries(
    page: ElementTree.Element, names: tuple[str, ...], entry: Callable[[ElementTree.Element], T]
) -> list[tuple[str, T | None]]:
    """Entries and common prefixes of a page as one list in order; those of one key stay as they come."""
    found: list[tuple[str, T | None]] = []
    for one in page:
        if one.tag in names:
            found.append((unquote(_text(one, "Key")), entry(one)))
        elif one.tag == "CommonPrefixes":
            found.append((unquote(_text(one, "Prefix")), None))
    return sorted(found, key=lambda pair: pair[0])
