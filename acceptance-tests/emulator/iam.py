"""IAM: kinds of objects."""

from . import rows
from .rows import Kind

rows.add("iam", [
    Kind("role", "roles", {"RoleName": "name"}, id="arn", label="name"),
    Kind("policy", "managed_policies", {"PolicyArn": "arn"}, id="arn", label="name", foreign=lambda policy: ":iam::aws:" in policy.arn),
    Kind("instance_profile", "instance_profiles", {"InstanceProfileName": "name"}, id="arn", label="name"),
    Kind("oidc_provider", "open_id_providers", {"OpenIDConnectProviderArn": "arn"}, id="arn", label="url"),
    Kind("user", "users", {"UserName": "name"}, id="arn", label="name"),
])
