"""The limits of the gRPC port."""

from __future__ import annotations

from attrs import frozen

__all__ = ["RpcLimits"]


@frozen
class RpcLimits:
    """Every limit of the gRPC port; sizes in bytes, times in seconds.

    Args:
        connections: at once; further ones are closed as they come.
        streams: calls at once on one connection (HTTP/2's MAX_CONCURRENT_STREAMS).
        message_bytes: of a message that comes in.
        room_bytes: for messages that are larger than a window, of all calls together.
        window_bytes: what a client may send on one call ahead of its being read.
        connection_window_bytes: what it may on all calls of a connection together.
        frame_bytes: of an HTTP/2 frame that comes in.
        header_bytes: of a call's header list.
        resets, resets_window_s: more calls reset in that time by the client end its connection (rapid reset).
        first_frame_s: from the connection to HTTP/2's preface and settings, and for a TLS handshake.
        idle_s: without a call and without a frame.
        message_s: from when a handler waits for a message until it is there whole.
        write_stall_s: that a client may take nothing of what is sent.
        grace_s: that running calls get when the server stops.
    """

    connections: int = 1000
    streams: int = 100
    message_bytes: int = 4 << 20
    room_bytes: int = 128 << 20
    window_bytes: int = 256 << 10
    connection_window_bytes: int = 4 << 20
    frame_bytes: int = 64 << 10
    header_bytes: int = 16 << 10
    resets: int = 200
    resets_window_s: float = 10
    first_frame_s: float = 10
    idle_s: float = 300
    message_s: float = 120
    write_stall_s: float = 60
    grace_s: float = 10

    def __attrs_post_init__(self) -> None:
        if self.room_bytes < self.message_bytes:
            raise ValueError(f"room_bytes {self.room_bytes} is less than a message of {self.message_bytes} bytes")
