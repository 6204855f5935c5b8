"""EventBridge: rules; their targets are part of them."""

from . import rows
from .rows import Kind

rows.add("events", [
    Kind("rule", "event_buses.*.rules", {"Name": "name"}, id="arn", label="name",
         tags=lambda backend, rule: backend.tagger.get_tag_dict_for_resource(rule.arn)),
])
