"""The web console as people use it, in a real browser."""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.console.conftest import Visit
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp


@pytest.fixture
def s3(daemon: RunningDaemon) -> Iterator[SignedHttp]:
    """What stands in the store, seen past the console."""
    connection = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    yield connection
    connection.close()


def fetch(url: str) -> tuple[int, bytes, dict[str, str]]:
    """GET without any credentials but the URL's."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    content = answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    connection.close()
    return answer.status, *content


def test_a_day_with_the_console(
    visiting: Callable[..., Visit], daemon: RunningDaemon, s3: SignedHttp, tmp_path: Path
) -> None:
    """Log in, make a bucket, upload, browse, preview, share, versions, delete, log out; the browser never complains."""
    visit = visiting()
    page = visit.page
    visit.go("/buckets")
    page.fill("#access_key", daemon.access_key)
    page.fill("#secret_key", "wrong-secret-key")
    page.press("#secret_key", "Enter")
    page.wait_for_selector("text=do not belong together")
    assert page.input_value("#access_key") == daemon.access_key
    visit.complaints.clear()  # the browser reports the 403

    page.fill("#secret_key", daemon.secret_key)
    page.press("#secret_key", "Enter")
    page.wait_for_selector("h1:has-text('Buckets')")  # the page that was asked for

    page.fill("#name", "holiday")
    page.check("input[name=versioning]")
    page.click("text=Create")
    page.wait_for_selector("text=The bucket is empty")

    large = os.urandom(50 << 20)
    (tmp_path / "film.bin").write_bytes(large)
    (tmp_path / "note.txt").write_text("first line\n<b>second</b>\n")
    (tmp_path / "dot.png").write_bytes(_PNG)
    watch = """() => { window.seen = new Set(); new MutationObserver(() => {
        for (const bar of document.querySelectorAll('#uploads progress')) window.seen.add(bar.value); })
        .observe(document.getElementById('uploads'), {attributes: true, subtree: true, childList: true}); }"""
    page.evaluate(watch)
    page.set_input_files("#files", [tmp_path / name for name in ("film.bin", "note.txt", "dot.png")])
    page.wait_for_selector("text=3 files are stored")
    steps = page.evaluate("window.seen.size")
    assert steps > 4, "the progress of 50 MB is shown"
    page.wait_for_selector("table >> text=film.bin")
    assert s3.request("GET", "/holiday/film.bin").body == large
    assert s3.request("GET", "/holiday/dot.png").headers["content-type"] == "image/png"

    page.click("table >> text=note.txt")
    frame = page.frame_locator("iframe")
    assert "<b>second</b>" in frame.locator("body").inner_text()
    page.click("text=Make a link")
    page.wait_for_selector("#link", state="visible")
    assert fetch(page.input_value("#link"))[:2] == (200, b"first line\n<b>second</b>\n")
    page.fill("#tags", "colour = green\nsize = 5")
    page.click("text=Save tags")
    page.wait_for_load_state()
    assert "colour" in s3.request("GET", "/holiday/note.txt", query="tagging=").body.decode()
    with page.expect_download() as downloading:
        page.click("text=Download")
    assert downloading.value.suggested_filename == "note.txt"
    assert Path(downloading.value.path()).read_bytes() == b"first line\n<b>second</b>\n"

    visit.go("/buckets/holiday/object?key=dot.png")
    page.wait_for_function("() => document.querySelector('.preview img').naturalWidth === 1")

    s3.request("PUT", "/holiday/note.txt", b"newer")
    visit.go("/buckets/holiday/object?key=note.txt")
    assert page.locator(".wide tbody tr").count() == 2
    page.click("button:has-text('Delete')")
    page.wait_for_selector("h1:has-text('holiday')")
    assert visit.dialogs == ["Delete note.txt?"]
    assert s3.request("GET", "/holiday/note.txt").status == 404
    page.click("text=Show versions")
    assert page.locator("text=delete marker").count() == 1
    page.check("[data-tick-all]")
    page.click("text=Delete ticked for good")
    page.wait_for_selector("text=There are no versions")
    visit.go("/buckets/holiday/settings")
    page.click("text=Delete bucket")
    page.wait_for_selector("h1:has-text('Buckets')")
    assert s3.request("GET", "/holiday").status == 404
    page.click("text=Log out")
    page.wait_for_selector("h1:has-text('Log in')")
    visit.go("/buckets")
    page.wait_for_selector("h1:has-text('Log in')")
    assert visit.complaints == []


def test_users_and_quotas(visit: Visit, daemon: RunningDaemon, visiting: Callable[..., Visit]) -> None:
    """An administrator makes an organisation with a limit and a user in it, whose key works until it is revoked."""
    page = visit.page
    visit.go("/orgs")
    page.fill("#id", "acme")
    page.click("main button:has-text('Create')")
    page.fill("#org-total", "1")
    page.click("text=Save limits")
    page.wait_for_load_state()
    assert page.input_value("#org-total") == "1"
    visit.go("/users")
    page.fill("#id", "alice")
    page.select_option("#org", "acme")
    page.click("button:has-text('Create')")
    page.click("text=New access key")
    secret = page.input_value("#secret")
    key = page.locator(".secret code").inner_text()
    page.reload()
    assert secret not in page.content()

    alice = SignedHttp(daemon.addresses["s3"], key, secret)
    assert alice.request("PUT", "/alices").status == 200
    assert alice.request("PUT", "/alices/large", bytes(2 << 20)).element("Code") == "QuotaExceeded"
    assert alice.request("PUT", "/alices/small", bytes(1 << 10)).status == 200

    other = visiting()
    other.log_in(key, secret)
    assert other.page.locator("nav >> text=Users").count() == 0
    other.go("/users")
    other.page.wait_for_selector("text=You may not do that")
    other.go("/buckets/pictures/")
    other.page.wait_for_selector("text=You may not do that")

    visit.go("/users/alice")
    page.click("button:has-text('Revoke')")
    page.wait_for_selector("text=None yet")
    assert alice.request("GET", "/alices").status == 403
    other.go("/buckets")
    other.page.wait_for_selector("h1:has-text('Log in')")
    assert visit.complaints == []
    alice.close()


_HOSTILE = [
    "<img src=x onerror=alert(1)>.txt",
    '"><script>alert(2)</script>',
    "'onmouseover='alert(3)",
    "{{ 7 * 7 }}/{% raw %}",
    "javascript:alert(4)",
    "a b+c%2F&d=e#f?g.txt",
    "folder <b>/ünïcode 🌩.txt",
    "..",
]


def test_hostile_keys_do_nothing(visit: Visit, s3: SignedHttp) -> None:
    """Keys of markup, templates, scripts and URL syntax are shown as they are, lead to their page, and run nowhere."""
    for key in _HOSTILE:
        assert s3.request("PUT", f"/pictures/hostile/{key}", b"x", headers={"content-type": "text/html"}).status == 200
    page = visit.page
    visit.go("/buckets/pictures/?prefix=hostile/")
    texts = page.locator("table a").all_inner_texts()
    for key in _HOSTILE:
        assert key.partition("/")[0] in {text.rstrip("/") for text in texts}, key
    for key in _HOSTILE:
        visit.go("/buckets/pictures/?prefix=hostile/")
        folder, slash, name = key.rpartition("/")
        if slash:
            page.locator("table a.folder", has_text=folder + "/").click()
        page.locator("table a.file", has_text=name).first.click()
        page.wait_for_selector("h2:has-text('Preview')")
        assert page.locator("dd code").first.inner_text() == f"hostile/{key}"
        page.locator("button:has-text('Make a link')").click()
        page.wait_for_selector("#link", state="visible")
        assert fetch(page.input_value("#link"))[:2] == (200, b"x"), key
    assert visit.dialogs == []
    assert visit.complaints == []


def test_stored_pages_cannot_act_as_the_console(visit: Visit, s3: SignedHttp) -> None:
    """An HTML object that is opened through the console is in a sandbox: its script does not run."""
    script = b"<script>document.title = 'taken'; fetch('/console/samples')</script><h1>page</h1>"
    s3.request("PUT", "/pictures/page.html", script, headers={"content-type": "text/html"})
    page = visit.page
    visit.go("/buckets/pictures/object?key=page.html")
    source = page.get_attribute("iframe", "src")
    assert source is not None
    status, content, headers = fetch(visit.base + source)
    assert (status, content, headers["content-type"]) == (200, script, "text/plain; charset=utf-8")
    assert headers["content-security-policy"].startswith("sandbox;")
    assert headers["x-content-type-options"] == "nosniff"


def test_a_form_of_another_site_changes_nothing(visit: Visit, daemon: RunningDaemon, s3: SignedHttp) -> None:
    """Without the session's token every change is refused, cookie or not; so is a login that another site sends."""
    cookie = next(one for one in visit.page.context.cookies() if one["name"] == "lightningstor_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    host = daemon.addresses["admin"]
    form = {"content-type": "application/x-www-form-urlencoded"}
    for path in ("/console/buckets", "/console/buckets/pictures/delete", "/console/users", "/console/logout"):
        for token in ("", "csrf=0000"):
            connection = http.client.HTTPConnection(host, timeout=20)
            headers = {**form, "cookie": f"{cookie['name']}={cookie['value']}"}
            connection.request("POST", path, f"name=stolen&{token}", headers)
            assert connection.getresponse().status == 403, path
            connection.close()
    connection = http.client.HTTPConnection(host, timeout=20)
    login = f"access_key={daemon.access_key}&secret_key={daemon.secret_key}"
    connection.request("POST", "/console/login", login, {**form, "origin": "http://elsewhere.example"})
    assert connection.getresponse().status == 403
    connection.close()
    assert s3.request("GET", "/stolen").status == 404


def test_an_upload_that_was_cut_off_goes_on(visit: Visit, s3: SignedHttp, tmp_path: Path) -> None:
    """Parts that arrived are not sent again when the same file is chosen again."""
    content = os.urandom(40 << 20)
    (tmp_path / "cut.bin").write_bytes(content)
    page, sent = visit.page, []
    visit.go("/buckets/pictures/")
    third = re.compile(r"/s3/.*partNumber=3")
    page.route(third, lambda route: None)
    page.set_input_files("#files", tmp_path / "cut.bin")
    page.wait_for_function("() => document.querySelector('#uploads progress')?.value >= 32 * 2 ** 20")
    page.wait_for_timeout(300)  # the last bytes have left; now the parts' answers come
    visit.go("/buckets/pictures/")  # away from the page: what it was sending is given up
    page.unroute(third)
    page.on("request", lambda request: sent.append(request.url) if "partNumber" in request.url else None)
    page.set_input_files("#files", tmp_path / "cut.bin")
    page.wait_for_selector("text=cut.bin is stored")
    assert [re.search(r"partNumber=(\d+)", url)[1] for url in sent] == ["3"]  # type: ignore[index]
    assert s3.request("GET", "/pictures/cut.bin").body == content


def test_a_cancelled_upload_leaves_nothing(visit: Visit, s3: SignedHttp, tmp_path: Path) -> None:
    """Cancel aborts the multipart upload."""
    (tmp_path / "no.bin").write_bytes(bytes(40 << 20))
    page = visit.page
    visit.go("/buckets/pictures/")
    page.route(re.compile(r"/s3/.*partNumber"), lambda route: None)
    page.set_input_files("#files", tmp_path / "no.bin")
    page.click("#uploads >> text=Cancel")
    page.wait_for_selector("#uploads >> text=cancelled")
    assert s3.request("GET", "/pictures", query="uploads=").element("UploadId") == ""
    assert s3.request("GET", "/pictures/no.bin").status == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_pages_fit_and_keep_the_policy(
    visiting: Callable[..., Visit], daemon: RunningDaemon, scheme: str, width: int
) -> None:
    """Every kind of page fits the width of its window, wide or a phone's, and breaks no rule of its content policy."""
    visit = visiting(color_scheme=scheme, viewport={"width": width, "height": 800})
    visit.log_in(daemon.access_key, daemon.secret_key)
    for path in ("/", "/buckets", "/buckets/pictures/", "/buckets/pictures/settings", "/users", "/users/root", "/orgs"):
        visit.go(path)
        visit.page.wait_for_selector("svg text" if path == "/" else "footer")
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert visit.page.locator("h1").count() == 1, path
    assert visit.complaints == []


def test_the_console_needs_no_mouse(visit: Visit) -> None:
    """Tab reaches the skip link first, then every link and button, each with a focus that shows."""
    visit.go("/buckets")
    page = visit.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name"))
    assert {"Overview", "Buckets", "Users", "Log out", "Create", "pictures", "Settings"} <= reached
    page.focus("text=pictures")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc00000"
    "0301010018dd8db00000000049454e44ae426082"
)
