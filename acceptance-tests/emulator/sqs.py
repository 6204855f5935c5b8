"""SQS: queues. moto waits for messages while it holds everything up; here who waits holds nothing."""

import copy
import time
from threading import Condition

from moto.sqs.models import Queue, SQSBackend
from moto.sqs.models import sqs_backends

from . import rows
from .extend import after, before, error
from .rows import Kind

# Real seconds between two looks of who waits for a message.
LOOK = 0.1
# SQS API, CreateQueue: AWS seconds for which the name of a deleted queue cannot be had.
NAME_IS_KEPT = 60

rows.add("sqs", [Kind("queue", "queues", {"QueueName": "name"}, id="queue_arn", label="name")])


def wait(call):
    """Until there is a message, for as long as the call says (or its queue): before the call is carried out, outside of the lock."""
    queue = sqs_backends[call.account_id][call.region].queues.get(str(call.params.get("QueueUrl", "")).rsplit("/", 1)[-1])
    if queue is None:
        return
    until = time.monotonic() + call.params.get("WaitTimeSeconds", queue.receive_message_wait_time_seconds)
    while time.monotonic() < until and not any(message.visible for message in list(queue._messages)):
        time.sleep(LOOK)


_receive_message = SQSBackend.receive_message


def receive_message(self, queue_name, count, wait_seconds_timeout, *rest, **more):
    return _receive_message(self, queue_name, count, 0, *rest, **more)


SQSBackend.receive_message = receive_message


_set_attributes = Queue._set_attributes


def set_attributes(self, attributes, now=None):
    """moto takes the policy away when other attributes are set."""
    policy = self.__dict__.get("_policy_json")
    _set_attributes(self, attributes, now)
    if policy is not None and "Policy" not in attributes:
        self._policy_json = policy


Queue._set_attributes = set_attributes


def copy_queue(self, memo):
    """moto's holds a lock, which cannot be copied."""
    new = self.__class__.__new__(self.__class__)
    memo[id(self)] = new
    new.__dict__ = {name: Condition() if name == "_messages_lock" else copy.deepcopy(value, memo) for name, value in self.__dict__.items()}
    return new


Queue.__deepcopy__ = copy_queue


@after("sqs", "DeleteQueue")
def queue_deleted(context, _result):
    context.account.table("deleted queues")[context.call.region, context.params["QueueUrl"].rsplit("/", 1)[-1]] = context.now()


@before("sqs", "CreateQueue")
def name_is_free(context):
    at = context.account.table("deleted queues").get((context.call.region, context.params["QueueName"]))
    if at is not None and context.now() - at < NAME_IS_KEPT:
        raise error("sqs", "AWS.SimpleQueueService.QueueDeletedRecently",
                    "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
