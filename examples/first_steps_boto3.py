"""First steps with boto3. The endpoint and the keys come from the environment, as for every AWS tool:

    AWS_ENDPOINT_URL=http://127.0.0.1:9000 AWS_DEFAULT_REGION=us-east-1 \\
    AWS_ACCESS_KEY_ID=lightningstor AWS_SECRET_ACCESS_KEY=lightningstor-secret python examples/first_steps_boto3.py
"""

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")

s3.create_bucket(Bucket="first-steps")
s3.put_object(Bucket="first-steps", Key="greeting", Body=b"Hello", Metadata={"mood": "good"})
print(s3.get_object(Bucket="first-steps", Key="greeting")["Body"].read().decode())

# A lock: of many who try, one creates the key.
for name in ("first", "second"):
    try:
        s3.put_object(Bucket="first-steps", Key="lock", Body=name.encode(), IfNoneMatch="*")
        print(name, "has the lock")
    except ClientError as error:
        print(name, "was too late:", error.response["Error"]["Code"])

# A link for somebody without keys, good for a minute.
print(s3.generate_presigned_url("get_object", {"Bucket": "first-steps", "Key": "greeting"}, ExpiresIn=60))

for entry in s3.list_objects_v2(Bucket="first-steps")["Contents"]:
    print(entry["Key"], entry["Size"])
    s3.delete_object(Bucket="first-steps", Key=entry["Key"])
s3.delete_bucket(Bucket="first-steps")
