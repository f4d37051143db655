"""The daemon as a process: starting, refusing to start, saying that it is ready, stopping."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.daemon import REPOSITORY, RunningDaemon
from tests.harness.timing import slowness

Launch = Callable[..., RunningDaemon]
NO_ROOT = {"LIGHTNINGSTOR_ROOT_ACCESS_KEY": "", "LIGHTNINGSTOR_ROOT_SECRET_KEY": ""}


def run(*arguments: str, env: dict[str, str] | None = None, module: str = "lightningstor") -> tuple[int, str]:
    """Run a command to its end; its exit code and all that it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LIGHTNINGSTOR_", "MINIO_"))}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=clean | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout


def keeper(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """`lightningstor` with these arguments."""
    return run(*arguments, env=env, module="lightningstor.cli.commands")


def get(address: str, path: str) -> tuple[int, bytes]:
    """GET from a plain HTTP address; status and body, whatever the status."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


# Starting


def test_ready_file_names_the_ports(launch_daemon: Launch) -> None:
    """With port 0 everywhere the ready file holds the ports that were taken, and the process id; all answer."""
    daemon = launch_daemon()
    assert daemon.addresses["pid"] == daemon.pid
    for name in ("s3", "admin"):
        host, _, port = daemon.addresses[name].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5):
            pass
    assert get(daemon.addresses["admin"], "/ready") == (200, b'{"status": "ready"}\n')
    assert get(daemon.addresses["admin"], "/health") == (200, b'{"status": "ok"}\n')


def test_ready_file_goes_with_the_daemon(launch_daemon: Launch) -> None:
    """The ready file stands exactly while the daemon is ready, and SIGTERM ends it with exit code 0."""
    daemon = launch_daemon()
    assert daemon.ready_file.exists()
    assert daemon.stop() == 0
    assert not daemon.ready_file.exists()


def test_metrics_answer_on_the_admin_port(launch_daemon: Launch) -> None:
    """/metrics shows the specification's metrics, also before the first request."""
    status, body = get(launch_daemon().addresses["admin"], "/metrics")
    assert status == 200
    for name in ("requests_total", "request_duration_seconds", "object_size_bytes", "objects_total", "storage_bytes"):
        assert f"# TYPE lightningstor_{name} ".encode() in body


def test_ipv6_addresses(launch_daemon: Launch) -> None:
    """The daemon listens on IPv6 addresses written in brackets, and says them so."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    daemon = launch_daemon("--s3-addr", "[::1]:0", "--admin-addr", "[::1]:0")
    assert daemon.addresses["s3"].startswith("[::1]:")
    assert get(daemon.addresses["admin"], "/health")[0] == 200


def test_listeners_can_be_off(launch_daemon: Launch) -> None:
    """A listener that is off is null in the ready file."""
    daemon = launch_daemon("--admin-addr", "off", "--grpc-addr", "off")
    assert daemon.addresses["admin"] is None
    assert daemon.addresses["grpc"] is None


def test_first_start_makes_root_credentials(launch_daemon: Launch, tmp_path: Path) -> None:
    """Without root credentials the first start makes some, 0600, says where and never which; the next keeps them."""
    daemon = launch_daemon(env=NO_ROOT, folder=tmp_path)
    daemon.stop()
    file = daemon.data_dir / "credentials"
    content = file.read_text()
    secret = content.rpartition("aws_secret_access_key = ")[2].strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((daemon.data_dir / "seal.key").stat().st_mode) == 0o600
    assert f"made root credentials; they are in {file}" in daemon.output()
    assert len(secret) == 40
    assert secret not in daemon.output()
    again = launch_daemon(env=NO_ROOT, folder=tmp_path)
    again.stop()
    assert file.read_text() == content
    assert f"root credentials are in {file}" in again.output()


def test_everything_stored_is_for_the_owner_only(launch_daemon: Launch) -> None:
    """Nobody else may read any file of the data directory."""
    daemon = launch_daemon("--bucket", "made-at-start")
    daemon.stop()
    for path in (daemon.data_dir, *daemon.data_dir.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_start_in_memory_leaves_nothing(launch_daemon: Launch) -> None:
    """A store in memory makes no data directory."""
    daemon = launch_daemon(config='[storage]\nbackend = "memory"\n')
    daemon.stop()
    assert not daemon.data_dir.exists()


def test_memory_without_root_credentials_is_refused() -> None:
    """A store in memory has no place for credentials of its own making, and says what to do."""
    code, said = run("--s3-addr", "127.0.0.1:0", env={"LIGHTNINGSTOR_STORAGE_BACKEND": "memory"})
    assert code == 1
    assert "set LIGHTNINGSTOR_ROOT_ACCESS_KEY" in said
    assert "Traceback" not in said


def test_buckets_are_made_at_start_once(launch_daemon: Launch, tmp_path: Path) -> None:
    """--bucket and [[buckets]] make buckets at the first start and find them at the next."""
    config = '[[buckets]]\nname = "from-file"\norg = "acme"\nversioning = "Enabled"\n'
    options = ("--bucket", "from-flag", "--bucket", "other-flag")
    first = launch_daemon(*options, config=config, folder=tmp_path)
    first.stop()
    for name in ("from-flag", "other-flag", "from-file"):
        assert f"created bucket {name}" in first.output()
    lines_before = first.output().count("created bucket")
    second = launch_daemon(*options, config=config, folder=tmp_path)
    second.stop()
    assert "created bucket" not in second.output()
    assert lines_before == 3


def test_bucket_of_somebody_else_stops_the_start(launch_daemon: Launch, tmp_path: Path) -> None:
    """A bucket that the configuration wants in one organisation and another holds is an error at start."""
    launch_daemon("--bucket", "taken", folder=tmp_path).stop()
    config = '[[buckets]]\nname = "taken"\norg = "acme"\n'
    daemon = launch_daemon(config=config, folder=tmp_path, ready=False)
    assert daemon.wait() == 1
    assert "cannot create bucket taken" in daemon.output()


def test_development_mode(launch_daemon: Launch) -> None:
    """--dev needs no credentials and tells the well-known ones."""
    daemon = launch_daemon("--dev", env=NO_ROOT)
    assert "access key lightningstor, secret key lightningstor-secret" in daemon.output()


# Refusing to start


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["--s3-adr", ":0"], {}, "unknown argument --s3-adr; did you mean --s3-addr?"),
        (["--s3-addr", "x"], {}, "--s3-addr is 'x', expected an address"),
        (["--log-level", "loud"], {}, "--log-level is 'loud', expected one of \"debug\""),
        (
            ["--dev", "--s3-addr", "0.0.0.0:0"],
            {},
            "server.s3_addr (--s3-addr): 0.0.0.0:0 can be reached from elsewhere",
        ),
        ([], {"LIGHTNINGSTOR_DATADIR": "/x"}, "unknown variable LIGHTNINGSTOR_DATADIR; did you mean LIGHTNINGSTOR_"),
        (["-c", "/nowhere.toml"], {}, "cannot read the configuration file /nowhere.toml"),
        ([], {"LIGHTNINGSTOR_METADATA_BACKEND": "chainfire"}, 'this version has no "chainfire" yet'),
    ],
)
def test_wrong_use_is_exit_code_2(arguments: list[str], env: dict[str, str], said: str) -> None:
    """What is wrong with flags, variables and file is told before anything starts, without a traceback."""
    code, output = run(*arguments, env=env)
    assert code == 2
    assert said in output
    assert "Traceback" not in output


def test_help_and_version() -> None:
    """-h lists every flag of the specification and our own; -V prints the version."""
    code, output = run("-h")
    assert code == 0
    flags = ["-c, --config", "--grpc-addr", "--s3-addr", "-l, --log-level", "-h, --help", "-V, --version"]
    for flag in [*flags, "--data-dir", "--admin-addr", "--dev", "--bucket", "--ready-file"]:
        assert flag in output.replace(" PATH,", ",").replace(" LEVEL,", ",")
    assert run("-V") == (0, "lightningstor-server 0.1.0\n")


def test_second_daemon_ends_within_a_second(launch_daemon: Launch, figure: Callable[[str], None]) -> None:
    """PROOF 10: a second daemon on the same data directory ends in at most 1 s, non-zero, saying who holds it."""
    daemon = launch_daemon()
    tries = []
    for _ in range(3):
        slower = slowness()
        started = time.monotonic()
        code, said = run("--data-dir", str(daemon.data_dir), "--s3-addr", "127.0.0.1:0")
        tries.append((time.monotonic() - started, slower))
        assert code == 1
        assert f"process {daemon.pid} on " in said
    took_s, slower = min(tries)
    figure(f"a second daemon on the data directory ended after {took_s:.2f} s (machine {slower:.1f}x slower than idle)")
    assert took_s <= 1.0 * slower
    assert daemon.process.poll() is None


def test_newer_data_directory_is_refused(launch_daemon: Launch, tmp_path: Path) -> None:
    """PROOF 11: a data directory of a newer format stops the start, and is left as it is."""
    daemon = launch_daemon(folder=tmp_path)
    daemon.stop()
    (daemon.data_dir / "FORMAT").write_text("2\n")
    code, said = run("--data-dir", str(daemon.data_dir), "--s3-addr", "127.0.0.1:0")
    assert code == 1
    assert "newer version" in said
    assert "Traceback" not in said
    assert (daemon.data_dir / "FORMAT").read_text() == "2\n"


@pytest.mark.parametrize("flag", ["--s3-addr", "--admin-addr"])
def test_taken_port_is_told(launch_daemon: Launch, flag: str) -> None:
    """An address that something else listens on is an error at start that names the flag to change it by."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        daemon = launch_daemon(flag, address, ready=False)
        assert daemon.wait() == 1
    assert f"something else listens there, choose another with {flag}" in daemon.output()
    assert "Traceback" not in daemon.output()
    assert not daemon.ready_file.exists()


def test_bad_certificate_is_told(launch_daemon: Launch, tmp_path: Path) -> None:
    """A TLS file that cannot be used stops the start with its name."""
    config = f'[server.tls]\ncert_file = "{tmp_path}/none.crt"\nkey_file = "{tmp_path}/none.key"\n'
    daemon = launch_daemon(config=config, ready=False)
    assert daemon.wait() == 1
    assert "none.crt cannot be read" in daemon.output()


def test_wrong_seal_key_stops_the_start(launch_daemon: Launch, tmp_path: Path) -> None:
    """A damaged seal key is told; it is not replaced by a new one."""
    daemon = launch_daemon(folder=tmp_path)
    daemon.stop()
    (daemon.data_dir / "seal.key").write_text("nonsense\n")
    again = launch_daemon(folder=tmp_path, ready=False)
    assert again.wait() == 1
    assert "seal.key" in again.output()
    assert (daemon.data_dir / "seal.key").read_text() == "nonsense\n"


def test_ready_file_without_a_directory_is_told(launch_daemon: Launch, tmp_path: Path) -> None:
    """A ready file that cannot be written stops the start with its path, before anything else is done."""
    daemon = launch_daemon("--ready-file", str(tmp_path / "nowhere" / "ready.json"), ready=False)
    assert daemon.wait() == 1
    assert f"there is no directory {tmp_path / 'nowhere'}" in daemon.output()
    assert not daemon.data_dir.exists()


def test_crashed_daemons_ready_file_is_removed(launch_daemon: Launch, tmp_path: Path) -> None:
    """A ready file that a crash left is gone before the next daemon is ready: nobody takes it for the new one's."""
    daemon = launch_daemon(folder=tmp_path)
    daemon.kill()
    left = daemon.ready_file.read_text()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _ = run(
            *("--data-dir", str(daemon.data_dir), "--ready-file", str(daemon.ready_file)),
            *("--s3-addr", f"127.0.0.1:{port}", "--admin-addr", "off", "--grpc-addr", "off"),
        )
    assert code == 1
    assert json.loads(left)["pid"] == daemon.pid
    assert not daemon.ready_file.exists()


# Stopping


def open_request(daemon: RunningDaemon) -> socket.socket:
    """A connection on which a request's head has begun and never ends."""
    host, _, port = daemon.addresses["s3"].rpartition(":")
    client = socket.create_connection((host, int(port)), timeout=20)
    client.sendall(b"PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\n")
    return client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_an_idle_daemon_at_once(launch_daemon: Launch, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end an idle daemon well before the grace period, with exit code 0."""
    daemon = launch_daemon()
    started = time.monotonic()
    daemon.signal(number)
    assert daemon.wait() == 0
    assert time.monotonic() - started < 5


def test_stopping_daemon_is_not_ready(launch_daemon: Launch) -> None:
    """While requests have their grace, /ready says that the daemon is stopping."""
    daemon = launch_daemon()
    with open_request(daemon):
        daemon.signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        answer = (200, b"")
        while answer[0] == 200 and time.monotonic() < deadline and daemon.process.poll() is None:
            try:
                answer = get(daemon.addresses["admin"], "/ready")
            except OSError:
                break
        if daemon.process.poll() is None and answer[0] == 503:
            assert json.loads(answer[1])["reasons"] == {"daemon": "stopping"}
        daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0


def test_second_signal_does_not_wait(launch_daemon: Launch) -> None:
    """A second signal cancels what runs: the daemon ends at once although a request is open."""
    daemon = launch_daemon(config="[limits]\nstop_grace_seconds = 60\nheader_timeout_seconds = 60\n")
    with open_request(daemon):
        started = time.monotonic()
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert time.monotonic() - started < 5


# Looking after it


def test_health_command(launch_daemon: Launch) -> None:
    """`lightningstor health` needs no curl: 0 and a word while the daemon is ready, 1 and the reason otherwise."""
    daemon = launch_daemon()
    address = daemon.addresses["admin"]
    assert keeper("health", "--addr", address) == (0, f"{address} is ready\n")
    assert keeper("health", "--ready-file", str(daemon.ready_file)) == (0, f"{address} is ready\n")
    assert keeper("health", "--live", env={"LIGHTNINGSTOR_ADMIN_ADDR": address}) == (0, f"{address} is ok\n")
    daemon.stop()
    code, said = keeper("health", "--addr", address)
    assert code == 1
    assert "no answer from" in said


def test_root_reset(launch_daemon: Launch, tmp_path: Path) -> None:
    """`lightningstor root reset` makes new root credentials, but not under a running daemon."""
    daemon = launch_daemon(env=NO_ROOT, folder=tmp_path)
    before = (daemon.data_dir / "credentials").read_text()
    code, said = keeper("root", "reset", "--data-dir", str(daemon.data_dir))
    assert code == 1
    assert f"process {daemon.pid}" in said
    daemon.stop()
    code, said = keeper("root", "reset", "--data-dir", str(daemon.data_dir))
    assert (code, said) == (0, f"New root credentials are in {daemon.data_dir / 'credentials'}\n")
    after = (daemon.data_dir / "credentials").read_text()
    assert after != before
    assert after.rpartition(" = ")[2].strip() not in said
    assert keeper("root", "reset", "--data-dir", str(tmp_path / "nowhere"))[0] == 1


def test_config_commands(tmp_path: Path) -> None:
    """`config show` prints TOML without secrets, `config check` says what is wrong, with exit code 2."""
    file = tmp_path / "config.toml"
    file.write_text('[s3]\nregion = "eu-1"\n[iam]\nroot_access_key = "abc"\nroot_secret_key = "very-secret"\n')
    code, said = keeper("config", "show", "-c", str(file))
    assert code == 0
    assert 'region = "eu-1"' in said
    assert "very-secret" not in said
    assert keeper("config", "check", "-c", str(file))[0] == 0
    file.write_text('[s3]\nregoin = "eu-1"\n')
    code, said = keeper("config", "check", "-c", str(file))
    assert code == 2
    assert "unknown option s3.regoin; did you mean s3.region?" in said


def test_systemd_is_notified(launch_daemon: Launch, tmp_path: Path) -> None:
    """Under Type=notify systemd is told READY=1 when everything answers and STOPPING=1 when it ends."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(address))
        receiver.settimeout(10)
        daemon = launch_daemon(env={"NOTIFY_SOCKET": str(address)})
        assert receiver.recv(100) == b"READY=1"
        daemon.stop()
        assert receiver.recv(100) == b"STOPPING=1"


def test_start_is_quick(launch_daemon: Launch, tmp_path: Path, figure: Callable[[str], None]) -> None:
    """From exec to the ready file at most 0.5 s (median of 9, empty store, compiled bytecode)."""
    launch_daemon(folder=tmp_path).stop()
    times_s: list[float] = []
    slower: list[float] = []
    for number in range(9):
        folder = tmp_path / str(number)
        folder.mkdir()
        slower.append(slowness())
        started = time.monotonic()
        daemon = launch_daemon(folder=folder, log_level="info")
        times_s.append(time.monotonic() - started)
        daemon.stop()
    median_s, slower_now = sorted(times_s)[4], sorted(slower)[4]
    figure(
        f"exec to ready: median of 9 {median_s * 1000:.0f} ms, least {min(times_s) * 1000:.0f} ms"
        f" (machine {slower_now:.1f}x slower than idle)"
    )
    assert median_s <= 0.5 * slower_now


def test_idle_daemon_is_small(launch_daemon: Launch, figure: Callable[[str], None]) -> None:
    """An idle daemon holds at most 80 MiB of memory."""
    if not Path("/proc/self/status").exists():
        pytest.skip("resident memory is read from /proc")
    daemon = launch_daemon(log_level="info")
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    resident_mib = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    figure(f"idle daemon: {resident_mib:.1f} MiB resident")
    assert resident_mib <= 80


# What the ports say of themselves


def raw(address: str, request: bytes) -> bytes:
    """Send bytes to a port; everything that comes back until it closes."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(request)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize("engine", ["native", "hypercorn"])
def test_engines_own_refusals_look_like_s3(launch_daemon: Launch, engine: str) -> None:
    """What the HTTP engine refuses by itself is answered with S3's error document and a request id."""
    daemon = launch_daemon(config=f'[s3]\nengine = "{engine}"\n')
    request = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    answer = raw(daemon.addresses["s3"], request)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Error><Code>BadRequest</Code><Message>Content-Length and Transfer-Encoding" in answer
    assert b"\r\nx-amz-request-id: " in answer.lower()


@pytest.mark.parametrize("engine", ["native", "hypercorn"])
def test_s3_answers_under_both_engines(launch_daemon: Launch, engine: str) -> None:
    """The S3 port answers an unsigned request with S3's AccessDenied, whichever engine serves it."""
    daemon = launch_daemon(config=f'[s3]\nengine = "{engine}"\n')
    status, body = get(daemon.addresses["s3"], "/")
    assert status == 403
    assert b"<Code>AccessDenied</Code>" in body
    started = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - started < 5


def test_what_the_engine_did_is_counted(launch_daemon: Launch) -> None:
    """Refusals of the engine show in the metrics by kind."""
    daemon = launch_daemon()
    raw(daemon.addresses["s3"], b"GET / HTTP/1.1\r\n\r\n")
    _, body = get(daemon.addresses["admin"], "/metrics")
    assert b'lightningstor_http_events_total{kind="request refused by the engine"} 1.0' in body
