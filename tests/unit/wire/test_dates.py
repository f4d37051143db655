"""The dates that clients send."""

from __future__ import annotations

from contextlib import suppress
from email.utils import formatdate
from time import gmtime, strftime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.s3.wire.dates import amz_time, parse_amz_time, parse_http_time
from lightningstor.s3.wire.times import http_time

MOMENT_MS = 784_111_777_000  # RFC 9110's example
_SECONDS = st.integers(0, 4_102_444_800)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 UTC",
        "sun, 06 NOV 1994 08:49:37 gmt",
        "  Sun, 06 Nov 1994 08:49:37 GMT ",
        "19941106T084937Z",
    ],
)
def test_forms(text: str) -> None:
    """The three forms of RFC 9110 §5.6.7, and the compact one of signatures."""
    assert parse_http_time(text) == MOMENT_MS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Mon, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 19944 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT GMT",
        "19941106T084937",
        "19941306T084937Z",
        "19940230T084937Z",
        "00000101T000000Z",
        "1994110 T084937Z",
        "19941106X084937Z",
    ],
)
def test_what_is_no_date(text: str) -> None:
    """A text that is no date, and a date that does not exist, are None and not a guess."""
    assert parse_http_time(text) is None


def test_two_digit_years() -> None:
    """RFC 850's years before 69 are after 2000."""
    assert parse_http_time("Sunday, 06-Nov-68 08:49:37 GMT") == parse_http_time("Tue, 06 Nov 2068 08:49:37 GMT")
    assert parse_http_time("Sunday, 06-Nov-70 08:49:37 GMT") == parse_http_time("Fri, 06 Nov 1970 08:49:37 GMT")


@given(_SECONDS)
def test_what_is_written_is_read(seconds: int) -> None:
    """Our own Last-Modified, the standard library's date and asctime's are read back to the second."""
    ms = seconds * 1000
    assert parse_http_time(http_time(ms).decode()) == ms
    assert parse_http_time(formatdate(seconds, usegmt=True)) == ms
    assert parse_http_time(strftime("%a %b %e %H:%M:%S %Y", gmtime(seconds))) == ms
    assert parse_amz_time(amz_time(ms + 999)) == ms


@given(st.text(max_size=40))
def test_nothing_else_is_raised(text: str) -> None:
    """Any text is a date or none; the compact form raises ValueError only."""
    found = parse_http_time(text)
    assert found is None or found % 1000 == 0
    with suppress(ValueError):
        parse_amz_time(text)
