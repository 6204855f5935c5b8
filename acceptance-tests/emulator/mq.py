"""Amazon MQ: brokers."""

from . import rows
from .rows import GONE, Kind, Refuse, State

rows.add("mq", [
    Kind("broker", "brokers", {"BrokerId": "id"}, id="arn", label="name", tags=lambda backend, broker: backend.list_tags(broker.arn)),
    State("CreateBroker", "broker", "CREATION_IN_PROGRESS", 600, "RUNNING", where=("deployment_mode", "CLUSTER_MULTI_AZ"),
          failed=(600, "CREATION_FAILED")),
    State("CreateBroker", "broker", "CREATION_IN_PROGRESS", 420, "RUNNING", failed=(420, "CREATION_FAILED")),
    State("RebootBroker", "broker", "REBOOT_IN_PROGRESS", 480, "RUNNING"),
    State("DeleteBroker", "broker", "DELETION_IN_PROGRESS", 120, GONE),
    Refuse("CreateBroker", "ConflictException", "Broker name [{BrokerName}] already exists", "broker", {"BrokerName": "name"}),
    Refuse("DeleteBroker", "BadRequestException", "Can't delete broker [{id}] while in state [{state}]", "broker",
           states=("CREATION_IN_PROGRESS", "REBOOT_IN_PROGRESS")),
    Refuse(["UpdateBroker", "RebootBroker"], "BadRequestException", "Can't change broker [{id}] while in state [{state}]", "broker",
           not_in=("RUNNING",)),
])
