"""Logs: one line an event, JSON or for the console, with the request id, and never a secret.

Plain `logging`: structlog costs 130 ms of a start that may take 500.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from contextvars import ContextVar
from functools import lru_cache
from typing import Final, TextIO

from lightningstor.observe.redact import Redactor

__all__ = ["REQUEST_ID", "TRACE_ID", "ConsoleFormatter", "JsonFormatter", "configure", "redactor"]

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("lightningstor_request_id", default=None)
"""The request that the running task works on; the request path sets it, every line shows it."""

TRACE_ID: Final[ContextVar[str | None]] = ContextVar("lightningstor_trace_id", default=None)
"""The trace that this request belongs to; None where nothing is traced."""

redactor: Final = Redactor()
"""Where whoever reads a secret registers it."""

_OWN_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


_encode: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode


@lru_cache(maxsize=2)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def _timestamp(seconds: float) -> str:
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What the caller gave as `extra`, the request id, and the trace's."""
    fields = {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}
    request_id = REQUEST_ID.get()
    if request_id is not None:
        fields.setdefault("request_id", request_id)
    trace_id = TRACE_ID.get()
    if trace_id is not None:
        fields.setdefault("trace_id", trace_id)
    return fields


def _traceback(record: logging.LogRecord) -> str | None:
    if record.exc_info and record.exc_info[1] is not None:
        return "".join(traceback.format_exception(record.exc_info[1]))
    return record.stack_info


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request_id, what the caller added, and a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        trace = _traceback(record)
        if trace is not None:
            line["traceback"] = trace
        return redactor.clean(_encode(line))


class ConsoleFormatter(logging.Formatter):
    """One line for people, and a traceback below it where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        # A message comes from all over; what a client sent must not forge a line of its own.
        message = record.getMessage().replace("\n", "\\n").replace("\r", "\\r")
        line = f"{_timestamp(record.created)} {record.levelname.lower():7} {message}"
        fields = " ".join(f"{name}={value!r}" for name, value in _fields(record).items())
        trace = _traceback(record)
        return redactor.clean(f"{line}{'  ' if fields else ''}{fields}" + (f"\n{trace.rstrip()}" if trace else ""))


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream` (standard error) at the level, in the form "json" or "console"."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else ConsoleFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # What libraries tell at debug level are headers as they were on the wire: hpack's has tokens in them.
    root.setLevel(max(_LEVELS[level], logging.INFO))
    logging.getLogger("lightningstor").setLevel(_LEVELS[level])
    # What no line shows need not be found out: Python's own advice for quick logging (logging, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.raiseExceptions = False  # a broken pipe at the log's end is no reason to stop storing
    logging.captureWarnings(True)
    sys.excepthook = _log_unhandled


def _log_unhandled(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """Python's own report of a fatal error goes round the formatter, so it must go through it."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("lightningstor").critical("unhandled error", exc_info=error)
