"""The steps for clients that copy files and folders: most command lines."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from driver_protocol import SMALL_SIZES, Driver, check, check_equal, curl

__all__ = ["FolderDriver"]


class FolderDriver(Driver):
    """A subclass copies up and down, lists and removes; what must come of it is said here."""

    unfit: frozenset[str] = frozenset()
    """Names of `own-odd` that the client can't have; PARTLY says why."""

    @abstractmethod
    def put_file(self, path: Path, key: str) -> None:
        """Upload a file to a key of the client's bucket."""

    @abstractmethod
    def get_file(self, key: str, path: Path) -> None:
        """Download an object of the client's bucket."""

    @abstractmethod
    def put_folder(self, folder: Path, prefix: str) -> None:
        """Upload all files of a folder below a prefix (which ends in a slash)."""

    @abstractmethod
    def get_folder(self, prefix: str, folder: Path) -> None:
        """Download all objects below a prefix into a folder."""

    @abstractmethod
    def remove_folder(self, prefix: str) -> None:
        """Delete all objects below a prefix."""

    @abstractmethod
    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        """The keys below a prefix, as the client shows them, in the order of S3."""

    def check_digest(self, key: str, path: Path) -> None:
        """Compare the digest that the client shows for an object, where it shows one."""

    def shown(self, key: str) -> str:
        """How the client shows a key."""
        return key

    def round_trip(self, step: str) -> None:
        """Each file of the step up and down again."""
        back = self.work / step
        for size in SMALL_SIZES[step]:
            key = f"sizes/{size}"
            self.put_file(self.file(size), key)
            self.get_file(key, back)
            check(back.read_bytes() == self.file(size).read_bytes(), f"{size} bytes came back changed")
            self.check_digest(key, self.file(size))

    def put_get_empty(self) -> None:
        self.round_trip("put_get_empty")

    def put_get_1_byte(self) -> None:
        self.round_trip("put_get_1_byte")

    def put_get_64k(self) -> None:
        self.round_trip("put_get_64k")

    def put_get_8m(self) -> None:
        self.round_trip("put_get_8m")

    def own_names(self, kind: str) -> list[str]:
        """The names below `own/{kind}/` that can be names of files, and that the client can have."""
        names = (key.removeprefix(f"own/{kind}/") for key in self.own_keys(kind))
        return [name for name in names if name not in self.unfit]

    def _folder_of(self, names: list[str], kind: str) -> Path:
        """A folder with a file of each name, which holds its name."""
        folder = self.work / kind
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(name.encode())
        return folder

    def own_folder(self, kind: str) -> None:
        """Own keys as files of a folder, up, listed, down and deleted."""
        names, prefix, back = self.own_names(kind), f"own/{kind}/", self.work / f"{kind}-back"
        self.put_folder(self._folder_of(names, kind), prefix)
        expected = sorted((self.shown(prefix + name) for name in names), key=str.encode)
        check_equal(self.list_keys(self.bucket, prefix), expected, "listed")
        back.mkdir()
        self.get_folder(prefix, back)
        for name in names:
            check_equal((back / name).read_bytes(), name.encode(), f"body of {name!r}")
        self.remove_folder(prefix)
        check_equal(self.list_keys(self.bucket, prefix), [], "listed after all were deleted")

    def odd_keys(self) -> None:
        self.own_folder("odd")

    def control_keys(self) -> None:
        self.own_folder("control")

    def listed_folder(self, kind: str) -> None:
        """The seeded keys of a kind."""
        expected = sorted((self.shown(key) for key in self.listed_keys(kind)), key=str.encode)
        check_equal(self.list_keys(self.seeded_bucket, f"{kind}/"), expected, "keys")

    def list_odd_keys(self) -> None:
        self.listed_folder("odd")

    def list_slash_keys(self) -> None:
        self.listed_folder("slash")

    def list_control_keys(self) -> None:
        self.listed_folder("control")

    def delete_batch(self) -> None:
        names = self.own_names("odd")
        names += [str(number) for number in range(60 - len(names))]
        self.put_folder(self._folder_of(names, "batch"), "batch/")
        check_equal(len(self.list_keys(self.bucket, "batch/")), 60, "objects")
        self.remove_folder("batch/")
        check_equal(self.list_keys(self.bucket, "batch/"), [], "listed afterwards")

    def check_signed_get(self, url: str, path: Path) -> None:
        """Curl gets the file's bytes from a URL that names `…/signed/…`, and 403 when another key stands there."""
        status, body = curl(url)
        check(status == 200, f"{status}: {body[:500]!r}")
        check(body == path.read_bytes(), "curl got other bytes")
        check_equal(curl(url.replace("/signed/", "/signee/"))[0], 403, "status for another key")
