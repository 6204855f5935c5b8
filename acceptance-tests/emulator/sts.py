"""STS: who calls. moto calls whoever it does not know `arn:aws:sts::…:user/moto`, which AWS never says."""

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from .extend import after


def identity(account_id, access_key, partition="aws"):
    """As GetCallerIdentity answers it: Account, Arn, UserId."""
    user_id, arn, account_id = sts_backends[account_id][partition].get_caller_identity(access_key, "us-east-1")
    if arn.endswith(":user/moto"):
        # The access key that the rig gave out with the account.
        arn, user_id = f"arn:{partition}:iam::{account_id}:user/rig", rig_user(account_id)
    return {"Account": account_id, "Arn": arn, "UserId": user_id}


def rig_user(account_id):
    return f"AIDA{account_id}EKBT"


@after("sts", "GetCallerIdentity")
def caller_identity(context, _result):
    return identity(context.account.id, context.call.access_key, context.backend.partition)


def principal_id(arn):
    """The unique id of a role or user, by which AWS knows it again: one made anew under the same name has another. None where there is
    no such principal."""
    _, partition, _, _, account_id, resource = arn.split(":", 5)
    if resource == "user/rig":
        return rig_user(account_id)
    backend = iam_backends[account_id][partition]
    return next((one.id for one in [*backend.roles.values(), *backend.users.values()] if one.arn == arn), None)
