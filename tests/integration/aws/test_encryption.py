"""Who reads or writes what a KMS key encrypts needs the key as well."""

import json
import uuid

import pytest

from tests.emulated_account import EVERYTHING, Account

WRITE = "boto3.client('s3').put_object(Bucket=bucket, Key='written', Body=b'x')"
READ = "boto3.client('s3').get_object(Bucket=bucket, Key='there')"
UPLOAD = """
s3, target = boto3.client('s3'), {'Bucket': bucket, 'Key': 'large'}
upload = s3.create_multipart_upload(**target)['UploadId']
tag = s3.upload_part(**target, UploadId=upload, PartNumber=1, Body=b'x')['ETag']
s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={'Parts': [{'PartNumber': 1, 'ETag': tag}]})
"""
GET_SECRET = "boto3.client('secretsmanager').get_secret_value(SecretId=bucket)"
PUT_SECRET = "boto3.client('secretsmanager').put_secret_value(SecretId=bucket, SecretString='new')"
PUBLISH = "boto3.client('sns').publish(TopicArn=f'arn:aws:sns:us-east-1:000000000000:{bucket}', Message='m')"


@pytest.fixture(scope="module")
def encrypted(account: Account) -> tuple[str, str]:
    """Name of a bucket, a secret and a topic, and the ARN of the key that encrypts them."""
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    bucket = account.bucket()
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3 = account.client("s3")
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket=bucket, Key="there", Body=b"x")
    account.client("secretsmanager").create_secret(Name=bucket, SecretString="old", KmsKeyId=key)
    account.client("sns").create_topic(Name=bucket, Attributes={"KmsMasterKeyId": key})
    return bucket, key


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        (WRITE, "kms:GenerateDataKey"),
        (READ, "kms:Decrypt"),
        (UPLOAD, "kms:Decrypt"),
        (GET_SECRET, "kms:Decrypt"),
        (PUT_SECRET, "kms:GenerateDataKey"),
        (PUBLISH, "kms:GenerateDataKey"),
        (PUBLISH, "kms:Decrypt"),
    ],
    ids=["write", "read", "multipart upload", "read secret", "write secret", "publish, encrypt", "publish, decrypt"],
)
def test_given_role_without_the_key_when_called_then_refused(
    account: Account, encrypted: tuple[str, str], code: str, needed: str
) -> None:
    bucket, key = encrypted
    lines = [f"bucket = {bucket!r}", *code.strip().splitlines()]
    function = "import boto3\ndef handler(event, context):\n" + "".join(f"    {line}\n" for line in lines)
    deny = {"Effect": "Deny", "Action": needed, "Resource": key}

    def call(*statements: dict[str, str]) -> tuple[str | None, str]:
        made = account.function(function, account.role("lambda", EVERYTHING, *statements))
        answer = account.client("lambda").invoke(FunctionName=made)
        return answer.get("FunctionError"), (json.load(answer["Payload"]) or {}).get("errorMessage", "")

    assert call() == (None, "")
    kind, message = call(deny)
    assert kind == "Unhandled"
    assert f"not authorized to perform: {needed} " in message


@pytest.mark.parametrize("has_bucket_key", [False, True])
def test_given_key_for_one_bucket_through_s3_when_called_then_allowed_there_alone(
    account: Account, has_bucket_key: bool
) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": has_bucket_key}]
    bucket, other = account.bucket(), account.bucket()
    for each in (bucket, other):
        configuration = {"Rules": rules}
        account.client("s3").put_bucket_encryption(Bucket=each, ServerSideEncryptionConfiguration=configuration)
    context = f"arn:aws:s3:::{bucket}" + ("" if has_bucket_key else "/written")
    condition = {
        "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": context},
    }
    through_s3 = {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": "*", "Condition": condition}
    role = account.role("lambda", {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}, through_s3)
    function = f"import boto3\ndef handler(bucket, context):\n    {WRITE}\n"
    made = account.function(function, role)

    def call(name: str) -> str:
        answer = account.client("lambda").invoke(FunctionName=made, Payload=json.dumps(name))
        return str((json.load(answer["Payload"]) or {}).get("errorMessage", ""))

    assert call(bucket) == ""
    assert "not authorized to perform: kms:GenerateDataKey " in call(other)


def test_given_template_with_encrypted_bucket_when_deployed_then_it_is_encrypted(account: Account) -> None:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]}}
    rules = [{"ServerSideEncryptionByDefault": default}]
    bucket = {"BucketEncryption": {"ServerSideEncryptionConfiguration": rules}}
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}
    resources = {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy}},
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": bucket},
    }
    name = f"stack-{uuid.uuid4().hex[:8]}"

    found = account.deploy(name, resources)

    configuration = account.client("s3").get_bucket_encryption(Bucket=found["Bucket"])
    [rule] = configuration["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"].endswith(f"key/{found['Key']}")
