"""Data Lifecycle Manager: a policy."""


def check(checker):
    dlm = checker.client("dlm")
    details = {"ResourceTypes": ["VOLUME"], "TargetTags": [{"Key": "a", "Value": "b"}],
               "Schedules": [{"Name": "daily", "CreateRule": {"Interval": 24, "IntervalUnit": "HOURS"}, "RetainRule": {"Count": 7}}]}
    id = dlm.create_lifecycle_policy(ExecutionRoleArn="arn:aws:iam::123456789012:role/dlm", Description="volumes", State="ENABLED",
                                     PolicyDetails=details, Tags={"a": "b"})["PolicyId"]
    dlm.update_lifecycle_policy(PolicyId=id, State="DISABLED")
    policy = dlm.get_lifecycle_policy(PolicyId=id)["Policy"]
    checker.same("a policy", (policy["State"], policy["Description"], policy["PolicyDetails"]), ("DISABLED", "volumes", details))
    checker.same("policies", [one["PolicyId"] for one in dlm.get_lifecycle_policies(State="DISABLED")["Policies"]], [id])
    checker.same("policies", dlm.get_lifecycle_policies(PolicyIds=["policy-0"])["Policies"], [])
    dlm.tag_resource(ResourceArn=policy["PolicyArn"], Tags={"c": "d"})
    dlm.untag_resource(ResourceArn=policy["PolicyArn"], TagKeys=["a"])
    checker.same("tags", dlm.list_tags_for_resource(ResourceArn=policy["PolicyArn"])["Tags"], {"c": "d"})
    checker.same("what exists", checker.exists("dlm"), [("lifecycle_policy", "volumes", {"c": "d"})])
    dlm.delete_lifecycle_policy(PolicyId=id)
    checker.refused(dlm.get_lifecycle_policy, "ResourceNotFoundException", PolicyId=id)
