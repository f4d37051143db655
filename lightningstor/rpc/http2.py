"""h2's connection, but for two frames that it takes for the end and HTTP/2 does not; for both ends of a connection.

h2 3.2 is what purerpc asks for; its later versions behave like this.
"""

from __future__ import annotations

from typing import Any

import h2.connection
import h2.events
import h2.exceptions
from hyperframe.frame import GoAwayFrame, WindowUpdateFrame

__all__ = ["Http2Connection"]


class Http2Connection(h2.connection.H2Connection):  # type: ignore[misc]  # h2 has no types
    """See above."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Any], list[h2.events.Event]]:
        """The peer takes no further streams; those up to `last_stream_id` go on (RFC 9113 §6.8)."""
        event = h2.events.ConnectionTerminated()
        event.error_code, event.last_stream_id = frame.error_code, frame.last_stream_id
        event.additional_data = frame.additional_data
        return [], [event]

    def _receive_window_update_frame(self, frame: WindowUpdateFrame) -> tuple[list[Any], list[h2.events.Event]]:
        """One may still be on its way when its stream has ended here (RFC 9113 §5.1, closed)."""
        try:
            found: tuple[list[Any], list[h2.events.Event]] = super()._receive_window_update_frame(frame)
        except h2.exceptions.StreamClosedError:
            return [], []
        return found
