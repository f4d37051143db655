import purerpc
from lightningstor.rpc.gen import aegis_iam_pb2 as aegis_dot_v1_dot_iam__pb2


class IamServiceServicer(purerpc.Servicer):
    async def Authorize(self, input_message):
        raise NotImplementedError()

    @property
    def service(self) -> purerpc.Service:
        service_obj = purerpc.Service(
            "aegis.v1.IamService"
        )
        service_obj.add_method(
            "Authorize",
            self.Authorize,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                aegis_dot_v1_dot_iam__pb2.AuthorizeRequest,
                aegis_dot_v1_dot_iam__pb2.AuthorizeResponse,
            )
        )
        return service_obj


class IamServiceStub:
    def __init__(self, channel):
        self._client = purerpc.Client(
            "aegis.v1.IamService",
            channel
        )
        self.Authorize = self._client.get_method_stub(
            "Authorize",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                aegis_dot_v1_dot_iam__pb2.AuthorizeRequest,
                aegis_dot_v1_dot_iam__pb2.AuthorizeResponse,
            )
        )