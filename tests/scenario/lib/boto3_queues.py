"""
Drives queues through boto3 1.26, which speaks SQS's older query protocol: forms and XML. Usage:
boto3_queues.py ENDPOINT
"""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def expect_error(code, message, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert message in error.response["Error"]["Message"], error
        return error
    raise AssertionError(f"{code} expected")


def check_queue(sqs):
    url = sqs.create_queue(QueueName="boto3", Attributes={"VisibilityTimeout": "40"},
                           tags={"team": "a", "cost": "<&>"})["QueueUrl"]
    assert url.endswith("/000000000000/boto3"), url
    assert sqs.get_queue_url(QueueName="boto3")["QueueUrl"] == url
    assert sqs.list_queues(QueueNamePrefix="bo")["QueueUrls"] == [url]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="none")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0",
                                                       "VisibilityTimeout": "50"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "50", attributes
    assert attributes["QueueArn"] == "arn:aws:sqs:us-east-1:000000000000:boto3"
    sqs.tag_queue(QueueUrl=url, Tags={"more": "1"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"cost": "<&>", "more": "1"}
    expect_error("AWS.SimpleQueueService.NonExistentQueue", "does not exist", sqs.get_queue_url,
                 QueueName="none")
    expect_error("QueueAlreadyExists", "VisibilityTimeout", sqs.create_queue, QueueName="boto3",
                 Attributes={"VisibilityTimeout": "1"})
    expect_error("InvalidAttributeName", "Unknown Attribute X.", sqs.create_queue, QueueName="x",
                 Attributes={"X": "1"})
    return url


def check_messages(sqs, url):
    body = "grüße <&> \"quoted\"\r\n\t€ + 100% ]]>"
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes={
        "text": {"DataType": "String", "StringValue": "a&b"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01\xff"},
        "count": {"DataType": "Number", "StringValue": "12"}})
    message = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], WaitTimeSeconds=1,
                                  MessageAttributeNames=["All"])["Messages"][0]
    assert message["Body"] == body, message
    assert message["MessageId"] == sent["MessageId"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"]["bytes"]["BinaryValue"] == b"\x00\x01\xff", message
    assert message["MessageAttributes"]["text"]["StringValue"] == "a&b"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"],
                                  VisibilityTimeout=0)
    again = sqs.receive_message(QueueUrl=url)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    expect_error("ReceiptHandleIsInvalid", "not a valid", sqs.delete_message, QueueUrl=url,
                 ReceiptHandle="x")
    expect_error("InvalidMessageContents", "Invalid characters", sqs.send_message, QueueUrl=url,
                 MessageBody="a\x02")
    expect_error("InvalidParameterValue", "list values", sqs.send_message, QueueUrl=url, MessageBody="a",
                 MessageAttributes={"a": {"DataType": "String", "StringListValues": ["b"]}})
    expect_error("InvalidParameterValue", "system attribute 'X'", sqs.send_message, QueueUrl=url,
                 MessageBody="a",
                 MessageSystemAttributes={"X": {"DataType": "String", "StringValue": "b"}})


def check_batches(sqs, url):
    entries = [{"Id": f"e{i}", "MessageBody": f"m{i}", "MessageAttributes": {
        "i": {"DataType": "Number", "StringValue": str(i)}}} for i in range(9)]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=[
        *entries, {"Id": "bad", "MessageBody": "\x02"}])
    assert [one["Id"] for one in answer["Successful"]] == [f"e{i}" for i in range(9)], answer
    assert [one["Code"] for one in answer["Failed"]] == ["InvalidMessageContents"], answer
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert sorted(one["Body"] for one in messages) == [f"m{i}" for i in range(9)]
    changed = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[
        {"Id": one["MessageId"], "ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": 100}
        for one in messages])
    assert len(changed["Successful"]) == 9, changed
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[
        {"Id": one["MessageId"], "ReceiptHandle": one["ReceiptHandle"]} for one in messages])
    assert len(deleted["Successful"]) == 9, deleted
    sqs.purge_queue(QueueUrl=url)
    expect_error("AWS.SimpleQueueService.EmptyBatchRequest", "at least one",
                 sqs.delete_message_batch, QueueUrl=url, Entries=[])


def check_fifo(sqs):
    url = sqs.create_queue(QueueName="boto3.fifo", Attributes={
        "FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
    first = sqs.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="g")
    second = sqs.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="g")
    assert first["MessageId"] == second["MessageId"]
    assert first["SequenceNumber"] == second["SequenceNumber"]
    message = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"][0]
    assert message["Attributes"]["MessageGroupId"] == "g", message
    sqs.delete_queue(QueueUrl=url)


def check_resource(endpoint):
    options = {"endpoint_url": endpoint, "region_name": "us-east-1",
               "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    queue = boto3.resource("sqs", **options).create_queue(QueueName="boto3-resource")
    queue.send_message(MessageBody="x")
    for message in queue.receive_messages():
        assert message.body == "x"
        message.delete()
    queue.delete()


def main():
    endpoint = sys.argv[1]
    sqs = boto3.client("sqs", endpoint_url=endpoint, region_name="us-east-1",
                       aws_access_key_id="test", aws_secret_access_key="test",
                       config=Config(retries={"max_attempts": 0}))
    url = check_queue(sqs)
    check_messages(sqs, url)
    check_batches(sqs, url)
    check_fifo(sqs)
    check_resource(endpoint)
    sqs.delete_queue(QueueUrl=url)
    print("ok")


main()
