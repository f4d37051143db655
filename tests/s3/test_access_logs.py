"""Server access logs: where they may go, what a line says, and how they are delivered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lightningstor.s3.access_log import LOG_DELIVERY
from lightningstor.testing.steps import CancelAtStep
from tests.conftest import Figure
from tests.s3.client import Client, md5_header
from tests.s3.conftest import ALICE, BOB, Service, service_over
from tests.store.conftest import SMALL_LIMITS, disk_store, memory_store

SIGNATURE = re.compile("[0-9a-f]{64}")


def logging_to(target: str, prefix: str = "log/", more: str = "") -> bytes:
    """The document of PutBucketLogging."""
    return (
        '<BucketLoggingStatus xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LoggingEnabled>'
        f"<TargetBucket>{target}</TargetBucket><TargetPrefix>{prefix}</TargetPrefix>{more}"
        "</LoggingEnabled></BucketLoggingStatus>"
    ).encode()


async def set_logging(client: Client, bucket: str, document: bytes) -> str:
    """Its error code; "" when it was taken."""
    return (await client.put(f"/{bucket}", document, "logging", **md5_header(document))).code


async def delivered(service: Service, client: Client, target: str = "logs") -> list[tuple[str, list[str]]]:
    """Keys and lines of everything that was delivered to the bucket."""
    await service.app._endpoint.access_log.deliver(everything=True)
    keys = (await client.get(f"/{target}", "list-type=2")).texts("Contents/Key")
    return [(key, (await client.get(f"/{target}/{key}")).body.decode().splitlines()) for key in keys]


@pytest.fixture
async def buckets(s3: Client) -> None:
    for name in ("source", "logs"):
        await s3.put(f"/{name}")


async def test_logging_is_shown_as_it_was_set(s3: Client, buckets: None) -> None:
    """Nothing at first; then where logs go, in either form of keys; an empty status turns it off."""
    assert (await s3.get("/source", "logging")).xml.find("LoggingEnabled") is None
    assert await set_logging(s3, "source", logging_to("logs")) == ""
    shown = await s3.get("/source", "logging")
    assert (shown.text("LoggingEnabled/TargetBucket"), shown.text("LoggingEnabled/TargetPrefix")) == ("logs", "log/")
    form = "<TargetObjectKeyFormat><PartitionedPrefix/></TargetObjectKeyFormat>"
    assert await set_logging(s3, "source", logging_to("logs", more=form)) == ""
    path = "LoggingEnabled/TargetObjectKeyFormat/PartitionedPrefix/PartitionDateSource"
    assert (await s3.get("/source", "logging")).text(path) == "DeliveryTime"
    assert await set_logging(s3, "source", b"<BucketLoggingStatus/>") == ""
    assert (await s3.get("/source", "logging")).xml.find("LoggingEnabled") is None


async def test_a_target_must_be_there_and_the_same_owners(service: Service, s3: Client, buckets: None) -> None:
    """Else one tenant could write into another's bucket."""
    alice = service.client(ALICE)
    await alice.put("/alices")
    await service.client(BOB).put("/bobs")
    assert await set_logging(alice, "alices", logging_to("nowhere-at-all")) == "InvalidTargetBucketForLogging"
    assert await set_logging(alice, "alices", logging_to("bobs")) == "InvalidTargetBucketForLogging"
    assert await set_logging(s3, "alices", logging_to("bobs")) == "InvalidTargetBucketForLogging"
    grants = "<TargetGrants><Grant/></TargetGrants>"
    assert await set_logging(alice, "alices", logging_to("alices", more=grants)) == "NotImplemented"
    source = "<PartitionDateSource>EventTime</PartitionDateSource>"
    form = f"<TargetObjectKeyFormat><PartitionedPrefix>{source}</PartitionedPrefix></TargetObjectKeyFormat>"
    assert await set_logging(alice, "alices", logging_to("alices", more=form)) == "InvalidArgument"


