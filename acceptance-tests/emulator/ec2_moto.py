"""What moto's EC2 does otherwise than AWS in general: a default VPC, zones, tags, filters, copies."""

import fnmatch

from moto.ec2 import utils
from moto.ec2.models import EC2Backend
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from .extend import after, before
from .ec2 import refused

# --- accounts begin empty -----------------------------------------------------------------------------------------

_create_default_vpc = EC2Backend.create_default_vpc


def create_default_vpc(self):
    # Called by the backend's constructor, before `default_vpc` is there, and by the operation of that name.
    return _create_default_vpc(self) if hasattr(self, "default_vpc") else None


EC2Backend.create_default_vpc = create_default_vpc

# --- instances: moto keeps the interfaces of terminated ones ---------------------------------------------------------


@after("ec2", "TerminateInstances")
def interfaces_go(context, _result):
    gone = set(context.params["InstanceIds"])
    for eni in [eni for eni in context.backend.enis.values() if eni.instance and eni.instance.id in gone and eni.description == "Primary network interface"]:
        del context.backend.enis[eni.id]


# --- tags and filters ----------------------------------------------------------------------------------------------


def get_tags(self):
    """moto's own looks through the tags of everything."""
    tags = self.ec2_backend.tags.get(self.id) or {}
    kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id), "")
    return [{"resource_id": self.id, "key": k, "value": v, "resource_type": kind} for k, v in tags.items()]


TaggedEC2Resource.get_tags = get_tags


# Filters by id that moto lacks.
ID_FILTERS = {"vpc-endpoint-id", "flow-log-id"}


def is_filter_matching(thing, name, wanted):
    """AWS's rule: one of the thing's values matches one of the patterns. moto wants all of several values."""
    value = thing.id if name in ID_FILTERS else thing.get_filter_value(name)
    wanted = wanted if isinstance(wanted, list) else [wanted]
    if value is None:
        return False
    if isinstance(value, bool):
        value = str(value).lower()
    values = [value] if isinstance(value, (str, int)) else list(value)
    return any(fnmatch.fnmatchcase(str(v), str(pattern)) for v in values for pattern in wanted)


utils.is_filter_matching = is_filter_matching

# Kinds that a creating call may tag; AWS refuses others.
TAGGED_AS = {
    "CreateVpc": "vpc",
    "CreateSubnet": "subnet",
    "CreateInternetGateway": "internet-gateway",
    "AllocateAddress": "elastic-ip",
    "CreateNatGateway": "natgateway",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "CreateVpcEndpoint": "vpc-endpoint",
    "CreateFlowLogs": "vpc-flow-log",
    "CreateNetworkInterface": "network-interface",
}


@before("ec2", *TAGGED_AS)
def tag_specification(context):
    for specification in context.params.get("TagSpecifications") or []:
        kind = specification.get("ResourceType")
        if kind != TAGGED_AS[context.call.operation]:
            raise refused("InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation.")
        keys = [tag.get("Key") for tag in specification.get("Tags") or []]
        if len(keys) != len(set(keys)):
            raise refused("InvalidParameterValue", "Duplicate tag keys are not allowed.")
        for tag in specification.get("Tags") or []:
            if tag["Key"].startswith("aws:"):
                raise refused("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
            if len(tag["Key"]) > 127 or len(tag.get("Value", "")) > 255:
                raise refused("InvalidParameterValue", f"Tag key or value too long: {tag['Key']}")


# --- zones ---------------------------------------------------------------------------------------------------------

Zone.opt_in_status = property(lambda zone: "opt-in-not-required" if zone.zone_type == "availability-zone" else "opted-in")
Zone.group_name = property(lambda zone: f"{zone.region_name}-zg-1" if zone.zone_type == "availability-zone" else zone.name[:-1])
Zone.network_border_group = property(lambda zone: zone.region_name if zone.zone_type == "availability-zone" else zone.name[:-1])

# A local zone that the account has opted in to: shown among the zones, and of no use for a cluster.
for _region, _city, _zone in [("eu-central-1", "ham", "euc1-ham1-az1"), ("us-east-1", "bos", "use1-bos1-az1")]:
    RegionsAndZonesBackend.zones[_region].append(
        Zone(region_name=_region, name=f"{_region}-{_city}-1a", zone_id=_zone, zone_type="local-zone"))


# --- snapshots -----------------------------------------------------------------------------------------------------


def copy_rule(self, memo):
    """moto's own keeps the old backend, also when the whole backend is being copied."""
    import copy

    new = self.__class__.__new__(self.__class__)
    memo[id(self)] = new
    for name, value in self.__dict__.items():
        if name == "ec2_backend":
            value = memo.get(id(value), value)
        elif name == "filters":
            continue
        else:
            value = copy.deepcopy(value, memo)
        setattr(new, name, value)
    new.filters = {"group-id": new.filter_group_id, "security-group-rule-id": new.filter_id}
    return new


SecurityGroupRule.__deepcopy__ = copy_rule
