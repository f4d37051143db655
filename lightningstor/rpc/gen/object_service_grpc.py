import purerpc
from lightningstor.rpc.gen import object_service_pb2 as lightningstor_dot_v1_dot_object_service__pb2
from lightningstor.rpc.gen import types_pb2 as lightningstor_dot_v1_dot_types__pb2


class ObjectServiceServicer(purerpc.Servicer):
    async def PutObject(self, input_message):
        raise NotImplementedError()

    async def GetObject(self, input_message):
        raise NotImplementedError()

    async def HeadObject(self, input_message):
        raise NotImplementedError()

    async def DeleteObject(self, input_message):
        raise NotImplementedError()

    async def DeleteObjects(self, input_message):
        raise NotImplementedError()

    async def CopyObject(self, input_message):
        raise NotImplementedError()

    async def ListObjects(self, input_message):
        raise NotImplementedError()

    async def ListObjectVersions(self, input_message):
        raise NotImplementedError()

    async def CreateMultipartUpload(self, input_message):
        raise NotImplementedError()

    async def UploadPart(self, input_messages):
        raise NotImplementedError()

    async def CompleteMultipartUpload(self, input_message):
        raise NotImplementedError()

    async def AbortMultipartUpload(self, input_message):
        raise NotImplementedError()

    async def ListMultipartUploads(self, input_message):
        raise NotImplementedError()

    async def ListParts(self, input_message):
        raise NotImplementedError()

    @property
    def service(self) -> purerpc.Service:
        service_obj = purerpc.Service(
            "lightningstor.v1.ObjectService"
        )
        service_obj.add_method(
            "PutObject",
            self.PutObject,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.PutObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.PutObjectResponse,
            )
        )
        service_obj.add_method(
            "GetObject",
            self.GetObject,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_STREAM,
                lightningstor_dot_v1_dot_object_service__pb2.GetObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.GetObjectResponse,
            )
        )
        service_obj.add_method(
            "HeadObject",
            self.HeadObject,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.HeadObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.HeadObjectResponse,
            )
        )
        service_obj.add_method(
            "DeleteObject",
            self.DeleteObject,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.DeleteObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.DeleteObjectResponse,
            )
        )
        service_obj.add_method(
            "DeleteObjects",
            self.DeleteObjects,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.DeleteObjectsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.DeleteObjectsResponse,
            )
        )
        service_obj.add_method(
            "CopyObject",
            self.CopyObject,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.CopyObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.CopyObjectResponse,
            )
        )
        service_obj.add_method(
            "ListObjects",
            self.ListObjects,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.ListObjectsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.ListObjectsResponse,
            )
        )
        service_obj.add_method(
            "ListObjectVersions",
            self.ListObjectVersions,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.ListObjectVersionsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.ListObjectVersionsResponse,
            )
        )
        service_obj.add_method(
            "CreateMultipartUpload",
            self.CreateMultipartUpload,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.CreateMultipartUploadRequest,
                lightningstor_dot_v1_dot_object_service__pb2.CreateMultipartUploadResponse,
            )
        )
        service_obj.add_method(
            "UploadPart",
            self.UploadPart,
            purerpc.RPCSignature(
                purerpc.Cardinality.STREAM_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.UploadPartRequest,
                lightningstor_dot_v1_dot_object_service__pb2.UploadPartResponse,
            )
        )
        service_obj.add_method(
            "CompleteMultipartUpload",
            self.CompleteMultipartUpload,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.CompleteMultipartUploadRequest,
                lightningstor_dot_v1_dot_object_service__pb2.CompleteMultipartUploadResponse,
            )
        )
        service_obj.add_method(
            "AbortMultipartUpload",
            self.AbortMultipartUpload,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.AbortMultipartUploadRequest,
                lightningstor_dot_v1_dot_object_service__pb2.AbortMultipartUploadResponse,
            )
        )
        service_obj.add_method(
            "ListMultipartUploads",
            self.ListMultipartUploads,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.ListMultipartUploadsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.ListMultipartUploadsResponse,
            )
        )
        service_obj.add_method(
            "ListParts",
            self.ListParts,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.ListPartsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.ListPartsResponse,
            )
        )
        return service_obj


class ObjectServiceStub:
    def __init__(self, channel):
        self._client = purerpc.Client(
            "lightningstor.v1.ObjectService",
            channel
        )
        self.PutObject = self._client.get_method_stub(
            "PutObject",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.PutObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.PutObjectResponse,
            )
        )
        self.GetObject = self._client.get_method_stub(
            "GetObject",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_STREAM,
                lightningstor_dot_v1_dot_object_service__pb2.GetObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.GetObjectResponse,
            )
        )
        self.HeadObject = self._client.get_method_stub(
            "HeadObject",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.HeadObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.HeadObjectResponse,
            )
        )
        self.DeleteObject = self._client.get_method_stub(
            "DeleteObject",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.DeleteObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.DeleteObjectResponse,
            )
        )
        self.DeleteObjects = self._client.get_method_stub(
            "DeleteObjects",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.DeleteObjectsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.DeleteObjectsResponse,
            )
        )
        self.CopyObject = self._client.get_method_stub(
            "CopyObject",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.CopyObjectRequest,
                lightningstor_dot_v1_dot_object_service__pb2.CopyObjectResponse,
            )
        )
        self.ListObjects = self._client.get_method_stub(
            "ListObjects",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.ListObjectsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.ListObjectsResponse,
            )
        )
        self.ListObjectVersions = self._client.get_method_stub(
            "ListObjectVersions",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.ListObjectVersionsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.ListObjectVersionsResponse,
            )
        )
        self.CreateMultipartUpload = self._client.get_method_stub(
            "CreateMultipartUpload",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.CreateMultipartUploadRequest,
                lightningstor_dot_v1_dot_object_service__pb2.CreateMultipartUploadResponse,
            )
        )
        self.UploadPart = self._client.get_method_stub(
            "UploadPart",
            purerpc.RPCSignature(
                purerpc.Cardinality.STREAM_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.UploadPartRequest,
                lightningstor_dot_v1_dot_object_service__pb2.UploadPartResponse,
            )
        )
        self.CompleteMultipartUpload = self._client.get_method_stub(
            "CompleteMultipartUpload",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.CompleteMultipartUploadRequest,
                lightningstor_dot_v1_dot_object_service__pb2.CompleteMultipartUploadResponse,
            )
        )
        self.AbortMultipartUpload = self._client.get_method_stub(
            "AbortMultipartUpload",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.AbortMultipartUploadRequest,
                lightningstor_dot_v1_dot_object_service__pb2.AbortMultipartUploadResponse,
            )
        )
        self.ListMultipartUploads = self._client.get_method_stub(
            "ListMultipartUploads",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.ListMultipartUploadsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.ListMultipartUploadsResponse,
            )
        )
        self.ListParts = self._client.get_method_stub(
            "ListParts",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_object_service__pb2.ListPartsRequest,
                lightningstor_dot_v1_dot_object_service__pb2.ListPartsResponse,
            )
        )