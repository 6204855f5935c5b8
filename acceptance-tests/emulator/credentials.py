"""Credentials that AWS would not take: access keys that begin with AKIAINVALID or AKIAEXPIRED, and sessions of a role that is gone."""

from . import sts

# The secret of the access keys that the rig gives out with accounts (`Account::secret_key`): it must never appear in any output.
SECRET_KEY = "ekbSecretThatMustNeverAppear0123456789ab"


def refusal(call):
    """(code, status, message), or None for good credentials."""
    key = call.access_key or ""
    role, id = call.account.sessions.get(key, (None, None))
    if key.startswith("AKIAINVALID") or (role and sts.principal_id(role) != id):
        if call.service == "ec2":
            return "AuthFailure", 401, "AWS was not able to validate the provided access credentials"
        return code(call, "InvalidClientTokenId", "UnrecognizedClientException"), 403, (
            "The security token included in the request is invalid.")
    if key.startswith("AKIAEXPIRED"):
        if call.service == "ec2":
            return "RequestExpired", 400, "Request has expired."
        return code(call, "ExpiredToken", "ExpiredTokenException"), 403, "The security token included in the request is expired"
    return None


def code(call, query, json):
    return query if call.protocol in ("query", "rest-xml") else json
