"""KMS: keys. moto lets a key that waits for its deletion do everything."""

from . import rows
from .rows import Kind, Refuse

PENDING = {"states": ("PendingDeletion",)}
# KMS developer guide, "Key states of AWS KMS keys": what a key that is pending deletion cannot do.
REFUSED = ["CreateGrant", "DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation", "Encrypt", "Decrypt",
           "GenerateDataKey*", "PutKeyPolicy", "ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateKeyDescription"]

rows.add("kms", [
    Kind("key", "keys", {"KeyId": "id"}, id="arn", label="description", state="key_state", over=("PendingDeletion",),
         tags=lambda backend, key: backend.tagger.get_tag_dict_for_resource(key.id)),
    Refuse(REFUSED, "KMSInvalidStateException", "{arn} is pending deletion.", "key", **PENDING),
    Refuse(["CreateAlias", "UpdateAlias"], "KMSInvalidStateException", "{arn} is pending deletion.", "key", {"TargetKeyId": "id"}, **PENDING),
    Refuse("CancelKeyDeletion", "KMSInvalidStateException", "{arn} is not pending deletion.", "key", not_in=("PendingDeletion",)),
    Refuse("EnableKeyRotation", "DisabledException", "{arn} is disabled.", "key", states=("Disabled",)),
])
