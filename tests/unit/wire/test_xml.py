"""XML bodies: what is read, what is refused and how cheaply (PROOF 33), and what is written."""

from __future__ import annotations

import time
import tracemalloc
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote, unquote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightningstor.errors import StoreError
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.dto.members import Rendered
from lightningstor.s3.wire.faults import NotImplementedHere
from lightningstor.s3.wire.operations import BY_NAME
from lightningstor.s3.wire.refusals import MalformedXML, MaxMessageLengthExceeded, MissingRequestBody
from lightningstor.s3.wire.render import render
from lightningstor.s3.wire.times import xml_time
from lightningstor.s3.wire.xml import escape, url_encode, writer
from lightningstor.s3.wire.xml_reader import parse
from tests.conftest import Figure

S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
LIMIT = BY_NAME["DeleteObjects"].body_limit


def delete(body: bytes | str) -> dto.Delete:
    """Read a DeleteObjects body."""
    raw = body.encode() if isinstance(body, str) else body
    made = parse(raw, "Delete", dto.Delete, LIMIT)
    assert isinstance(made, dto.Delete)
    return made


def keys(body: bytes | str) -> list[str]:
    return [item.key for item in delete(body).objects]


# Reading


@pytest.mark.parametrize(
    "body",
    [
        "<Delete><Object><Key>k</Key><VersionId>v</VersionId></Object><Quiet>true</Quiet></Delete>",
        f'<Delete xmlns="{S3_NAMESPACE}"><Object><Key>k</Key><VersionId>v</VersionId></Object>'
        "<Quiet>true</Quiet></Delete>",
        "<Delete><Quiet>true</Quiet><Object><VersionId>v</VersionId><Key>k</Key></Object></Delete>",
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Delete xmlns:s="{S3_NAMESPACE}">\n  <s:Quiet> TRUE </s:Quiet>\n'
        "  <s:Object>\n    <s:Key>k</s:Key>\n    <s:VersionId>v</s:VersionId>\n  </s:Object>\n</s:Delete>\n",
        '\ufeff<?xml version="1.0"?><!-- a comment --><Delete><Object><Key><![CDATA[k]]></Key>'
        "<VersionId>&#118;</VersionId></Object><Quiet>1</Quiet></Delete>",
        '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01"><Object><Key>k</Key><VersionId>v</VersionId></Object>'
        "<Quiet>true</Quiet></Delete>",
    ],
    ids=["plain", "namespace", "order", "prefix", "comments", "no-slash"],
)
def test_every_way_to_write_it_reads_alike(body: str) -> None:
    """Namespace or none, any order, indented or not, comments and CDATA."""
    assert delete(body) == dto.Delete(objects=(dto.ObjectIdentifier(key="k", version_id="v"),), quiet=True)


def test_text_is_kept_as_it_is() -> None:
    """A key's blanks and line ends are the key's."""
    assert keys("<Delete><Object><Key>  a\tb &#13;&#10; c </Key></Object></Delete>") == ["  a\tb \r\n c "]


def test_long_text_is_whole() -> None:
    """Text longer than the parser's buffer arrives in one piece."""
    long = "é" * 40_000
    assert keys(f"<Delete><Object><Key>{long}&amp;{long}</Key></Object></Delete>") == [f"{long}&{long}"]


