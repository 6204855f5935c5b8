"""Amazon MQ: a broker."""


def check(checker):
    mq = checker.client("mq")
    request = {"BrokerName": "one", "EngineType": "RABBITMQ", "EngineVersion": "3.13", "HostInstanceType": "mq.m5.large",
               "DeploymentMode": "SINGLE_INSTANCE", "PubliclyAccessible": False, "AutoMinorVersionUpgrade": True,
               "CreatorRequestId": "t", "Users": [{"Username": "admin", "Password": "a-long-password"}], "Tags": {"a": "b"}}
    broker = mq.create_broker(**request)["BrokerId"]
    checker.same("the same token", mq.create_broker(**request)["BrokerId"], broker)
    checker.refused(mq.create_broker, "ConflictException", **{**request, "EngineVersion": "4.2"})
    checker.refused(mq.create_broker, "ConflictException", **{**request, "CreatorRequestId": "u"})
    state = lambda: mq.describe_broker(BrokerId=broker)["BrokerState"]  # noqa: E731
    checker.same("a new broker", state(), "CREATION_IN_PROGRESS")
    checker.refused(mq.delete_broker, "BadRequestException", BrokerId=broker)
    checker.refused(mq.update_broker, "BadRequestException", BrokerId=broker, AutoMinorVersionUpgrade=False)
    checker.advance(421)
    checker.same("a broker", (state(), mq.describe_broker(BrokerId=broker)["Tags"]), ("RUNNING", {"a": "b"}))
    checker.same("what exists", checker.exists("mq"), [("broker", "one", {"a": "b"})])
    mq.reboot_broker(BrokerId=broker)
    checker.same("a broker", state(), "REBOOT_IN_PROGRESS")
    checker.advance(481)
    mq.delete_broker(BrokerId=broker)
    checker.same("a broker", state(), "DELETION_IN_PROGRESS")
    checker.same("brokers", len(mq.list_brokers()["BrokerSummaries"]), 1)
    checker.advance(121)
    checker.refused(mq.describe_broker, "NotFoundException", BrokerId=broker)
