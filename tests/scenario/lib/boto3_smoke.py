"""
Drives a DynamoDB endpoint through boto3, the older generation of AWS SDKs (it signs and encodes
differently from the JavaScript one). Usage: boto3_smoke.py ENDPOINT [--no-streams]
"""

import sys
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config
from botocore.exceptions import ClientError

TABLE = "b180-boto3"


def expect_error(code, message, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert message in error.response["Error"]["Message"], error
        return error
    raise AssertionError(f"{code} expected")


def check_items(table):
    item = {"pk": "a", "sk": Decimal(1), "text": "grüße", "list": [Decimal("1.5"), None, True],
            "map": {"x": b"\x00\xff"}, "tags": {"red", "blue"}, "numbers": {Decimal(1), Decimal("2.5")}}
    table.put_item(Item=item)
    got = table.get_item(Key={"pk": "a", "sk": 1}, ConsistentRead=True)["Item"]
    assert got["map"]["x"].value == b"\x00\xff"
    got["map"]["x"] = b"\x00\xff"
    assert got == item, got
    answer = table.update_item(
        Key={"pk": "a", "sk": 1}, UpdateExpression="SET #t = :t ADD hits :one", ReturnValues="UPDATED_NEW",
        ExpressionAttributeNames={"#t": "text"}, ExpressionAttributeValues={":t": "new", ":one": 1})
    assert answer["Attributes"] == {"text": "new", "hits": Decimal(1)}, answer
    expect_error("ConditionalCheckFailedException", "The conditional request failed", table.put_item,
                 Item={"pk": "a", "sk": 1}, ConditionExpression=Attr("pk").not_exists())
    expect_error("ValidationException", "Missing the key sk in the item", table.put_item, Item={"pk": "a"})


def check_queries(table):
    with table.batch_writer() as batch:
        for i in range(60):
            batch.put_item(Item={"pk": "many", "sk": i, "color": "red" if i % 3 == 0 else "blue"})
    got = table.query(KeyConditionExpression=Key("pk").eq("many") & Key("sk").between(10, 19),
                      ScanIndexForward=False)["Items"]
    assert [item["sk"] for item in got] == list(range(19, 9, -1))
    got = table.query(IndexName="by_color", KeyConditionExpression=Key("color").eq("red"))["Items"]
    assert [item["sk"] for item in got] == list(range(0, 60, 3))
    pages = table.meta.client.get_paginator("scan").paginate(
        TableName=TABLE, FilterExpression=Attr("color").eq("blue"), PaginationConfig={"PageSize": 7})
    assert sum(len(page["Items"]) for page in pages) == 40


def check_stream(session, config, endpoint, arn):
    streams = session.client("dynamodbstreams", endpoint_url=endpoint, config=config)
    names = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"],
                                              ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        records = streams.get_records(ShardIterator=iterator)["Records"]
        names += [record["eventName"] for record in records]
    assert names.count("INSERT") == 61 and names.count("MODIFY") == 1, names


def main():
    endpoint = sys.argv[1]
    with_stream = "--no-streams" not in sys.argv
    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test",
                                    region_name="us-east-1")
    config = Config(retries={"max_attempts": 1})
    resource = session.resource("dynamodb", endpoint_url=endpoint, config=config)
    stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
    table = resource.create_table(
        TableName=TABLE, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"},
                              {"AttributeName": "sk", "AttributeType": "N"},
                              {"AttributeName": "color", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[{"IndexName": "by_color", "Projection": {"ProjectionType": "ALL"},
                                 "KeySchema": [{"AttributeName": "color", "KeyType": "HASH"},
                                               {"AttributeName": "sk", "KeyType": "RANGE"}]}],
        **(stream if with_stream else {}))
    table.wait_until_exists()
    check_items(table)
    check_queries(table)
    if with_stream:
        table.reload()
        check_stream(session, config, endpoint, table.latest_stream_arn)
    table.delete()
    expect_error("ResourceNotFoundException", "not found", resource.meta.client.describe_table,
                 TableName="b180-absent")
    print("ok")


if __name__ == "__main__":
    main()
