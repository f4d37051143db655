"""Counting the opcodes that Python runs: a figure that does not depend on the machine or on what else it does."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

__all__ = ["print_opcodes"]


async def print_opcodes(run: Callable[[], Awaitable[None]], count: int) -> None:
    """Run it, which makes `count` requests, and print the opcodes of each: all, and those of each function.

    Only what is called from now on in this thread is seen, not the frames that are at work already.
    """
    seen: Counter[tuple[str, str]] = Counter()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            code = frame.f_code
            seen["/".join(code.co_filename.split("/")[-2:]), code.co_qualname] += 1
        return trace

    sys.settrace(trace)
    try:
        await run()
    finally:
        sys.settrace(None)
    print(f"{sum(seen.values()) / count:.0f} opcodes")
    for (file, name), found in seen.most_common(70):
        print(f"{found / count:8.1f} {file}:{name}")
