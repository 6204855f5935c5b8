"""KMS: a key from making to its scheduled deletion, and back."""


def check(checker):
    kms = checker.client("kms")
    key = kms.create_key(Description="secrets", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/one", TargetKeyId=key)
    checker.refused(kms.create_alias, "AlreadyExistsException", AliasName="alias/one", TargetKeyId=key)
    checker.same("by its alias", kms.describe_key(KeyId="alias/one")["KeyMetadata"]["KeyId"], key)
    checker.same("aliases", [one["AliasName"] for one in kms.list_aliases(KeyId=key)["Aliases"]], ["alias/one"])
    checker.same("keys", [one["KeyId"] for one in kms.list_keys()["Keys"]], [key])
    kms.enable_key_rotation(KeyId=key)
    checker.same("rotation", kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], True)
    kms.update_key_description(KeyId=key, Description="logs")
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "c", "TagValue": "d"}])
    kms.untag_resource(KeyId=key, TagKeys=["a"])
    checker.same("tags", kms.list_resource_tags(KeyId=key)["Tags"], [{"TagKey": "c", "TagValue": "d"}])
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    checker.same("what exists", checker.exists("kms"), [("key", "logs", {"c": "d"})])

    checker.refused(kms.cancel_key_deletion, "KMSInvalidStateException", KeyId=key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    checker.same("what exists", checker.exists("kms"), [])
    checker.same("a key in its window", kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "PendingDeletion")
    checker.same("its alias", kms.describe_key(KeyId="alias/one")["KeyMetadata"]["KeyId"], key)
    for refused, parameters in [(kms.enable_key, {}), (kms.schedule_key_deletion, {}), (kms.enable_key_rotation, {}),
                                (kms.disable_key_rotation, {}), (kms.disable_key, {}), (kms.put_key_policy, {"PolicyName": "default", "Policy": policy}),
                                (kms.tag_resource, {"Tags": []}), (kms.untag_resource, {"TagKeys": ["c"]}),
                                (kms.update_key_description, {"Description": "x"})]:
        checker.refused(refused, "KMSInvalidStateException", KeyId=key, **parameters)
    for operation in ("Encrypt", "Decrypt", "CreateGrant"):
        checker.called_elsewhere("kms", operation)
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    checker.refused(kms.update_alias, "KMSInvalidStateException", AliasName="alias/one", TargetKeyId=key)
    kms.update_alias(AliasName="alias/one", TargetKeyId=other)
    kms.delete_alias(AliasName="alias/one")
    kms.cancel_key_deletion(KeyId=key)
    checker.refused(kms.enable_key_rotation, "DisabledException", KeyId=key)
    kms.enable_key(KeyId=key)
    kms.disable_key_rotation(KeyId=key)
    kms.disable_key(KeyId=key)
    for id in (key, other):
        kms.schedule_key_deletion(KeyId=id)
    checker.refused(kms.describe_key, "NotFoundException", KeyId="00000000-0000-0000-0000-000000000000")
