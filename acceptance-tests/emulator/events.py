"""EventBridge: rules (their targets are part of them), and the events of AWS's own services."""

import datetime
import fnmatch
import json
import uuid

from . import rows
from .extend import after
from .rows import Kind

rows.add("events", [
    Kind("rule", "event_buses.*.rules", {"Name": "name"}, id="arn", label="name",
         tags=lambda backend, rule: backend.tagger.get_tag_dict_for_resource(rule.arn)),
])


def emit(account, region, source, detail_type, detail, resources=()):
    """An event of a service of AWS: it comes to the queues of the rules that it matches, if their policies let EventBridge in. Gives how
    many got it."""
    backends = account.backends()
    events, sqs = (backends.get(service, (None, {}))[1].get(region) for service in ("events", "sqs"))
    if not events or not sqs:
        return 0
    event = {
        "version": "0", "id": str(uuid.uuid4()), "detail-type": detail_type, "source": source, "account": account.id,
        "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "region": region,
        "resources": list(resources), "detail": detail}
    sent = 0
    for rule in events.event_buses["default"].rules.values():
        if rule.state != "ENABLED" or not rule.event_pattern._pattern or not rule.event_pattern.matches_event(event):
            continue
        for target in rule.targets:
            queue = next((queue for queue in sqs.queues.values() if queue.queue_arn == target["Arn"]), None)
            if queue and lets_in(queue, rule):
                sqs.send_message(queue.name, json.dumps(event))
                sent += 1
    return sent


def lets_in(queue, rule):
    """Whether the queue's policy allows EventBridge to send for this rule."""
    statements = json.loads(queue.policy)["Statement"] if queue.policy else []
    return any(
        one["Effect"] == "Allow" and "events.amazonaws.com" in services(one)
        and any(fnmatch.fnmatchcase("sqs:sendmessage", action.lower()) for action in rows.as_list(one["Action"]))
        and all(fnmatch.fnmatchcase(rule.arn, pattern) for pattern in source_arns(one))
        for one in rows.as_list(statements))


def services(statement):
    principal = statement.get("Principal", {})
    return rows.as_list(principal.get("Service", [])) if isinstance(principal, dict) else []


def source_arns(statement):
    conditions = statement.get("Condition", {}).values()
    return [pattern for values in conditions for name, value in values.items() if name.lower() == "aws:sourcearn"
            for pattern in rows.as_list(value)]


@after("ec2", "TerminateInstances")
def instances_are_gone(context, _result):
    for id in context.params["InstanceIds"]:
        emit(context.account, context.call.region, "aws.ec2", "EC2 Instance State-change Notification",
             {"instance-id": id, "state": "terminated"})
