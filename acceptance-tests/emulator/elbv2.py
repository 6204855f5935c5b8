"""Elastic Load Balancing: load balancers, listeners, target groups."""

from moto.elbv2.models import FakeLoadBalancer

from . import rows
from .rows import GONE, Kind, Refuse, State

# moto has one active as soon as somebody looks.
FakeLoadBalancer.activate = lambda _load_balancer: None

rows.add("elbv2", [
    Kind("load_balancer", "load_balancers", {"LoadBalancerArn": "arn", "LoadBalancerArns": "arn"}, id="arn", label="name",
         tags=lambda backend, thing: backend.tagging_service.get_tag_dict_for_resource(thing.arn)),
    Kind("listener", "load_balancers.*.listeners", {"ListenerArn": "arn"}, id="arn",
         tags=lambda backend, thing: backend.tagging_service.get_tag_dict_for_resource(thing.arn)),
    Kind("target_group", "target_groups", {"TargetGroupArn": "arn"}, id="arn", label="name",
         tags=lambda backend, thing: backend.tagging_service.get_tag_dict_for_resource(thing.arn)),
    State("CreateLoadBalancer", "load_balancer", "provisioning", 150, "active", failed=(150, "failed")),
    State("DeleteLoadBalancer", "load_balancer", GONE),
    Refuse("DeleteLoadBalancer", "OperationNotPermitted", "Load balancer '{LoadBalancerArn}' cannot be deleted because deletion "
           "protection is enabled", "load_balancer", when=lambda _context, thing: thing.attrs["deletion_protection.enabled"] == "true"),
])
