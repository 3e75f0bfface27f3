"""What CloudFormation sends to a custom resource."""

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/export/1"
OTHER_STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/2"
PROPERTIES = {
    "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:publish",
    "Bucket": "exports-bucket",
    "Prefix": "assets/glue",
    "GluePython": "3.11",
    "DagBucket": "",
    "DagKey": "dags/mwaa_metadata_export.py",
    "Build": "7",
}
WITH_DAG = {**PROPERTIES, "DagBucket": "dag-bucket"}


def request_for(kind: str, properties: dict | None = None, resource_id: str = "", stack: str = STACK) -> dict:
    """Return a request."""
    event = {
        "RequestType": kind,
        "ResponseURL": "https://cloudformation.example/answer?signature=SIGNATURE",
        "StackId": stack,
        "RequestId": "request-1",
        "ResourceType": "Custom::PublishedAssets",
        "LogicalResourceId": "PublishedAssets",
        "ResourceProperties": PROPERTIES if properties is None else properties,
    }
    return {**event, "PhysicalResourceId": resource_id} if resource_id else event
