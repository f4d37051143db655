"""Which operation a request is: by method, scope, query and one header (`x-amz-copy-source`)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

from lightningstor.s3.wire.faults import InvalidArgument
from lightningstor.s3.wire.operation import DELETE, GET, HEAD, OPTIONS, POST, PUT, Operation, Scope
from lightningstor.s3.wire.operations import OPERATIONS
from lightningstor.s3.wire.refusals import MethodNotAllowed

__all__ = ["SUB_RESOURCES", "match"]

_COPY_SOURCE: Final = b"x-amz-copy-source"
_METHODS: Final = (GET, HEAD, PUT, POST, DELETE, OPTIONS)
# They select an operation only together with another parameter, or by their value: elsewhere they are parameters.
_COMPANIONS: Final = frozenset({"annotationName", "id", "list-type", "partNumber", "select-type"})


def _selector_names(operation: Operation) -> frozenset[str]:
    return frozenset(selector.partition("=")[0] for selector in operation.query)


class _Routes:
    """The rows of one scope."""

    __slots__ = ("by_sub_resource", "copies", "plain", "selected", "selectors", "sub_resources")

    def __init__(self, scope: Scope) -> None:
        rows = [row for row in OPERATIONS if row.scope is scope and row.superseded_by is None and not row.elsewhere]
        plain = {row.method: row for row in rows if not row.query and row.header is None}
        self.plain: dict[str, Operation] = {method: plain[method] for method in _METHODS if method in plain}
        self.copies = {row.method: row for row in rows if not row.query and row.header is not None}
        # The most particular row first.
        self.selected = {
            method: sorted(
                (row for row in rows if row.method == method and row.query),
                key=lambda row: (len(row.query), row.header is not None),
                reverse=True,
            )
            for method in _METHODS
        }
        self.selectors = frozenset[str]().union(*(_selector_names(row) for row in rows))
        self.sub_resources = self.selectors - _COMPANIONS
        self.by_sub_resource = {
            name: tuple(
                method
                for method in _METHODS
                if any(name in _selector_names(row) for row in rows if row.method == method)
            )
            for name in self.sub_resources
        }


_ROUTES: Final = tuple(_Routes(scope) for scope in Scope)
# Every sub-resource of S3, whatever it is one of.
SUB_RESOURCES: Final = frozenset[str]().union(*(routes.sub_resources for routes in _ROUTES))
_ALL_SELECTORS: Final = frozenset[str]().union(*(routes.selectors for routes in _ROUTES))


def match(method: str, scope: Scope, query: Mapping[str, str], headers: Container[bytes]) -> Operation:
    """The operation that a request is.

    Args:
        method: in capitals.
        scope: what the request is addressed to.
        query: the decoded query.
        headers: the names of the headers, in lower case.

    Raises:
        InvalidArgument: the query names two sub-resources, or one that the scope does not have, or half of a pair.
        MethodNotAllowed: the resource does not have the method.
    """
    routes = _ROUTES[scope]
    if not query or _ALL_SELECTORS.isdisjoint(query):
        operation = routes.plain.get(method)
        if operation is not None:
            if _COPY_SOURCE in headers and method in routes.copies:
                return routes.copies[method]
            return operation
        raise MethodNotAllowed(method, scope.resource_type, tuple(routes.plain))
    return _match_selected(routes, method, scope, query, headers)


def _match_selected(
    routes: _Routes, method: str, scope: Scope, query: Mapping[str, str], headers: Container[bytes]
) -> Operation:
    named = [name for name in query if name in SUB_RESOURCES]
    if method == OPTIONS:  # a preflight asks about the resource, whatever the request after it will do with it
        return match(method, scope, {}, headers)
    for row in routes.selected.get(method, ()):
        if all(_present(selector, query) for selector in row.query) and (row.header is None or _COPY_SOURCE in headers):
            if all(name in _selector_names(row) for name in named):
                return row
            raise InvalidArgument(
                f"Conflicting query string parameters: {', '.join(sorted(named))}", "ResourceType", sorted(named)[0]
            )
    if not named:
        return _match_companions(routes, method, scope, query, headers)
    name = named[0]
    allowed = routes.by_sub_resource.get(name)
    if allowed is None:
        kind = {Scope.SERVICE: "service", Scope.BUCKET: "bucket", Scope.OBJECT: "key"}[scope]
        raise InvalidArgument(f"There is no such thing as the ?{name} sub-resource for a {kind}", "ResourceType", name)
    if method in allowed:  # the other half of its selectors is not there
        raise _companion_missing(routes, method, name, query)
    raise MethodNotAllowed(method, name.upper(), allowed)


def _companion_missing(routes: _Routes, method: str, name: str, query: Mapping[str, str]) -> InvalidArgument:
    row = next(row for row in routes.selected[method] if name in _selector_names(row))
    missing = next(selector for selector in row.query if not _present(selector, query))
    return InvalidArgument(f"The parameter {missing} must be given with {name}", missing.partition("=")[0], "")


def _match_companions(
    routes: _Routes, method: str, scope: Scope, query: Mapping[str, str], headers: Container[bytes]
) -> Operation:
    """No sub-resource is named, but a parameter that selects an operation by its value or with another."""
    if scope is Scope.BUCKET and method == GET and "list-type" in query:
        raise InvalidArgument("Invalid List Type specified in Query", "list-type", query["list-type"])
    if scope is Scope.OBJECT and method in (PUT, POST) and "partNumber" in query:
        raise InvalidArgument("The parameter uploadId must be given with partNumber", "uploadId", "")
    return match(method, scope, {}, headers)


def _present(selector: str, query: Mapping[str, str]) -> bool:
    name, equals, value = selector.partition("=")
    return name in query and (not equals or query[name] == value)
