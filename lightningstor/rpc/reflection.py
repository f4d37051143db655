"""Server reflection, v1 and v1alpha: which services there are, and their descriptors (grpcurl, Postman, evans)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import ModuleType
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import Default

from lightningstor.rpc.gen import grpc_reflection_v1_pb2, grpc_reflection_v1alpha_pb2
from lightningstor.rpc.gen.grpc_reflection_v1_grpc import ServerReflectionServicer
from lightningstor.rpc.gen.grpc_reflection_v1alpha_grpc import ServerReflectionServicer as AlphaServicer
from lightningstor.rpc.status import StatusCode

__all__ = ["Reflection", "ReflectionAlpha"]


class _Answers:
    """Both versions' messages are alike but for their package."""

    def __init__(self, messages: ModuleType, services: Sequence[str]) -> None:
        self._messages = messages
        self._services = services

    async def stream(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """An answer to each request, in turn."""
        async for request in requests:
            yield self._answer(request)

    def _answer(self, request: Any) -> Any:
        answer = self._messages.ServerReflectionResponse(valid_host=request.host, original_request=request)
        asked = request.WhichOneof("message_request")
        try:
            if asked == "list_services":
                for name in self._services:
                    answer.list_services_response.service.add(name=name)
            elif asked == "file_by_filename":
                self._add_files(answer, Default().FindFileByName(request.file_by_filename))
            elif asked == "file_containing_symbol":
                self._add_files(answer, Default().FindFileContainingSymbol(request.file_containing_symbol))
            else:
                self._fail(answer, StatusCode.NOT_FOUND, "there are no extensions here")
        except KeyError:
            self._fail(answer, StatusCode.NOT_FOUND, f"there is no {getattr(request, asked)}")
        return answer

    def _add_files(self, answer: Any, file: FileDescriptor) -> None:
        """The file and all that it imports, each once."""
        seen: dict[str, bytes] = {}

        def visit(descriptor: FileDescriptor) -> None:
            if descriptor.name not in seen:
                seen[descriptor.name] = descriptor.serialized_pb
                for imported in descriptor.dependencies:
                    visit(imported)

        visit(file)
        answer.file_descriptor_response.file_descriptor_proto.extend(seen.values())

    def _fail(self, answer: Any, code: StatusCode, message: str) -> None:
        answer.error_response.error_code = int(code)
        answer.error_response.error_message = message


class Reflection(ServerReflectionServicer):
    """grpc.reflection.v1."""

    def __init__(self, services: Sequence[str]) -> None:
        self._answers = _Answers(grpc_reflection_v1_pb2, services)

    def ServerReflectionInfo(  # type: ignore[override]
        self, input_messages: AsyncIterator[Any]
    ) -> AsyncIterator[Any]:
        """Answer each request of the stream."""
        return self._answers.stream(input_messages)


class ReflectionAlpha(AlphaServicer):
    """grpc.reflection.v1alpha, which older tools still ask."""

    def __init__(self, services: Sequence[str]) -> None:
        self._answers = _Answers(grpc_reflection_v1alpha_pb2, services)

    def ServerReflectionInfo(  # type: ignore[override]
        self, input_messages: AsyncIterator[Any]
    ) -> AsyncIterator[Any]:
        """Answer each request of the stream."""
        return self._answers.stream(input_messages)
