"""What the scripted functions and the scripted Glue job do."""

FUNCTION = '''
import boto3, json, os, time
s3 = boto3.client("s3")

def keys(bucket, prefix):
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]

def handler(event, context):
    bucket, name = bucket_of(event), os.environ["NAME"]
    s3.put_object(Bucket=bucket, Key=f"calls/{name}/{time.time_ns()}", Body=json.dumps(event))
    answers = json.load(s3.get_object(Bucket=bucket, Key=f"answers/{name}.json")["Body"])
    answer = answers[min(len(keys(bucket, f"calls/{name}/")), len(answers)) - 1]
    if "raise" in answer:
        raise type(answer["raise"], (Exception,), {})(answer.get("message", ""))
    return aggregate(event) if answer["return"] == "aggregate" else answer["return"]

def bucket_of(event):
    return event["input"]["bucket"] if "input" in event else event["export"]["bucket"]

def aggregate(event):
    """What the real function does, with a group verified once it has run often enough."""
    bucket = bucket_of(event)
    needed = json.load(s3.get_object(Bucket=bucket, Key="needed-runs.json")["Body"])
    incomplete = [g for g in event["groups"] if len(keys(bucket, f"runs/{g['group']}/")) < needed.get(g["group"], 1)]
    names = ", ".join(group["group"] for group in incomplete)
    status = "INCOMPLETE" if incomplete else "COMPLETE"
    s3.put_object(Bucket=bucket, Key=f"summaries/{event['export']['export_id']}", Body=json.dumps(status))
    if incomplete and event["attempt"] == "retry" and not event["redriven"]:
        raise type("ExportIncompleteError", (Exception,), {})(f"still incomplete: {names}")
    return {
        "status": status, "scope": "full", "covers": "all tables; any age",
        "summary_uri": "s3://bucket/summary", "total_tables": 3, "total_rows": 4,
        "retry_groups": incomplete, "row_falls": 0, "catalog_problems": 0, "lacks_fernet_key": False,
        **json.load(s3.get_object(Bucket=bucket, Key="warnings.json")["Body"]),
        "alert": {"subject": f"{status} {event['attempt']}", "message": names or "all well"},
    }
'''

# botocore alone: boto3 would take as long again to import, a hundred and fifty times.
JOB = """
import botocore.session, json, sys, time
arguments, session = dict(zip(sys.argv[1::2], sys.argv[2::2])), botocore.session.get_session()
s3, group = session.create_client("s3"), arguments["--EXPORT_GROUP"]
bucket = arguments["--S3_OUTPUT_PATH"].split("/")[2]

def read(key):
    return json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])

def succeeded_iterations(state):
    arn = arguments["--EXECUTION_ARN"]
    client = session.create_client("stepfunctions", region_name=arn.split(":")[3])
    events = client.get_paginator("get_execution_history").paginate(executionArn=arn).search("events[]")
    return sum(event.get("mapIterationSucceededEventDetails", {}).get("name") == state for event in events)

failing = read(f"failing/{group}.json")
s3.put_object(Bucket=bucket, Key=f"failing/{group}.json", Body=json.dumps(failing - 1))
if failing == 1 and group in read("last-failure-after-a-sibling.json"):
    while not succeeded_iterations("Retry Failed Groups"):  # seen by the machine, not only by Glue
        time.sleep(0.1)
if failing > 0:
    raise RuntimeError(f"group {group} broke")
time.sleep(read("job-seconds.json"))
s3.put_object(Bucket=bucket, Key=f"runs/{group}/{arguments['--JOB_RUN_ID']}", Body=json.dumps(arguments))
"""