async def test_a_line_has_s3s_fields(service: Service, s3: Client, buckets: None) -> None:
    """All 26 of them, in S3's order; and no signature in them."""
    await set_logging(s3, "source", logging_to("logs"))
    await s3.put("/source/a%20key", b"12345", user_agent='odd "agent"', referer="http://x/?X-Amz-Signature=" + "a" * 64)
    await s3.get("/source/none")
    query = s3.presign("GET", "/source/a%20key")
    await s3.anonymous().call("GET", "/source/a%20key", query)
    [(key, lines)] = await delivered(service, s3)
    assert re.fullmatch(r"log/\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}", key)
    split = [re.findall(r'\[.*?\]|".*?"|\S+', line) for line in lines]
    assert [fields[6] for fields in split] == [
        "REST.PUT.OBJECT",
        "REST.GET.OBJECT",
        "REST.GET.OBJECT",
    ]
    assert all(len(fields) == 26 for fields in split)
    put, missing, presigned = split
    assert (put[1], put[3], put[7], put[9], put[10]) == ("source", "127.0.0.1", "a%2520key", "200", "-")
    assert put[8] == '"PUT /source/a%20key HTTP/1.1"'
    assert (put[12], put[16], put[19], put[21]) == ("5", '"odd %22agent%22"', "SigV4", "AuthHeader")
    assert (missing[9], missing[10]) == ("404", "NoSuchKey")
    assert (presigned[9], presigned[11], presigned[21]) == ("200", "5", "QueryString")
    assert not any(SIGNATURE.search(line.replace(put[0], "")) for line in lines)


async def test_deliveries_belong_to_the_delivery_and_are_not_logged(
    service: Service, s3: Client, buckets: None
) -> None:
    """A bucket that is its own target gets no line for what was delivered into it."""
    await set_logging(s3, "source", logging_to("source"))
    await s3.get("/source")
    await service.app._endpoint.access_log.deliver(everything=True)
    assert await service.app._endpoint.access_log.deliver(everything=True) == 0
    [(key, _)] = await delivered(service, s3, "source")
    found = await service.store.objects.find("source", key, None)
    assert found.version.owner == LOG_DELIVERY


async def test_lines_wait_for_their_time_and_for_a_target(service: Service, s3: Client, buckets: None) -> None:
    """Not due: nothing is delivered. The target gone: they are dropped and counted, and nothing fails."""
    log = service.app._endpoint.access_log
    await set_logging(s3, "source", logging_to("logs"))
    await s3.get("/source")
    assert await log.deliver() == 0
    await s3.delete("/logs")
    assert await log.deliver(everything=True) == 0
    assert log.dropped == 1


async def test_partitioned_keys(service: Service, s3: Client, buckets: None) -> None:
    """Prefix, account, region, bucket and date stand before the time."""
    form = "<TargetObjectKeyFormat><PartitionedPrefix/></TargetObjectKeyFormat>"
    await set_logging(s3, "source", logging_to("logs", more=form))
    await s3.get("/source", "logging")
    [(key, _)] = await delivered(service, s3)
    assert re.match(r"log/default/us-east-1/source/\d{4}/\d\d/\d\d/\d{4}-", key)


async def test_scoped_buckets_of_one_name_have_logs_of_their_own() -> None:
    """Where two organisations have buckets of the same names, each one's lines go to its own target."""
    async with memory_store(SMALL_LIMITS, scoped_names=True) as store:
        service = service_over(store)
        clients = [service.client(person) for person in (ALICE, BOB)]
        for client in clients:
            for name in ("source", "logs"):
                await client.put(f"/{name}")
            assert await set_logging(client, "source", logging_to("logs")) == ""
        for client, key in zip(clients, ("of-alice", "of-bob"), strict=True):
            await client.put(f"/source/{key}", b"x")
        for client, key in zip(clients, ("of-alice", "of-bob"), strict=True):
            [(_, [line])] = await delivered(service, client)
            assert f" {key} " in line


async def test_a_delivery_cancelled_at_every_step_loses_no_line(tmp_path: Path, figure: Figure) -> None:
    """Its lines are delivered, or they wait for the next one; never both, and what waits is counted right."""
    for step in range(1, 100):
        cancel = CancelAtStep(step)
        root = tmp_path / str(step)
        root.mkdir()
        async with disk_store(root) as store:
            service = service_over(store)
            client, logs = service.client(), service.app._endpoint.access_log
            for name in ("source", "logs"):
                await client.put(f"/{name}")
            await set_logging(client, "source", logging_to("logs"))
            for number in range(20):  # more than lies inline: a chunk is written
                await client.put(f"/source/{number}", b"x")
            with cancel.watch():
                await logs.deliver(everything=True)
            lines = [line for _, told in await delivered(service, client) for line in told]
            assert [line.split(" ")[8] for line in lines] == [str(number) for number in range(20)]
            assert logs._size == 0
        if not cancel.reached:
            break
    figure(f"a delivery cancelled at {step} steps: no line lost, none twice")
    assert step > 2
