"""ElastiCache: a replication group."""


def check(checker):
    cache = checker.client("elasticache")
    request = {"ReplicationGroupId": "one", "ReplicationGroupDescription": "d", "Engine": "valkey", "CacheNodeType": "cache.t4g.small"}
    made = cache.create_replication_group(**request, Tags=[{"Key": "a", "Value": "b"}])["ReplicationGroup"]
    group = lambda: cache.describe_replication_groups(ReplicationGroupId="one")["ReplicationGroups"][0]["Status"]  # noqa: E731
    checker.same("a new group", (made["Status"], group()), ("creating", "creating"))
    checker.refused(cache.create_replication_group, "ReplicationGroupAlreadyExists", **request)
    checker.refused(cache.delete_replication_group, "InvalidReplicationGroupState", ReplicationGroupId="one")
    checker.advance(361)
    checker.same("a group", group(), "available")
    checker.same("what exists", checker.exists("elasticache"), [("replication_group", "one", {"a": "b"})])
    cache.modify_replication_group(ReplicationGroupId="one", ReplicationGroupDescription="e")
    checker.same("a group", group(), "modifying")
    checker.advance(301)
    checker.same("a group", cache.delete_replication_group(ReplicationGroupId="one")["ReplicationGroup"]["Status"], "deleting")
    checker.same("a group", group(), "deleting")
    checker.advance(241)
    checker.refused(cache.describe_replication_groups, "ReplicationGroupNotFoundFault", ReplicationGroupId="one")