def test_wrapped_lists_and_nested_structures() -> None:
    """A list within its own element, empty or not, and lists of structures."""
    empty = parse(b"<Tagging><TagSet/></Tagging>", "Tagging", dto.Tagging, LIMIT)
    assert empty == dto.Tagging(tag_set=())
    some = parse(
        b"<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag><Tag><Value>2</Value><Key>b</Key></Tag></TagSet></Tagging>",
        "Tagging",
        dto.Tagging,
        LIMIT,
    )
    assert some == dto.Tagging(tag_set=(dto.Tag(key="a", value=""), dto.Tag(key="b", value="2")))
    parts = parse(
        b'<CompleteMultipartUpload><Part><ETag>"e"</ETag><PartNumber> 2 </PartNumber></Part></CompleteMultipartUpload>',
        "CompleteMultipartUpload",
        dto.CompletedMultipartUpload,
        LIMIT,
    )
    assert parts == dto.CompletedMultipartUpload(parts=(dto.CompletedPart(etag='"e"', part_number=2),))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<Delete>", "not well-formed"),
        ("<Delete><Object><Key>k</Object></Delete>", "not well-formed"),
        ("<Delete><Object><Key>k</Key></Object></Delete><a/>", "not well-formed"),
        ("no xml", "not well-formed"),
        ("<Delete><Object><Key>\x01</Key></Object></Delete>", "not well-formed"),
        ("<Delete><Object><Key>&#1;</Key></Object></Delete>", "not well-formed"),
        ("<Delete><Object><Key>&nbsp;</Key></Object></Delete>", "not well-formed"),
        ("<Remove/>", "the root element is Remove, not Delete"),
        ("<Delete/>", "Delete has no element Object"),
        ("<Delete><Object/></Delete>", "Object has no element Key"),
        ("<Delete><Object><Key>k</Key><Colour>b</Colour></Object></Delete>", "Object has no element Colour"),
        ("<Delete><Object><Key>k</Key><Key>l</Key></Object></Delete>", "more than one element Key"),
        ("<Delete><Object><Key>k</Key></Object><Quiet>perhaps</Quiet></Delete>", "Quiet is neither true nor false"),
        ("<Delete><Object><Key><b>k</b></Key></Object></Delete>", "stands where text is expected"),
        ("<Delete>k<Object><Key>k</Key></Object></Delete>", "text stands where an element is expected"),
        ('<Delete xmlns="urn:other"><Object><Key>k</Key></Object></Delete>', "namespace urn:other"),
        ("<!DOCTYPE Delete><Delete><Object><Key>k</Key></Object></Delete>", "a document type is not allowed"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><Delete><Object><Key>k</Key></Object></Delete>', "ISO-8859-1"),
    ],
)
def test_what_is_not_of_the_shape_is_malformed(body: str, reason: str) -> None:
    """The error says what is wrong and where."""
    with pytest.raises(MalformedXML) as caught:
        delete(body)
    assert reason in caught.value.reason
    assert caught.value.line == 1
    assert caught.value.column


def test_the_place_of_an_error_is_told() -> None:
    """Line and column count from 1."""
    with pytest.raises(MalformedXML) as caught:
        delete("<Delete>\n  <Object>\n    <Kay>k</Kay>\n  </Object>\n</Delete>")
    assert (caught.value.line, caught.value.column) == (3, 5)


NUMBER = "<PartNumber>{}</PartNumber>"


@pytest.mark.parametrize(
    ("name", "root", "shape", "body"),
    [
        ("negative", "CompleteMultipartUpload", dto.CompletedMultipartUpload, f"<Part>{NUMBER.format('-1')}</Part>"),
        ("float", "CompleteMultipartUpload", dto.CompletedMultipartUpload, f"<Part>{NUMBER.format('1e3')}</Part>"),
        ("status", "VersioningConfiguration", dto.VersioningConfiguration, "<Status>enabled</Status>"),
        ("list", "Tagging", dto.Tagging, "<TagSet><Key>k</Key></TagSet>"),
        ("two lists", "Tagging", dto.Tagging, "<TagSet/><TagSet/>"),
        ("no list", "Tagging", dto.Tagging, ""),
        ("text in list", "Tagging", dto.Tagging, "<TagSet>k</TagSet>"),
    ],
)
def test_values_out_of_their_kind_are_malformed(name: str, root: str, shape: type[dto.Dto], body: str) -> None:
    """Numbers, enumerations and lists in XML."""
    with pytest.raises(MalformedXML):
        parse(f"<{root}>{body}</{root}>".encode(), root, shape, LIMIT)


@pytest.mark.parametrize(
    ("root", "shape", "body"),
    [
        ("CreateBucketConfiguration", dto.CreateBucketConfiguration, "<Bucket><Type>Directory</Type></Bucket>"),
        ("CreateBucketConfiguration", dto.CreateBucketConfiguration, "<Location><Name>az</Name></Location>"),
        ("VersioningConfiguration", dto.VersioningConfiguration, "<MfaDelete>Enabled</MfaDelete>"),
        ("Delete", dto.Delete, "<Object><Key>k</Key><Size>3</Size></Object>"),
    ],
)
def test_an_element_that_is_not_implemented_is_refused(root: str, shape: type[dto.Dto], body: str) -> None:
    """What the model has and we don't is no schema error, and is not passed over."""
    with pytest.raises(NotImplementedHere):
        parse(f"<{root}>{body}</{root}>".encode(), root, shape, LIMIT)


