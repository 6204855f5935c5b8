"""Client tokens: the same token gives the same object again (dead or alive); with other parameters, an error."""

import json

from moto.core.utils import get_service_model

from . import services
from .extend import error


class Token:
    def __init__(self, context):
        self.account, self.service, self.key = context.account, context.service, None
        member = token_member(context.service, context.operation)
        value = context.params.get(member) if member else None
        if value:
            self.key = (context.service, context.call.region, context.operation, value)
            # As a text, which a copy of the account has with its own id.
            rest = {k: v for k, v in context.params.items() if k != member}
            self.rest = json.dumps(rest, sort_keys=True, default=str)

    def remembered(self):
        if self.key is None:
            return None
        known = self.account.table("tokens").get(self.key)
        if known is None:
            return None
        rest, result = known
        if rest != self.rest:
            mismatch = services.of(self.service).mismatch
            raise error(self.service, mismatch, "The request uses the same client token as a previous, but non-identical request.")
        return result

    def remember(self, result):
        # The result holds moto's own objects, so that a repeated call shows what has become of them.
        if self.key is not None and result is not None:
            self.account.table("tokens")[self.key] = (self.rest, result)


def token_member(service, operation):
    shape = get_service_model(service).operation_model(operation).input_shape
    for name, member in (shape.members if shape else {}).items():
        if member.metadata.get("idempotencyToken") or name in ("ClientToken", "clientRequestToken", "creatorRequestId"):
            return name
    return None
