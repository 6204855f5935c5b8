"""IAM: kinds of objects, and what moto lacks."""

from . import rows
from .extend import before
from .rows import Kind

rows.add("iam", [
    Kind("role", "roles", {"RoleName": "name"}, id="arn", label="name"),
    Kind("policy", "managed_policies", {"PolicyArn": "arn"}, id="arn", label="name", foreign=lambda policy: ":iam::aws:" in policy.arn),
    Kind("instance_profile", "instance_profiles", {"InstanceProfileName": "name"}, id="arn", label="name"),
    Kind("oidc_provider", "open_id_providers", {"OpenIDConnectProviderArn": "arn"}, id="arn", label="url"),
    Kind("user", "users", {"UserName": "name"}, id="arn", label="name"),
])


# moto lacks these.
@before("iam", "AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider")
def audiences(context):
    provider = context.backend.get_open_id_connect_provider(context.params["OpenIDConnectProviderArn"])
    others = [one for one in provider.client_id_list if one != context.params["ClientID"]]
    provider.client_id_list = others + [context.params["ClientID"]] * context.operation.startswith("Add")
    return {}


@before("iam", "RemoveRoleFromInstanceProfile")
def role_of_profile(context):
    """moto looks for the very object, which is another one where the role was read anew."""
    profile = context.backend.get_instance_profile(context.params["InstanceProfileName"])
    if any(role.name == context.params["RoleName"] for role in profile.roles):
        profile.roles = [role for role in profile.roles if role.name != context.params["RoleName"]]
        return {}
    return None
