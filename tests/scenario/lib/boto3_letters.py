"""
Receives the dead letters of the dashboard through boto3 1.26, which speaks SQS's older query
protocol, prints the source ids of their records, and deletes them. Usage: boto3_letters.py ENDPOINT
"""

import json
import sys

import boto3


def main(endpoint):
    sqs = boto3.client("sqs", endpoint_url=endpoint, region_name="us-east-1",
                       aws_access_key_id="x", aws_secret_access_key="y")
    url = sqs.get_queue_url(QueueName="dashboard-dead-letters")["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=10,
                                   AttributeNames=["All"])["Messages"]
    for message in messages:
        letter = json.loads(message["Body"])
        assert letter["requestContext"]["condition"] == "RecordRejected", letter
        assert letter["DDBStreamBatchInfo"]["batchSize"] == 1, letter
        record = letter["payload"]["Records"][0]
        assert record["eventSource"] == "aws:dynamodb", record
        assert record["dynamodb"]["SequenceNumber"] == letter["sequence"], letter
        print(record["dynamodb"]["NewImage"]["source_id"]["S"])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
