"""An HTTP/2 client that may misbehave."""

from __future__ import annotations

import socket
from typing import Any

import h2.config
import h2.connection

__all__ = ["RawClient", "raw_client"]


class RawClient:
    """An HTTP/2 client that may misbehave."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        config = h2.config.H2Configuration(
            client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def start_call(self, path: str, data: bytes, *more: tuple[str, str]) -> int:
        stream: int = self.h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"), ("te", "trailers")]
        self.h2.send_headers(stream, [*headers, ("content-type", "application/grpc"), *more])
        self.h2.send_data(stream, data, end_stream=True)
        self.flush()
        return stream

    def read_until(self, kind: type[Any]) -> Any:
        """The next event of that kind; None: the server has closed."""
        while True:
            data = self.socket.recv(65536)
            if not data:
                return None
            for event in self.h2.receive_data(data):
                if isinstance(event, kind):
                    return event
            self.flush()


def raw_client(port: int) -> RawClient:
    return RawClient(port)
