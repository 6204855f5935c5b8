"""EventBridge: a rule and its target, through which an event comes to a queue."""

import json


def check(checker):
    events, sqs = checker.client("events"), checker.client("sqs")
    pattern = json.dumps({"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]})
    arn = events.put_rule(Name="spot", EventPattern=pattern, State="ENABLED", Tags=[{"Key": "a", "Value": "b"}])["RuleArn"]
    rule = events.describe_rule(Name="spot")
    checker.same("a rule", (rule["Arn"], json.loads(rule["EventPattern"]), rule["State"]), (arn, json.loads(pattern), "ENABLED"))
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "c", "Value": "d"}])
    events.untag_resource(ResourceARN=arn, TagKeys=["a"])
    checker.same("tags", events.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "c", "Value": "d"}])
    checker.same("what exists", checker.exists("events"), [("rule", "spot", {"c": "d"})])

    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    target = {"Id": "queue", "Arn": sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]}
    events.put_targets(Rule="spot", Targets=[target])
    checker.same("targets", events.list_targets_by_rule(Rule="spot")["Targets"], [target])
    checker.refused(events.delete_rule, "ValidationException", Name="spot")
    events.remove_targets(Rule="spot", Ids=["queue"])
    events.delete_rule(Name="spot")
    checker.refused(events.describe_rule, "ResourceNotFoundException", Name="spot")
    sqs.delete_queue(QueueUrl=url)
