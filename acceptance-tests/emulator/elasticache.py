"""ElastiCache: replication groups."""

from . import rows
from .rows import GONE, Kind, Refuse, State

rows.add("elasticache", [
    Kind("replication_group", "replication_groups", {"ReplicationGroupId": "replication_group_id"}, id="arn",
         label="replication_group_id", state="status",
         tags=lambda backend, group: backend.tagging_service.get_tag_dict_for_resource(group.arn)),
    State("CreateReplicationGroup", "replication_group", "creating", 360, "available", failed=(360, "create-failed")),
    State("ModifyReplicationGroup", "replication_group", "modifying", 300, "available"),
    State("DeleteReplicationGroup", "replication_group", "deleting", 240, GONE),
    Refuse(["ModifyReplicationGroup", "DeleteReplicationGroup"], "InvalidReplicationGroupState",
           "Replication group {ReplicationGroupId} has status {status} which is not valid for this operation.", "replication_group",
           not_in=("available", "create-failed")),
])
