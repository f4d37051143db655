"""Every command of `lightningstor` that asks a daemon, through a real one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from lightningstor.cli.commands import root, run
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp

_LOCAL = {"config show", "config check", "health", "root reset", "fsck", "completion"}
"""Commands that ask no admin API; tests/daemon has theirs, but for `completion`, which is here."""


class Cli:
    """Runs commands in this process, against one daemon."""

    def __init__(self, url: str, capture: pytest.CaptureFixture[str]) -> None:
        self._url = url
        self._capture = capture
        self.ran: set[str] = set()

    def __call__(self, line: str, *more: str) -> str:
        """Run a command that must succeed; what it printed."""
        code, out, err = self.attempt(line, *more)
        assert code == 0, (line, err)
        return out

    def json(self, line: str, *more: str) -> Any:
        """The same with --json; what it printed, read."""
        return json.loads(self(line, *more, "--json"))

    def attempt(self, line: str, *more: str) -> tuple[int, str, str]:
        """Run a command; exit code, standard output, standard error."""
        arguments = [*line.split(), *more]
        self.ran.add(_name_of(arguments))
        self._capture.readouterr()
        code = run([*arguments, "--url", self._url])
        captured = self._capture.readouterr()
        return code, captured.out, captured.err


def _name_of(arguments: list[str]) -> str:
    command, names = root, []
    for word in arguments:
        if not isinstance(command, click.Group):
            break
        inner = command.commands.get(word)
        if inner is None:
            break
        command = inner
        names.append(word)
    return " ".join(names)


def _leaves(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _leaves(inner, (*names, name))
    else:
        yield " ".join(names), command


@pytest.fixture
def cli(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Commands by root."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", daemon.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", daemon.secret_key)
    return Cli(f"http://{daemon.addresses['admin']}", capsys)


def test_every_command_works(daemon: RunningDaemon, cli: Cli) -> None:
    """A walk through all commands: each does what its name says, and each is walked."""
    org, user, bucket = (f"{word}-{secrets.token_hex(3)}" for word in ("org", "user", "bucket"))
    assert cli.json("whoami")["admin"] is True
    assert cli.json("server")["ready"] is True
    assert "collection" in cli("jobs")

    assert cli.json(f"org create {org} --name", "An org")["display_name"] == "An org"
    assert "An org" in cli("org list")
    assert cli.json(f"org show {org}")["id"] == org
    cli(f"project create web --org {org}")
    assert [one["id"] for one in cli.json(f"project list --org {org}")["items"]] == ["web"]
    assert cli.json(f"project show web --org {org}")["org"] == org
    cli(f"group create staff --org {org}")
    assert "staff" in cli(f"group list --org {org}")

    made = cli.json(f"user create {user} --org {org} --project web --role reader --group staff --email a@example.org")
    assert (made["role"], made["project"], made["groups"]) == ("reader", "web", ["staff"])
    assert cli.json(f"group show staff --org {org}")["members"] == [user]
    assert [one["id"] for one in cli.json(f"user list --org {org}")["items"]] == [user]
    changed = cli.json(f"user change {user} --role writer --no-groups --disable --project", "")
    assert (changed["role"], changed["groups"], changed["disabled"], changed["project"]) == ("writer", [], True, None)
    assert cli.json(f"user change {user} --enable")["disabled"] is False
    assert cli.json(f"user show {user}")["email"] == "a@example.org"

    first = cli.json(f"key create {user} --expires 30d")
    assert first["expires_at"] - first["created_at"] == pytest.approx(30 * 86_400_000, abs=60_000)
    second = cli.json(f"key rotate {user} {first['access_key']} --grace 60")
    assert {one["access_key"] for one in cli.json(f"key list {user}")["items"]} == {
        first["access_key"],
        second["access_key"],
    }
    assert cli.json(f"key expire {user} {second['access_key']} --at 2100-01-01")["expires_at"] == 4_102_444_800_000
    assert cli.json(f"key expire {user} {second['access_key']}")["expires_at"] is None
    cli(f"key revoke {user} {second['access_key']}")
    api_key = cli.json(f"api-key create {user} --name ci")
    assert api_key["id"] in cli(f"api-key list {user}")
    cli(f"api-key revoke {user} {api_key['id']}")
    assert cli.json(f"token issue {user} --ttl 60")["principal"] == user
    assert len(cli(f"token issue {user}").split()) == 1
    cli(f"token revoke {user}")

    added = cli.json(
        f"grant add deny --org {org} --user {user} --action lightningstor:objects:delete --conditions",
        '{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}',
    )
    assert "lightningstor:objects:delete" in cli(f"grant list --org {org} --user {user}")
    assert [one["id"] for one in cli.json(f"grant list --org {org}")["items"]] == [added["id"]]
    cli(f"grant remove {added['id']} --org {org}")

    assert cli.json(f"quota set --org {org} --size 5G --buckets 3")["max_total_size_bytes"] == 5 << 30
    assert cli.json(f"quota set --org {org} --size none")["max_total_size_bytes"] is None
    assert cli.json(f"quota show --org {org}")["max_buckets"] == 3

    tagged = cli.json(f"bucket create {bucket} --org {org} --project web --versioning --tag a=b")
    assert (tagged["versioning"], tagged["tags"]) == ("Enabled", {"a": "b"})
    assert [one["name"] for one in cli.json(f"bucket list --org {org}")["items"]] == [bucket]
    assert cli.json(f"bucket change {bucket} --versioning Suspended --no-tags")["tags"] == {}
    assert cli.json(f"bucket show {bucket}")["versioning"] == "Suspended"
    s3 = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    upload = s3.request("POST", f"/{bucket}/k", query="uploads=").element("UploadId")
    s3.close()
    assert upload in cli(f"upload list {bucket}")
    cli(f"upload abort {bucket} k {upload}")

    for line in (f"bucket delete {bucket}", f"user delete {user}", f"group delete staff --org {org}"):
        cli(line)
    cli(f"project delete web --org {org}")
    assert cli(f"org delete {org}") == f"Deleted organisation {org}.\n"
    assert {name for name, _ in _leaves(root)} - cli.ran == _LOCAL


def test_a_listing_of_many_pages_is_whole(daemon: RunningDaemon, cli: Cli) -> None:
    """`upload list` goes on to the last page, with several uploads of one key."""
    bucket = f"bucket-{secrets.token_hex(3)}"
    cli(f"bucket create {bucket}")
    s3 = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    for number in range(1005):
        s3.request("POST", f"/{bucket}/{number % 3}", query="uploads=")
    s3.close()
    assert len(cli.json(f"upload list {bucket}")["items"]) == 1005


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("org show nobody", 1, "nobody"),
        ("user create", 2, "Missing argument"),
        ("user change someone", 2, "name what to change"),
        ("key create someone --expires soon", 2, "soon"),
        ("quota set", 2, "at least one limit"),
        ("quota set --size 5X", 2, "5X"),
        ("quota show --bucket held --org elsewhere", 1, "NoSuchBucket"),
        ("grant add allow", 2, "--action"),
        ("grant add allow --action s3:GetObject --conditions {", 2, "--conditions"),
        ("grant add allow --action nonsense", 1, "nonsense"),
        ("bucket create abc --tag a", 2, "NAME=VALUE"),
        ("bucket create abc --tag a=b --tag a=c", 2, "twice"),
    ],
)
def test_a_mistake_is_told(cli: Cli, line: str, code: int, says: str) -> None:
    """Exit code 1 for what the daemon refuses, 2 for a wrong call, with a sentence that helps."""
    ended, out, err = cli.attempt(line)
    assert (ended, out) == (code, "")
    assert says in err


def test_nothing_listens_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that did not answer is named."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    assert run(["whoami", "--url", "http://127.0.0.1:9"]) == 1
    assert "no answer from http://127.0.0.1:9" in capsys.readouterr().err


def test_root_of_this_machine_is_found(
    launch_daemon: Callable[..., RunningDaemon], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without keys in the environment the credentials in the data directory are used; their absence is told."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    daemon = launch_daemon()
    monkeypatch.setenv("LIGHTNINGSTOR_DATA_DIR", str(daemon.data_dir))
    url = f"http://{daemon.addresses['admin']}"
    assert run(["whoami", "--url", url]) == 2
    assert "AWS_ACCESS_KEY_ID" in capsys.readouterr().err
    monkeypatch.setenv("LIGHTNINGSTOR_ROOT_ACCESS_KEY", daemon.access_key)
    monkeypatch.setenv("LIGHTNINGSTOR_ROOT_SECRET_KEY", daemon.secret_key)
    assert run(["whoami", "--url", url]) == 0


@pytest.mark.parametrize("name", [name for name, _ in _leaves(root)])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help says in a sentence what the command does, and every option has a help text."""
    command = dict(_leaves(root))[name]
    assert run([*name.split(), "--help"]) == 0
    assert "Usage: lightningstor " + name in capsys.readouterr().out
    assert (command.help or "").strip().endswith((".", ")", ".com"))
    silent = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
    assert not [option for option in silent if option != "help"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_for_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints a script that asks the command itself."""
    assert run(["completion", shell]) == 0
    assert "_LIGHTNINGSTOR_COMPLETE" in capsys.readouterr().out
