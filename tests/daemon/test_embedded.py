"""A store, or a whole daemon, inside another program."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import boto3
import pytest
import trio
import trio.testing
from botocore.config import Config as BotoConfig

import lightningstor
from lightningstor.config import Address, Config, IamSettings, LimitsSettings, ServerSettings, StorageSettings
from lightningstor.daemon.identity import NoRootCredentials
from lightningstor.daemon.supervisor import Bound, ListenFailed, Stop
from lightningstor.errors import BucketAlreadyOwnedByYou, StoreLocked
from lightningstor.iam import Principal
from lightningstor.store.api import ObjectDraft, WriteConditions
from lightningstor.store.store import Store
from tests.daemon.content import Content

OWNER = Principal("tester").owner
ANY_PORT = Address("127.0.0.1", 0)


def memory_config(**limits: float) -> Config:
    """A daemon in memory on free loopback ports."""
    return Config(
        server=ServerSettings(s3_addr=ANY_PORT, grpc_addr=None, admin_addr=ANY_PORT),
        storage=StorageSettings(backend="memory"),
        iam=IamSettings(root_access_key="rootkey", root_secret_key="root-secret"),
        limits=LimitsSettings(**limits),
    )


async def make_bucket(store: Store, name: str) -> None:
    await store.buckets.create(name, OWNER, org_id="default", project_id=None, region="us-east-1")


async def connect(address: str) -> trio.SocketStream:
    """A connection to a bound address."""
    host, _, port = address.rpartition(":")
    return await trio.open_tcp_stream(host, int(port))


# A store


async def test_store_in_memory_is_forgotten() -> None:
    """A store without a data directory works, and the next one knows nothing of it."""
    for _ in range(2):
        async with lightningstor.open(None) as store:
            await make_bucket(store, "bucket")
            assert (await store.buckets.get("bucket")).name == "bucket"


async def test_store_on_disk_is_kept(tmp_path: Path) -> None:
    """A store in a directory has its buckets again when it is opened again."""
    async with lightningstor.open(tmp_path / "data") as store:
        await make_bucket(store, "bucket")
    async with lightningstor.open(tmp_path / "data") as store:
        with pytest.raises(BucketAlreadyOwnedByYou):
            await make_bucket(store, "bucket")


async def test_open_store_cannot_be_opened_twice(tmp_path: Path) -> None:
    """A second opening of the same directory, in the same process too, is StoreLocked."""
    async with lightningstor.open(tmp_path):
        with pytest.raises(StoreLocked):
            async with lightningstor.open(tmp_path):
                pass


async def test_chunks_can_lie_elsewhere(tmp_path: Path) -> None:
    """`[storage] data_dir` moves the chunk files, and nothing else."""
    config = Config(storage=StorageSettings(data_dir=tmp_path / "elsewhere"))
    async with lightningstor.open(tmp_path / "data", config=config) as store:
        await make_bucket(store, "bucket")
        body = Content(b"x" * (1 << 20))
        await store.puts.put("bucket", "key", ObjectDraft(OWNER), body, WriteConditions())
    sizes = [path.stat().st_size for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()]
    assert max(sizes) >= 1 << 20
    assert not list((tmp_path / "data" / "chunks").iterdir())
    assert list((tmp_path / "data" / "metadata").iterdir())


@pytest.mark.parametrize("on_disk", [True, False])
async def test_programs_own_exception_comes_out_as_it_went_in(tmp_path: Path, on_disk: bool) -> None:
    """An exception of the program inside the context is not wrapped in a group."""
    with pytest.raises(KeyError, match="mine"):
        async with lightningstor.open(tmp_path if on_disk else None):
            raise KeyError("mine")


async def test_cancelled_program_leaves_nothing_open(tmp_path: Path) -> None:
    """Cancelling a program inside the context closes the store: the directory can be opened at once."""
    with trio.move_on_after(0.05) as scope:
        async with lightningstor.open(tmp_path):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    async with lightningstor.open(tmp_path):
        pass


# A daemon


async def test_cancelling_a_daemon_gives_requests_their_grace() -> None:
    """A cancelled `serve` stops in order: a request that is under way is answered, new connections are refused."""
    async with trio.open_nursery() as nursery:
        bound: Bound = await nursery.start(lightningstor.serve, memory_config(stop_grace_seconds=10))
        client = await connect(bound.s3)
        await client.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True), trio.fail_after(5):
            await client.send_all(b"\r\n")
            answer = await client.receive_some()
            await client.aclose()
    assert bytes(answer).startswith(b"HTTP/1.1 403 ")


async def test_stop_ends_a_daemon() -> None:
    """`Stop.ask` ends `serve` without an exception, with nothing listening any more and no thread at work."""
    stop = Stop()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:

            async def run(task_status: trio.TaskStatus[Bound]) -> None:
                await lightningstor.serve(memory_config(), stop=stop, task_status=task_status)

            bound = await nursery.start(run)
            await (await connect(bound.s3)).aclose()
            stop.ask()
    with pytest.raises(OSError, match="connect"):
        await connect(bound.s3)


@pytest.mark.parametrize("force", [False, True])
async def test_grace_is_bounded(force: bool) -> None:
    """A PUT whose body does not come is cancelled after the grace period; a forced stop does not wait for that."""
    stop = Stop()
    config = memory_config(stop_grace_seconds=60 if force else 0.1)
    config = attrs.evolve(config, server=attrs.evolve(config.server, buckets=("bucket",)))

    async def run(task_status: trio.TaskStatus[Bound]) -> None:
        await lightningstor.serve(config, stop=stop, task_status=task_status)

    async with trio.open_nursery() as nursery:
        bound = await nursery.start(run)
        client = await connect(bound.s3)
        await client.send_all(put_request(bound.s3) + b"the beginning")
        await trio.testing.wait_all_tasks_blocked(0.05)
        stop.ask()
        with trio.move_on_after(0.05):
            assert await client.receive_some() == b"the request was cancelled before its grace was over"
        with trio.fail_after(5):
            if force:
                stop.force()
            with contextlib.suppress(trio.BrokenResourceError):
                assert not (await client.receive_some()).startswith(b"HTTP/1.1 200")
    await client.aclose()


def put_request(address: str) -> bytes:
    """The head of a presigned PUT of 1,000 bytes to bucket/key."""
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://{address}",
        aws_access_key_id="rootkey",
        aws_secret_access_key="root-secret",
        region_name="us-east-1",
        config=BotoConfig(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "key"}))
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1000\r\n\r\n"
    return head.encode()


async def test_failed_start_leaves_nothing(tmp_path: Path) -> None:
    """A daemon whose port is taken raises, and leaves neither its directory locked nor its other ports open."""
    taken = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = taken[0].socket.getsockname()[1]
    config = Config(
        server=ServerSettings(
            s3_addr=Address("127.0.0.1", port), grpc_addr=None, admin_addr=ANY_PORT, data_dir=tmp_path
        )
    )
    with pytest.RaisesGroup(ListenFailed, flatten_subgroups=True):
        await lightningstor.serve(config)
    await taken[0].aclose()
    async with lightningstor.open(tmp_path):
        pass


async def test_daemon_in_memory_needs_credentials() -> None:
    """A daemon in memory that was given no root credentials does not start."""
    config = Config(server=ServerSettings(s3_addr=ANY_PORT), storage=StorageSettings(backend="memory"))
    with pytest.RaisesGroup(NoRootCredentials, flatten_subgroups=True):
        await lightningstor.serve(config)


async def test_start_and_stop_leave_no_thread_behind() -> None:
    """Starting and stopping ten daemons leaves no more threads than one did."""
    counts = []
    for _ in range(10):
        stop = Stop()

        async def run(task_status: trio.TaskStatus[Bound], stop: Stop = stop) -> None:
            await lightningstor.serve(memory_config(), stop=stop, task_status=task_status)

        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            stop.ask()
        counts.append(threading.active_count())
    assert counts[-1] <= counts[0] + 2  # a few stay idle for some seconds


def test_importing_the_package_is_cheap() -> None:
    """`import lightningstor` imports neither Trio nor anything of its own; its names are looked up when used."""
    import subprocess
    import sys

    script = (
        "import sys, lightningstor\n"
        "assert not any(name.startswith(('trio', 'attr', 'lightningstor.')) for name in sys.modules)\n"
        "assert sorted(lightningstor.__all__) == dir(lightningstor)\n"
        "assert callable(lightningstor.open) and callable(lightningstor.serve)\n"
        "assert lightningstor.errors.StoreError\n"
        "try: lightningstor.nothing\n"
        "except AttributeError as error: assert 'nothing' in str(error)\n"
        "else: raise SystemExit('found nothing')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_version_is_the_packages() -> None:
    """The version in the code is the one in pyproject.toml."""
    import tomllib

    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert pyproject["project"]["version"] == lightningstor.__version__
