"""IAM: what exists."""

from .objects import lister


@lister("iam")
def existing(backend, _account):
    for role in backend.roles.values():
        yield "role", role.arn, role.name, tags_of(role)
    for policy in backend.managed_policies.values():
        if not policy.arn.startswith(f"arn:{backend.partition}:iam::aws:"):
            yield "policy", policy.arn, policy.name, tags_of(policy)
    for profile in backend.instance_profiles.values():
        yield "instance_profile", profile.arn, profile.name, tags_of(profile)
    for arn, provider in backend.open_id_providers.items():
        yield "oidc_provider", arn, provider.url, tags_of(provider)
    for user in backend.users.values():
        yield "user", user.arn, user.name, {}


def tags_of(thing):
    tags = getattr(thing, "tags", None) or {}
    if isinstance(tags, dict):
        return {k: v["Value"] if isinstance(v, dict) else v for k, v in tags.items()}
    return {t["Key"]: t["Value"] for t in tags}
