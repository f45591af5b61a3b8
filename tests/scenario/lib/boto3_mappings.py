"""Event source mappings by boto3: arguments are weir's endpoint and the ARN of a stream."""

import sys
import time

import boto3

endpoint, stream = sys.argv[1:]
client = boto3.client(
    "lambda", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
)


def settled(uuid, state):
    until = time.monotonic() + 30
    while client.get_event_source_mapping(UUID=uuid)["State"] != state:
        assert time.monotonic() < until, f"it does not become {state}"


made = client.create_event_source_mapping(
    EventSourceArn=stream, FunctionName="f", StartingPosition="LATEST", BatchSize=10,
    FilterCriteria={"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
)
uuid = made["UUID"]
assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
assert made["BatchSize"] == 10 and made["State"] == "Creating"
settled(uuid, "Enabled")
arn = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"  # older boto3 does not tell it
client.tag_resource(Resource=arn, Tags={"team": "b", "more": "1", "b c": "<&>"})
client.untag_resource(Resource=arn, TagKeys=["more", "b c"])
assert client.list_tags(Resource=arn)["Tags"] == {"team": "b"}
changed = client.update_event_source_mapping(UUID=uuid, Enabled=False, FilterCriteria={"Filters": []})
assert changed["State"] == "Disabling" and "FilterCriteria" not in changed
settled(uuid, "Disabled")
listed = list(client.get_paginator("list_event_source_mappings").paginate(FunctionName="f").search("EventSourceMappings"))
assert [m["UUID"] for m in listed] == [uuid]
assert client.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
