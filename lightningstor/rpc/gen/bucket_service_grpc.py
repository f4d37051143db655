import purerpc
from lightningstor.rpc.gen import bucket_service_pb2 as lightningstor_dot_v1_dot_bucket_service__pb2
import google.protobuf.empty_pb2 as google_dot_protobuf_dot_empty__pb2
from lightningstor.rpc.gen import types_pb2 as lightningstor_dot_v1_dot_types__pb2


class BucketServiceServicer(purerpc.Servicer):
    async def CreateBucket(self, input_message):
        raise NotImplementedError()

    async def HeadBucket(self, input_message):
        raise NotImplementedError()

    async def DeleteBucket(self, input_message):
        raise NotImplementedError()

    async def ListBuckets(self, input_message):
        raise NotImplementedError()

    async def GetBucketVersioning(self, input_message):
        raise NotImplementedError()

    async def PutBucketVersioning(self, input_message):
        raise NotImplementedError()

    async def GetBucketTagging(self, input_message):
        raise NotImplementedError()

    async def PutBucketTagging(self, input_message):
        raise NotImplementedError()

    async def DeleteBucketTagging(self, input_message):
        raise NotImplementedError()

    @property
    def service(self) -> purerpc.Service:
        service_obj = purerpc.Service(
            "lightningstor.v1.BucketService"
        )
        service_obj.add_method(
            "CreateBucket",
            self.CreateBucket,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.CreateBucketRequest,
                lightningstor_dot_v1_dot_types__pb2.Bucket,
            )
        )
        service_obj.add_method(
            "HeadBucket",
            self.HeadBucket,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.HeadBucketRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.HeadBucketResponse,
            )
        )
        service_obj.add_method(
            "DeleteBucket",
            self.DeleteBucket,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.DeleteBucketRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.DeleteBucketResponse,
            )
        )
        service_obj.add_method(
            "ListBuckets",
            self.ListBuckets,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.ListBucketsRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.ListBucketsResponse,
            )
        )
        service_obj.add_method(
            "GetBucketVersioning",
            self.GetBucketVersioning,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.GetBucketVersioningRequest,
                lightningstor_dot_v1_dot_types__pb2.VersioningConfig,
            )
        )
        service_obj.add_method(
            "PutBucketVersioning",
            self.PutBucketVersioning,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.PutBucketVersioningRequest,
                lightningstor_dot_v1_dot_types__pb2.VersioningConfig,
            )
        )
        service_obj.add_method(
            "GetBucketTagging",
            self.GetBucketTagging,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.GetBucketTaggingRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.BucketTagging,
            )
        )
        service_obj.add_method(
            "PutBucketTagging",
            self.PutBucketTagging,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.PutBucketTaggingRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.BucketTagging,
            )
        )
        service_obj.add_method(
            "DeleteBucketTagging",
            self.DeleteBucketTagging,
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.DeleteBucketTaggingRequest,
                google_dot_protobuf_dot_empty__pb2.Empty,
            )
        )
        return service_obj


class BucketServiceStub:
    def __init__(self, channel):
        self._client = purerpc.Client(
            "lightningstor.v1.BucketService",
            channel
        )
        self.CreateBucket = self._client.get_method_stub(
            "CreateBucket",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.CreateBucketRequest,
                lightningstor_dot_v1_dot_types__pb2.Bucket,
            )
        )
        self.HeadBucket = self._client.get_method_stub(
            "HeadBucket",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.HeadBucketRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.HeadBucketResponse,
            )
        )
        self.DeleteBucket = self._client.get_method_stub(
            "DeleteBucket",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.DeleteBucketRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.DeleteBucketResponse,
            )
        )
        self.ListBuckets = self._client.get_method_stub(
            "ListBuckets",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.ListBucketsRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.ListBucketsResponse,
            )
        )
        self.GetBucketVersioning = self._client.get_method_stub(
            "GetBucketVersioning",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.GetBucketVersioningRequest,
                lightningstor_dot_v1_dot_types__pb2.VersioningConfig,
            )
        )
        self.PutBucketVersioning = self._client.get_method_stub(
            "PutBucketVersioning",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.PutBucketVersioningRequest,
                lightningstor_dot_v1_dot_types__pb2.VersioningConfig,
            )
        )
        self.GetBucketTagging = self._client.get_method_stub(
            "GetBucketTagging",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.GetBucketTaggingRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.BucketTagging,
            )
        )
        self.PutBucketTagging = self._client.get_method_stub(
            "PutBucketTagging",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.PutBucketTaggingRequest,
                lightningstor_dot_v1_dot_bucket_service__pb2.BucketTagging,
            )
        )
        self.DeleteBucketTagging = self._client.get_method_stub(
            "DeleteBucketTagging",
            purerpc.RPCSignature(
                purerpc.Cardinality.UNARY_UNARY,
                lightningstor_dot_v1_dot_bucket_service__pb2.DeleteBucketTaggingRequest,
                google_dot_protobuf_dot_empty__pb2.Empty,
            )
        )