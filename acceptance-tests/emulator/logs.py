"""CloudWatch Logs: kinds of objects, and the group that EKS makes again."""

from . import rows
from .extend import after
from .lifecycle import entered
from .rows import Kind

rows.add("logs", [
    Kind("log_group", "groups", {"logGroupName": "name"}, id="arn", label="name",
         tags=lambda backend, group: backend.tagger.get_tag_dict_for_resource(group.arn)),
])


@after("logs", "DeleteLogGroup")
def last_logs_come(context, _result):
    """Once, five seconds later, where the cluster is gone (terraform-aws-modules/terraform-aws-eks#2763)."""
    eks, name = context.backend_of("eks"), context.params["logGroupName"]
    ended = getattr(eks, "ekb_ended", set())
    if name in ended:
        ended.discard(name)
        key = ("logs", context.call.region, "log_group", name)
        context.account.table("to come")[key] = {
            "at": context.now() + 5, "chain": ["made again"], "backend": context.backend, "thing": {"name": name}, "failure": None}


@entered("logs", "log_group", "made again")
def made_again(backend, group):
    if group["name"] not in backend.groups:
        made = backend.create_log_group(group["name"], {})
        backend.tagger.delete_all_tags_for_resource(made.arn)  # moto keeps those of the one before
