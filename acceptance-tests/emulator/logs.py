"""CloudWatch Logs: what exists."""

from .objects import lister


@lister("logs")
def existing(backend, _account):
    for group in backend.groups.values():
        yield "log_group", group.arn, group.name, dict(backend.tagger.get_tag_dict_for_resource(group.arn))
