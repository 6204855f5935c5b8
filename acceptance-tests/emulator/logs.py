"""CloudWatch Logs: kinds of objects."""

from . import rows
from .rows import Kind

rows.add("logs", [
    Kind("log_group", "groups", {"logGroupName": "name"}, id="arn", label="name",
         tags=lambda backend, group: backend.tagger.get_tag_dict_for_resource(group.arn)),
])
