"""SQS: a queue and its messages, the waiting for one."""

import time


def check(checker):
    sqs = checker.client("sqs")
    attributes = {"MessageRetentionPeriod": "300", "SqsManagedSseEnabled": "true"}
    url = sqs.create_queue(QueueName="main", Attributes=attributes, tags={"a": "b"})["QueueUrl"]
    checker.same("by its name", sqs.get_queue_url(QueueName="main")["QueueUrl"], url)
    checker.same("queues", sqs.list_queues()["QueueUrls"], [url])
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sqs:*", "Principal": "*"}]}'
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "300"})
    said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    checker.same("attributes", {name: said[name] for name in (*attributes, "Policy")}, {**attributes, "Policy": policy})
    sqs.tag_queue(QueueUrl=url, Tags={"c": "d"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    checker.same("tags", sqs.list_queue_tags(QueueUrl=url)["Tags"], {"c": "d"})
    checker.same("what exists", checker.exists("sqs"), [("queue", "main", {"c": "d"})])
    began = time.monotonic()
    checker.same("no message", sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), None)
    checker.same("was waited for", time.monotonic() - began > 0.9, True)
    sqs.send_message(QueueUrl=url, MessageBody="it")
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    checker.same("a message", message["Body"], "it")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.delete_queue(QueueUrl=url)
    checker.refused(sqs.create_queue, "AWS.SimpleQueueService.QueueDeletedRecently", QueueName="main")
    checker.refused(sqs.get_queue_attributes, "AWS.SimpleQueueService.NonExistentQueue", QueueUrl=url)
