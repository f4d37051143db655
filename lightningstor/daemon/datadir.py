"""The data directory: who may use it, which format it has, and the secrets that lie in it.

    FORMAT         the format's number
    LOCK           flock'ed while a process has the directory open; says which
    ID             names the store, so that its chunks are told from another's
    metadata/      the metadata store
    chunks/        object bytes, unless `[storage] data_dir` moves them; OWNER in it says whose they are
    credentials    root's access key and secret, in the form of an AWS credentials file
    seal.key       the key under which stored secrets are sealed

Directories are 0700 and files 0600. Everything here blocks: call it in a thread, or before the event loop runs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from lightningstor.errors import BytesCorrupt, FormatTooNew, StoreLocked
from lightningstor.iam.seal import SEAL_KEY_BYTES
from lightningstor.ports import Entropy

__all__ = [
    "FORMAT",
    "DataDirectory",
    "DataDirectoryUnusable",
    "Migration",
    "RootCredentials",
    "default_root",
    "new_root_credentials",
    "open_data_directory",
    "write_durably",
]

FORMAT: Final = 1
"""The format that this version writes."""

SYSTEM_ROOT: Final = Path("/var/lib/lightningstor")

Migration = Callable[[Path], None]
"""Brings a data directory from one format to the next. It may be cut short and run again, so it must not mind."""

MIGRATIONS: Final[Mapping[int, Migration]] = {}
"""`MIGRATIONS[n]` makes format n + 1 out of format n. Format 1 is the first that was ever released."""

# Alphabets without characters that a shell, a URL or a pair of eyes takes for something else.
_ACCESS_KEY_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SECRET_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class DataDirectoryUnusable(Exception):
    """The path cannot be used as a data directory. The message says why and what helps."""


@frozen
class RootCredentials:
    """Root's access key and secret."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"RootCredentials({self.access_key!r}, ...)"


@frozen
class DataDirectory:
    """An open data directory; nobody else has it open."""

    root: Path

    @property
    def metadata(self) -> Path:
        """Directory of the metadata store."""
        return self.root / "metadata"

    @property
    def chunks(self) -> Path:
        """Directory of the chunk files."""
        return self.root / "chunks"

    @property
    def credentials_file(self) -> Path:
        """Where root's credentials lie."""
        return self.root / "credentials"

    @property
    def seal_key_file(self) -> Path:
        """Where the seal key lies."""
        return self.root / "seal.key"

    def read_root_credentials(self) -> RootCredentials | None:
        """Root's credentials, or None where none were made yet.

        Raises:
            BytesCorrupt: the file is not in its form.
        """
        try:
            lines = self.credentials_file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return None
        values = {name.strip(): value.strip() for name, mark, value in (line.partition("=") for line in lines) if mark}
        try:
            return RootCredentials(values["aws_access_key_id"], values["aws_secret_access_key"])
        except KeyError as missing:
            raise BytesCorrupt(str(self.credentials_file), f"it has no {missing.args[0]}") from None

    def write_root_credentials(self, credentials: RootCredentials) -> None:
        """Keep root's credentials, durably, for their owner's eyes only."""
        text = (
            "# Root credentials of this LightningStor store. `lightningstor root reset` makes new ones.\n"
            "[default]\n"
            f"aws_access_key_id = {credentials.access_key}\n"
            f"aws_secret_access_key = {credentials.secret_key}\n"
        )
        write_durably(self.credentials_file, text.encode())

    def seal_key(self, entropy: Entropy) -> bytes:
        """The seal key, made if there is none; it is on stable storage before it is returned.

        Raises:
            BytesCorrupt: the file holds something else.
        """
        try:
            text = self.seal_key_file.read_text("ascii").strip()
        except FileNotFoundError:
            key = entropy.token_bytes(SEAL_KEY_BYTES)
            write_durably(self.seal_key_file, key.hex().encode() + b"\n")
            return key
        except UnicodeDecodeError:
            text = ""
        with contextlib.suppress(ValueError):
            key = bytes.fromhex(text)
            if len(key) == SEAL_KEY_BYTES:
                return key
        raise BytesCorrupt(str(self.seal_key_file), f"it does not hold {SEAL_KEY_BYTES} bytes in hexadecimal")

    def store_id(self, entropy: Entropy) -> str:
        """The store's own name, 32 hex digits, drawn at the first start."""
        file = self.root / "ID"
        with contextlib.suppress(FileNotFoundError):
            return file.read_text("ascii", "replace").strip()
        drawn = entropy.token_bytes(16).hex()
        write_durably(file, drawn.encode() + b"\n")
        return drawn

    def claim_chunks(self, base: Path, shard_depth: int, entropy: Entropy) -> None:
        """See that the chunk files under `base` are this store's and lie at this depth; mark a new directory so.

        Two stores over one directory would take each other's chunks for leftovers, and chunks that were written at
        another depth would not be found.

        Raises:
            DataDirectoryUnusable: they are another store's, or lie at another depth.
        """
        ours = f"store {self.store_id(entropy)} shard_depth {shard_depth}"
        file = base / "OWNER"
        try:
            _make_directory(base)
            found = file.read_text("ascii", "replace").strip()
        except FileNotFoundError:
            write_durably(file, ours.encode() + b"\n")
            return
        except OSError as error:
            raise DataDirectoryUnusable(_unusable(base, error)) from error
        if found == ours:
            return
        depth = found.rpartition(" shard_depth ")[2]
        if found.startswith(f"store {self.store_id(entropy)} "):
            raise DataDirectoryUnusable(
                f"the chunks in {base} were written with storage.shard_depth = {depth}, which cannot be changed"
            )
        raise DataDirectoryUnusable(f"{base} holds the chunks of another store ({file} says {found!r})")


