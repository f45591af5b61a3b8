"""Handlers of the scenario tests, in Python."""

import logging
import os
import sys
import time

import helpers.greeting

log = logging.getLogger()
log.setLevel(logging.INFO)


def echo(event, context):
    print("event", event)
    log.info("logged %s", event)
    return {
        "event": event,
        "pid": os.getpid(),
        "greeting": helpers.greeting.TEXT,
        "context": {
            "request_id": context.aws_request_id,
            "function_name": context.function_name,
            "function_version": context.function_version,
            "memory": context.memory_limit_in_mb,
            "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis(),
            "custom": context.client_context and context.client_context.custom,
            "title": context.client_context and context.client_context.client.app_title,
            "installation": context.client_context and context.client_context.client.installation_id,
            "runs_in": os.environ["AWS_EXECUTION_ENV"],
            "cognito": context.identity.cognito_identity_id,
        },
    }


def fails(event, context):
    raise KeyError("no such thing")


def exits(event, context):
    sys.exit(event["code"])


def sleeps(event, context):
    time.sleep(event["seconds"])


def returns_a_set(event, context):
    return {1, 2}


def uses_its_table(event, context):
    """Write and read an item with boto3 as it is: weir is found through the environment."""
    import boto3
    table = boto3.resource("dynamodb").Table("things")
    table.put_item(Item={"id": event["id"], "by": "python"})
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="notes")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=event["id"])
    return table.get_item(Key={"id": event["id"]})["Item"]
