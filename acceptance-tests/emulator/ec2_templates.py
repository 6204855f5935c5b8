"""EC2: launch templates. moto keeps their tags twice, and puts them among those of what is launched."""

from . import rows
from .extend import after, before
from .ec2 import refused
from .rows import ABSENT, Refuse

rows.add("ec2", [
    Refuse([f"{verb}LaunchTemplate{what}" for verb, what in [
        ("Describe", "s"), ("Describe", "Versions"), ("Create", "Version"), ("Modify", ""), ("Delete", "")]],
        "InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID {LaunchTemplateId}, does not exist.",
        "launch_template", states=(ABSENT,)),
])


@before("ec2", "CreateLaunchTemplate", "CreateLaunchTemplateVersion")
def tags_are_given(context):
    for specification in context.params.get("LaunchTemplateData", {}).get("TagSpecifications") or []:
        if not specification.get("Tags"):
            raise refused("InvalidParameterValue", "Tag specification must have at least one tag")


@after("ec2", "CreateLaunchTemplate")
def template_created(context, _result):
    template = next(one for one in context.backend.launch_templates.values() if one.name == context.params["LaunchTemplateName"])
    data = template.versions[0].data
    data["TagSpecifications"] = [one for one in data.get("TagSpecifications", []) if one["ResourceType"] != "launch-template"]


@after("ec2", "DescribeLaunchTemplates")
def templates_described(context, result):
    for one in result["LaunchTemplates"]:
        tags = context.backend.tags.get(one["LaunchTemplateId"]) or {}
        one["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]


@after("ec2", "CreateFleet")
def instances_have_the_templates_groups(context, result):
    """moto gives them the default group of the VPC."""
    for launched in result.get("Instances") or []:
        template = launched["LaunchTemplateAndOverrides"]["LaunchTemplateSpecification"]
        data = context.backend.get_launch_template(template["LaunchTemplateId"]).get_version(template.get("Version", "$Default")).data
        ids = [id for interface in data.get("NetworkInterfaces", []) for id in interface.get("Groups", [])] or data.get("SecurityGroupIds", [])
        groups = [context.backend.get_security_group_from_id(id) for id in ids]
        for instance in map(context.backend.get_instance, launched["InstanceIds"] if groups else []):
            instance.security_groups = groups
            for interface in instance.nics.values():
                interface._group_set = groups