def new_root_credentials(entropy: Entropy) -> RootCredentials:
    """Credentials in the shape of AWS's own: 20 characters (100 random bits) and 40 (240 bits)."""
    access_key = "LS" + "".join(_ACCESS_KEY_ALPHABET[byte & 31] for byte in entropy.token_bytes(18))
    secret = "".join(_SECRET_ALPHABET[byte & 63] for byte in entropy.token_bytes(40))
    return RootCredentials(access_key, secret)


def default_root(environ: Mapping[str, str], system_root: Path = SYSTEM_ROOT) -> Path:
    """Where data goes when nobody says: /var/lib/lightningstor, or below the XDG data home without rights there."""
    probe = system_root
    while not probe.exists() and probe != probe.parent:
        probe = probe.parent
    if os.access(probe, os.W_OK | os.X_OK):
        return system_root
    data_home = environ.get("XDG_DATA_HOME", "")
    # The XDG base directory specification: a relative path there is invalid and to be ignored.
    base = Path(data_home) if data_home.startswith("/") else Path.home() / ".local" / "share"
    return base / "lightningstor"


@contextlib.contextmanager
def open_data_directory(root: Path, migrations: Mapping[int, Migration] = MIGRATIONS) -> Iterator[DataDirectory]:
    """Take the directory for this process, make it if need be, and bring it to the present format.

    Raises:
        StoreLocked: another process has it.
        FormatTooNew: a newer version wrote it.
        DataDirectoryUnusable: it cannot be made or written, or holds something else.
    """
    try:
        _make_directory(root)
        lock = os.open(root / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirectoryUnusable(_unusable(root, error)) from error
    try:
        _take_lock(lock, root)
        try:
            _bring_to_format(root, migrations)
            for part in ("metadata", "chunks"):
                _make_directory(root / part)
        except OSError as error:
            raise DataDirectoryUnusable(_unusable(root, error)) from error
        yield DataDirectory(root)
    finally:
        os.close(lock)


def _unusable(root: Path, error: OSError) -> str:
    hint = ""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "; choose another with --data-dir or LIGHTNINGSTOR_DATA_DIR, or give this user the rights"
    return f"cannot use the data directory {root}: {error.strerror or error}{hint}"


def _take_lock(lock: int, root: Path) -> None:
    """flock it. The kernel lets go when the process ends, however it ends, so there is no stale lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 200, 0).decode("utf-8", "replace").strip()
        raise StoreLocked(str(root), holder or None) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"process {os.getpid()} on {os.uname().nodename}\n".encode(), 0)


def _bring_to_format(root: Path, migrations: Mapping[int, Migration]) -> None:
    file = root / "FORMAT"
    try:
        text = file.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        strange = sorted(
            entry.name for entry in root.iterdir() if entry.name not in ("LOCK", ".FORMAT.new", "lost+found")
        )
        if strange:
            raise DataDirectoryUnusable(
                f"{root} is no LightningStor data directory: it has no FORMAT but holds {', '.join(strange[:3])}"
                f"{' and more' if len(strange) > 3 else ''}; choose an empty one"
            ) from None
        write_durably(file, b"%d\n" % FORMAT)
        return
    if not text.isdigit():
        raise BytesCorrupt(str(file), f"the format is {text!r}, expected a number")
    found = int(text)
    if found > FORMAT:
        raise FormatTooNew(str(root), found, FORMAT)
    while found < FORMAT:
        step = migrations.get(found)
        if step is None:
            raise DataDirectoryUnusable(f"{root} has format {found}, which this version can no longer bring forward")
        step(root)
        found += 1
        write_durably(file, b"%d\n" % found)


def _make_directory(path: Path) -> None:
    """Make the directory and what is missing above it, each durable in its parent."""
    missing = []
    probe = path
    while not probe.exists():
        missing.append(probe)
        probe = probe.parent
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(directory.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems sync no directories
            raise
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Put the file in place whole, 0600, on stable storage: a crash leaves the old one or the new one."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # one that a crash left may have had other rights
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(path)
    _sync_directory(path.parent)
