"""The data directory: its lock, its format, its secrets."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lightningstor.daemon import datadir
from lightningstor.daemon.datadir import (
    DataDirectoryUnusable,
    RootCredentials,
    default_root,
    new_root_credentials,
    open_data_directory,
)
from lightningstor.errors import BytesCorrupt, FormatTooNew, StoreLocked
from lightningstor.ports import SystemEntropy


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_new_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """Opening makes the directory and what is above it, 0700, with the format's number in it."""
    root = tmp_path / "a" / "b"
    with open_data_directory(root) as directory:
        assert mode(root) == 0o700
        assert mode(directory.metadata) == mode(directory.chunks) == 0o700
    assert (root / "FORMAT").read_text() == "1\n"


def test_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    """While one process has the directory, another gets StoreLocked with the holder's process id, at once."""
    script = (
        "import sys; from pathlib import Path; from lightningstor.daemon.datadir import open_data_directory\n"
        "with open_data_directory(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(StoreLocked, match=f"process {holder.pid} on "), open_data_directory(tmp_path):
            pass
        holder.stdin.close()
        holder.wait(10)
    with open_data_directory(tmp_path):
        pass


def test_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """A lock file that a dead process left is no lock."""
    with open_data_directory(tmp_path):
        pass
    assert (tmp_path / "LOCK").exists()
    with open_data_directory(tmp_path):
        pass


def test_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    """What a newer version wrote is not touched."""
    (tmp_path / "FORMAT").write_text("2\n")
    with pytest.raises(FormatTooNew) as raised, open_data_directory(tmp_path):
        pass
    assert (raised.value.found, raised.value.supported) == (2, 1)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["FORMAT", "LOCK"]


def test_older_format_is_brought_forward(tmp_path: Path) -> None:
    """A directory of format 0 is migrated step by step, and has the present format afterwards."""
    (tmp_path / "FORMAT").write_text("0\n")
    (tmp_path / "rootkey").write_text("AK:secret-of-format-0")

    def credentials_of_format_0(root: Path) -> None:
        old = root / "rootkey"
        if old.exists():
            access_key, _, secret = old.read_text().partition(":")
            datadir.DataDirectory(root).write_root_credentials(RootCredentials(access_key, secret))
            old.unlink()

    with open_data_directory(tmp_path, {0: credentials_of_format_0}) as directory:
        assert directory.read_root_credentials() == RootCredentials("AK", "secret-of-format-0")
    assert (tmp_path / "FORMAT").read_text() == "1\n"


def test_migration_cut_short_is_run_again(tmp_path: Path) -> None:
    """A crash in a migration leaves the old number, so the next start runs it again."""
    (tmp_path / "FORMAT").write_text("0\n")
    runs = []

    def dies_once(root: Path) -> None:
        runs.append(root)
        if len(runs) == 1:
            raise OSError(5, "Input/output error")

    with pytest.raises(DataDirectoryUnusable), open_data_directory(tmp_path, {0: dies_once}):
        pass
    assert (tmp_path / "FORMAT").read_text() == "0\n"
    with open_data_directory(tmp_path, {0: dies_once}):
        pass
    assert len(runs) == 2
    assert (tmp_path / "FORMAT").read_text() == "1\n"


def test_format_without_a_way_forward_is_refused(tmp_path: Path) -> None:
    """A format that no migration is known for is refused in clear words."""
    (tmp_path / "FORMAT").write_text("0\n")
    with pytest.raises(DataDirectoryUnusable, match="can no longer bring forward"), open_data_directory(tmp_path):
        pass


def test_nonsense_format_is_refused(tmp_path: Path) -> None:
    """A FORMAT that holds no number is damage, not a new directory."""
    (tmp_path / "FORMAT").write_text("one\n")
    with pytest.raises(BytesCorrupt, match="the format is 'one'"), open_data_directory(tmp_path):
        pass


def test_somebody_elses_directory_is_refused(tmp_path: Path) -> None:
    """A directory that holds other things is not made into a store."""
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(DataDirectoryUnusable, match=r"no FORMAT but holds thesis.tex"), open_data_directory(tmp_path):
        pass


def test_crash_in_the_first_start_does_no_harm(tmp_path: Path) -> None:
    """A draft of FORMAT that a crash left does not make the directory look like somebody else's."""
    (tmp_path / ".FORMAT.new").write_text("")
    (tmp_path / "LOCK").write_text("")
    with open_data_directory(tmp_path):
        pass
    assert (tmp_path / "FORMAT").read_text() == "1\n"


def test_file_in_the_way_is_told(tmp_path: Path) -> None:
    """A path that is no directory, or below none, is refused with the path and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryUnusable, match="file/store"), open_data_directory(tmp_path / "file" / "store"):
        pass


def test_root_credentials_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    """Root's credentials lie in a file of mode 0600, in a form that AWS tools read, and come back the same."""
    with open_data_directory(tmp_path) as directory:
        assert directory.read_root_credentials() is None
        made = new_root_credentials(SystemEntropy())
        directory.write_root_credentials(made)
        assert directory.read_root_credentials() == made
        assert mode(directory.credentials_file) == 0o600
    import configparser

    parsed = configparser.ConfigParser()
    parsed.read(tmp_path / "credentials")
    assert parsed["default"]["aws_access_key_id"] == made.access_key
    assert parsed["default"]["aws_secret_access_key"] == made.secret_key


def test_new_credentials_have_the_shape_of_aws_ones() -> None:
    """An access key has 20 characters and a secret 40, no two are the same, and `repr` hides the secret."""
    made = [new_root_credentials(SystemEntropy()) for _ in range(50)]
    assert {(len(one.access_key), len(one.secret_key)) for one in made} == {(20, 40)}
    assert len({one.secret_key for one in made}) == len({one.access_key for one in made}) == 50
    assert made[0].secret_key not in repr(made[0])


def test_damaged_credentials_file_is_told(tmp_path: Path) -> None:
    """A credentials file without one of the two lines is damage, never a reason to make new ones silently."""
    with open_data_directory(tmp_path) as directory:
        directory.credentials_file.write_text("aws_access_key_id = AK\n")
        with pytest.raises(BytesCorrupt, match="it has no aws_secret_access_key"):
            directory.read_root_credentials()


def test_seal_key_is_made_once(tmp_path: Path) -> None:
    """The seal key is drawn at the first start, kept in a file of mode 0600, and the same ever after."""
    with open_data_directory(tmp_path) as directory:
        key = directory.seal_key(SystemEntropy())
        assert len(key) == 32
        assert directory.seal_key(SystemEntropy()) == key
        assert mode(directory.seal_key_file) == 0o600


@pytest.mark.parametrize("content", [b"", b"abcd\n", b"\xff" * 64, b"zz" * 32])
def test_damaged_seal_key_is_told(tmp_path: Path, content: bytes) -> None:
    """A seal key file that holds no key is damage: a new key would make all sealed secrets unreadable."""
    with open_data_directory(tmp_path) as directory:
        directory.seal_key_file.write_bytes(content)
        with pytest.raises(BytesCorrupt, match="32 bytes in hexadecimal"):
            directory.seal_key(SystemEntropy())


def test_chunks_belong_to_one_store_and_depth(tmp_path: Path) -> None:
    """A chunk directory takes neither another store nor another shard depth: chunks would be lost or not found."""
    base = tmp_path / "chunks"
    with open_data_directory(tmp_path / "one") as one:
        one.claim_chunks(base, 2, SystemEntropy())
        one.claim_chunks(base, 2, SystemEntropy())
        with pytest.raises(DataDirectoryUnusable, match="shard_depth = 2, which cannot be changed"):
            one.claim_chunks(base, 3, SystemEntropy())
    with (
        open_data_directory(tmp_path / "two") as two,
        pytest.raises(DataDirectoryUnusable, match="the chunks of another store"),
    ):
        two.claim_chunks(base, 2, SystemEntropy())


def test_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write /var/lib uses it; who may not uses the XDG data home, or its default below the home."""
    assert default_root({}, tmp_path / "var" / "lib" / "lightningstor") == tmp_path / "var" / "lib" / "lightningstor"
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    xdg = {"XDG_DATA_HOME": str(tmp_path / "data")}
    assert default_root(xdg, tmp_path / "system") == tmp_path / "data" / "lightningstor"
    fallback = tmp_path / "home" / ".local" / "share" / "lightningstor"
    assert default_root({}, tmp_path / "system") == fallback
    assert default_root({"XDG_DATA_HOME": "relative"}, tmp_path / "system") == fallback


def test_write_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails before its rename leaves the old content, and one that succeeds syncs file and directory."""
    file = tmp_path / "file"
    synced: list[str] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}") if sys.platform == "linux" else "")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    datadir.write_durably(file, b"old")
    if sys.platform == "linux":
        assert synced == [str(tmp_path / ".file.new"), str(tmp_path)]

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        datadir.write_durably(file, b"new")
    assert file.read_bytes() == b"old"
