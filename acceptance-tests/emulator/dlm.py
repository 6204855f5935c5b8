"""Data Lifecycle Manager, which moto lacks: policies."""

from . import rows
from .rows import NOW, Stored, Tagging

rows.add("dlm", [
    Stored("lifecycle_policy", named={"PolicyId": "PolicyId", "PolicyIds": "PolicyId"}, id="PolicyArn", label="Description",
           state="State", tags="Tags", makes="CreateLifecyclePolicy", shows="GetLifecyclePolicy", lists="GetLifecyclePolicies",
           changes="UpdateLifecyclePolicy", removes="DeleteLifecyclePolicy", defaults={"Tags": {}},
           adds={"PolicyId": "policy-{uuid}", "PolicyArn": "arn:{partition}:dlm:{region}:{account}:policy/policy-{uuid}",
                 "DateCreated": NOW, "DateModified": NOW},
           absent=("ResourceNotFoundException", "Policies {PolicyId} was not found.")),
    Tagging(arn="ResourceArn", tags="Tags", keys="TagKeys"),
])