def test_an_element_that_asks_for_nothing_passes() -> None:
    """MFA delete explicitly off is what holds anyway."""
    body = b"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>"
    made = parse(body, "VersioningConfiguration", dto.VersioningConfiguration, LIMIT)
    assert made == dto.VersioningConfiguration(status="Enabled")


def test_a_thousand_keys_and_no_more() -> None:
    """DeleteObjects takes 1,000 of the longest keys, and S3 answers MalformedXML for one more."""
    item = f"<Object><Key>{'k' * 1024}</Key></Object>"
    assert len(keys(f"<Delete>{item * 1000}</Delete>")) == 1000
    with pytest.raises(MalformedXML) as caught:
        delete(f"<Delete>{'<Object><Key>k</Key></Object>' * 1001}</Delete>")
    assert caught.value.reason == "more than 1000 elements Object"


def test_ten_thousand_parts_with_checksums_fit() -> None:
    """The longest list of parts, indented, is within the operation's limit."""
    part = (
        "\n  <Part>\n    <ETag>&quot;{0:032x}&quot;</ETag>\n    <PartNumber>{0}</PartNumber>\n"
        "    <ChecksumSHA256>" + "A" * 43 + "=</ChecksumSHA256>\n  </Part>"
    )
    body = "".join([part.format(number) for number in range(1, 10_001)])
    operation = BY_NAME["CompleteMultipartUpload"]
    made = parse(
        f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode(),
        "CompleteMultipartUpload",
        dto.CompletedMultipartUpload,
        operation.body_limit,
    )
    assert isinstance(made, dto.CompletedMultipartUpload)
    assert made.parts is not None
    assert [part.part_number for part in made.parts] == list(range(1, 10_001))


def test_an_empty_body_is_missing() -> None:
    """Nothing, or nothing but blanks."""
    for body in (b"", b" \r\n\t"):
        with pytest.raises(MissingRequestBody):
            parse(body, "Delete", dto.Delete, LIMIT)


# Hostile bodies (PROOF 33)

LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)
KEY_ENDS = "</Key></Object></Delete>"
BOMBS = {
    "billion laughs": (LAUGHS + "]><Delete><Object><Key>&j;" + KEY_ENDS).encode(),
    "quadratic": (
        '<!DOCTYPE d [<!ENTITY a "' + "a" * 100_000 + '">]><Delete><Object><Key>' + "&a;" * 10_000 + KEY_ENDS
    ).encode(),
    "external entity": (
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;' + KEY_ENDS
    ).encode(),
    "parameter entity": b'<!DOCTYPE d [<!ENTITY % p SYSTEM "http://127.0.0.1/x">%p;]><Delete/>',
    "external subset": b'<!DOCTYPE Delete SYSTEM "http://127.0.0.1/x.dtd"><Delete/>',
    "200,000 levels": b"<Delete>" * 200_000,
    "200,000 levels of another": b"<Delete><Object><Key>" + b"<a>" * 200_000,
    "one long name": b"<Delete><" + b"a" * 2_000_000 + b">",
    "many attributes": b"<Delete " + b" ".join(b'a%d="1"' % n for n in range(150_000)) + b">",
    "one long attribute": b'<Delete a="' + b"x" * 2_000_000 + b'">',
    "many namespaces": b"<Delete " + b" ".join(b'xmlns:a%d="urn:%d"' % (n, n) for n in range(90_000)) + b">",
    "many comments": b"<Delete>" + b"<!---->" * 290_000,
    "UTF-16": '<!DOCTYPE d [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>'.encode("utf-16"),
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-Delete/+AD4-',
    "10 MiB": b"<Delete>" + b"<Object><Key>k</Key></Object>" * 361_578,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_quickly_and_in_little_memory(name: str, figure: Figure) -> None:
    """PROOF 33: refused with 400 within 100 ms and 20 MiB."""
    bomb = BOMBS[name]
    best = min(_time_of_refusal(bomb) for _ in range(3))
    tracemalloc.start()
    try:
        _time_of_refusal(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    figure(f"XML bomb, {name}: {best * 1e3:.1f} ms, {peak / (1 << 20):.1f} MiB")
    assert best < 0.1
    assert peak < 20 << 20


def _time_of_refusal(bomb: bytes) -> float:
    begin = time.process_time()
    with pytest.raises((MalformedXML, MaxMessageLengthExceeded)):
        delete(bomb)
    return time.process_time() - begin


_FRAGMENTS = st.sampled_from(
    [
        "<Delete>", "</Delete>", "<Object>", "</Object>", "<Key>", "</Key>", "<Quiet>", "true", "</Quiet>", "k", " ",
        "<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE d [", "]>", '<!ENTITY a "b">', "&a;", "&lt;", "&#0;", "<?p?>",
        f'<Delete xmlns="{S3_NAMESPACE}">', '<a xmlns:b="', '">', "<VersionId/>", "<Size>", "\x00", "\ufffe", "é",
    ]
)  # fmt: skip


@given(st.binary() | st.lists(_FRAGMENTS).map(lambda pieces: "".join(pieces).encode()))
def test_no_body_makes_anything_but_our_errors(body: bytes) -> None:
    """Whatever is sent, it is read whole or refused by an error of ours."""
    try:
        made = delete(body)
    except StoreError:
        return
    assert made.objects


@given(st.lists(st.tuples(st.text(min_size=1), st.none() | st.text(min_size=1)), min_size=1, max_size=20))
def test_what_a_library_writes_is_read(items: list[tuple[str, str | None]]) -> None:
    """A document from ElementTree reads back, if XML can hold its text at all."""
    root = ElementTree.Element("Delete")
    for key, version in items:
        node = ElementTree.SubElement(root, "Object")
        ElementTree.SubElement(node, "Key").text = key
        if version is not None:
            ElementTree.SubElement(node, "VersionId").text = version
    try:
        body = ElementTree.tostring(root, encoding="utf-8")
        expected = [(node.findtext("Key"), node.findtext("VersionId")) for node in ElementTree.fromstring(body)]
    except (ElementTree.ParseError, UnicodeEncodeError):
        return
    assert [(item.key, item.version_id) for item in delete(body).objects] == expected


# Writing


@given(st.text())
@example("a&b<c>d\"e'f")
def test_escaped_text_reads_back(text: str) -> None:
    """Any text that XML 1.0 can hold comes back from a parser as it was."""
    try:
        read = ElementTree.fromstring(f"<a>{escape(text)}</a>").text or ""
    except (ElementTree.ParseError, UnicodeEncodeError):
        assert any(ord(char) < 0x20 or char in "\ufffe\uffff" or "\ud800" <= char <= "\udfff" for char in text)
        return
    assert read == text


def test_control_characters_become_references() -> None:
    """XML 1.0 cannot hold them; S3 writes references all the same, and clients that can read them do."""
    assert escape("a\x01b\x1f\x7f\r\n\t") == "a&#x1;b&#x1F;&#x7F;&#xD;&#xA;&#x9;"
    assert escape("plain é €") == "plain é €"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_url_encoding_decodes_in_every_client(text: str) -> None:
    """With `unquote` as with `unquote_plus`; and what is encoded needs no XML escapes."""
    encoded = url_encode(text)
    assert unquote(encoded) == text
    assert unquote_plus(encoded) == text
    assert escape(encoded) == encoded


def test_url_encoding_is_s3s() -> None:
    """The slash stays, a blank is %20, a plus %2B; upper-case hex."""
    assert url_encode("a b+c/d~e.f-g_h%i*j\x01é") == "a%20b%2Bc/d~e.f-g_h%25i%2Aj%01%C3%A9"


def test_a_listing_encodes_what_may_hold_keys_and_nothing_else() -> None:
    """Key, Prefix, Delimiter, StartAfter and CommonPrefixes; never the continuation token."""
    output = dto.ListObjectsV2Output(
        name="b",
        prefix="a b",
        start_after="c d",
        delimiter="+",
        continuation_token="e+f",
        next_continuation_token="g+h",
        encoding_type="url",
        contents=[dto.Object(key="a b+", owner=dto.Owner(display_name="x y"))],
        common_prefixes=[dto.CommonPrefix(prefix="a b ")],
    )
    root = ElementTree.fromstring(render(BY_NAME["ListObjectsV2"], output)[2])
    text = {element.tag.partition("}")[2]: element.text for element in root.iter() if element.text}
    assert text == {
        "Name": "b",
        "Prefix": "a%20b%20",  # the last one: that of CommonPrefixes
        "StartAfter": "c%20d",
        "Delimiter": "%2B",
        "ContinuationToken": "e+f",
        "NextContinuationToken": "g+h",
        "EncodingType": "url",
        "Key": "a%20b%2B",
        "DisplayName": "x y",
    }


def test_without_encoding_a_listing_is_plain() -> None:
    """Keys are escaped for XML and nothing else."""
    output = dto.ListObjectsV2Output(contents=[dto.Object(key="a b+&")])
    assert b"<Key>a b+&amp;</Key>" in render(BY_NAME["ListObjectsV2"], output)[2]


def test_a_list_may_be_written_already() -> None:
    """What is `Rendered` stands where the items would."""
    output = dto.ListObjectsOutput(contents=Rendered("<Contents><Key>k</Key></Contents>"), is_truncated=False)
    body = render(BY_NAME["ListObjects"], output)[2]
    assert b"<IsTruncated>false</IsTruncated><Contents><Key>k</Key></Contents>" in body


def test_roots_and_namespace_are_s3s() -> None:
    """Every XML answer stands in S3's namespace under the root element that S3 uses."""
    roots = {
        "ListBuckets": "ListAllMyBucketsResult",
        "GetBucketLocation": "LocationConstraint",
        "GetBucketVersioning": "VersioningConfiguration",
        "GetBucketTagging": "Tagging",
        "GetObjectTagging": "Tagging",
        "GetBucketAcl": "AccessControlPolicy",
        "GetObjectAcl": "AccessControlPolicy",
        "ListObjects": "ListBucketResult",
        "ListObjectsV2": "ListBucketResult",
        "ListObjectVersions": "ListVersionsResult",
        "ListMultipartUploads": "ListMultipartUploadsResult",
        "ListParts": "ListPartsResult",
        "DeleteObjects": "DeleteResult",
        "CreateMultipartUpload": "InitiateMultipartUploadResult",
        "CompleteMultipartUpload": "CompleteMultipartUploadResult",
        "GetObjectAttributes": "GetObjectAttributesResponse",
        "CopyObject": "CopyObjectResult",
        "UploadPartCopy": "CopyPartResult",
    }
    answers: dict[str, dto.Dto] = {
        "CopyObject": dto.CopyObjectOutput(copy_object_result=dto.CopyObjectResult()),
        "UploadPartCopy": dto.UploadPartCopyOutput(copy_part_result=dto.CopyPartResult()),
        "GetBucketTagging": dto.GetBucketTaggingOutput(tag_set=()),
        "GetObjectTagging": dto.GetObjectTaggingOutput(tag_set=()),
    }
    for name, root in roots.items():
        shape = BY_NAME[name].output
        assert shape is not None
        body = render(BY_NAME[name], answers.get(name) or shape())[2]
        assert ElementTree.fromstring(body).tag == f"{{{S3_NAMESPACE}}}{root}", name


def test_times_are_whole_seconds() -> None:
    """As S3 writes them."""
    assert xml_time(1_767_323_045_999) == "2026-01-02T03:04:05.000Z"
    assert xml_time(0) == "1970-01-01T00:00:00.000Z"


def test_a_page_of_a_thousand_is_written_in_a_millisecond(figure: Figure) -> None:
    """Around a rendered page the document costs next to nothing; DTOs cost some microseconds an item."""
    page = Rendered("<Contents><Key>k</Key></Contents>" * 1000)
    output = dto.ListObjectsV2Output(name="b", prefix="", contents=page, key_count=1000, max_keys=1000)
    write = writer(dto.ListObjectsV2Output)
    best = min(_seconds(write, output) for _ in range(20))
    figure(f"document around a rendered page of 1,000: {best * 1e6:.0f} µs")
    assert best < 0.001


def _seconds(write: object, output: dto.Dto) -> float:
    assert callable(write)
    begin = time.perf_counter()
    write(output)
    return time.perf_counter() - begin
