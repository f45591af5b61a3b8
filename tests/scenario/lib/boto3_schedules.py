"""Drives schedules through boto3. Usage: boto3_schedules.py ENDPOINT"""

import datetime
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/scheduler"


def client(endpoint, service):
    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1",
                        aws_access_key_id="test", aws_secret_access_key="test",
                        config=Config(retries={"max_attempts": 1}))


def check_debounce(scheduler, sqs):
    """An application's own debouncing: update, and create when there is nothing to update."""
    url = sqs.create_queue(QueueName="debounced")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for _ in range(20):
        due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        request = {
            "Name": "rebuild", "ScheduleExpression": due.strftime("at(%Y-%m-%dT%H:%M:%S)"),
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": arn, "RoleArn": ROLE, "Input": "{}"},
        }
        try:
            scheduler.update_schedule(**request)
        except scheduler.exceptions.ResourceNotFoundException:
            scheduler.create_schedule(**request)
    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert [message["Body"] for message in messages] == ["{}"], messages
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def check_definitions(scheduler):
    start = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    scheduler.create_schedule_group(Name="ops", Tags=[{"Key": "team", "Value": "a"}])
    answer = scheduler.create_schedule(
        Name="daily", GroupName="ops", ScheduleExpression="cron(0 9 * * ? *)", StartDate=start,
        ScheduleExpressionTimezone="America/New_York", State="DISABLED",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        Target={"Arn": "arn:aws:sqs:us-east-1:000000000000:q.fifo", "RoleArn": ROLE,
                "SqsParameters": {"MessageGroupId": "g"}})
    assert answer["ScheduleArn"].endswith(":schedule/ops/daily"), answer
    schedule = scheduler.get_schedule(Name="daily", GroupName="ops")
    assert schedule["StartDate"] == start, schedule
    assert schedule["Target"]["SqsParameters"] == {"MessageGroupId": "g"}, schedule
    assert schedule["State"] == "DISABLED", schedule
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName="ops")
    assert [one["Name"] for page in pages for one in page["Schedules"]] == ["daily"]
    arn = scheduler.get_schedule_group(Name="ops")["Arn"]
    scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "more", "Value": "1"}])
    scheduler.untag_resource(ResourceArn=arn, TagKeys=["team"])
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [
        {"Key": "more", "Value": "1"}]
    try:
        scheduler.create_schedule(
            Name="wrong", ScheduleExpression="cron(0 1 * * * *)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": "arn:aws:sqs:us-east-1:000000000000:q", "RoleArn": ROLE})
        raise AssertionError("it must be refused")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationException", error
        assert "Invalid Schedule Expression cron(0 1 * * * *)" in str(error), error
    scheduler.delete_schedule(Name="daily", GroupName="ops")
    scheduler.delete_schedule_group(Name="ops")


def main(endpoint):
    scheduler = client(endpoint, "scheduler")
    check_definitions(scheduler)
    check_debounce(scheduler, client(endpoint, "sqs"))


main(sys.argv[1])
