"""A whole daemon inside a program: S3 on a port that the kernel picks, until the block ends.

python examples/serve.py DIRECTORY
"""

import sys
from pathlib import Path

import trio

import lightningstor
from lightningstor.config import Address, Config, ServerSettings


async def main(directory: Path) -> None:
    config = Config(
        server=ServerSettings(
            dev=True,  # well-known credentials, so loopback addresses only
            data_dir=directory,
            buckets=("demo",),
            s3_addr=Address("127.0.0.1", 0),
            grpc_addr=None,
            admin_addr=None,
        )
    )
    async with trio.open_nursery() as nursery:
        # It has started when everything answers.
        bound = await nursery.start(lightningstor.serve, config)
        host, port = bound.s3.split(":")
        stream = await trio.open_tcp_stream(host, int(port))
        await stream.send_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        print((await stream.receive_some()).split(b"\r\n")[0].decode())
        # Cancelling gives running requests the grace period.
        nursery.cancel_scope.cancel()
    print("stopped")


trio.run(main, Path(sys.argv[1]))
