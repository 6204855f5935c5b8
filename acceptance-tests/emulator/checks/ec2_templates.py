"""EC2: a launch template and its versions."""


def check(checker):
    ec2 = checker.client("ec2")
    tags = [{"ResourceType": kind, "Tags": [{"Key": "a", "Value": "b"}]} for kind in ("instance", "volume", "network-interface")]
    data = {
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": True, "Iops": 3000,
                                                                  "Throughput": 125, "DeleteOnTermination": True, "KmsKeyId": "arn:k"}}],
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1},
        "TagSpecifications": tags, "UserData": "aGVsbG8=",
    }
    own = [{"ResourceType": "launch-template", "Tags": [{"Key": "c", "Value": "d"}]}]
    id = ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=data, TagSpecifications=own)["LaunchTemplate"]["LaunchTemplateId"]
    checker.refused(ec2.create_launch_template, "InvalidLaunchTemplateName.AlreadyExistsException", LaunchTemplateName="nodes",
                    LaunchTemplateData=data)
    checker.refused(ec2.create_launch_template_version, "InvalidParameterValue", LaunchTemplateId=id, LaunchTemplateData={
        "TagSpecifications": [{"ResourceType": "instance", "Tags": []}]})
    made = ec2.create_launch_template_version(LaunchTemplateId=id, LaunchTemplateData={**data, "UserData": "Ynll"})["LaunchTemplateVersion"]
    checker.same("a version", (made["VersionNumber"], made["DefaultVersion"]), (2, False))
    ec2.create_tags(Resources=[id], Tags=[{"Key": "e", "Value": "f"}])
    of = lambda **by: [(one["LaunchTemplateId"], one["DefaultVersionNumber"], one["LatestVersionNumber"], one["Tags"])  # noqa: E731
                       for one in ec2.describe_launch_templates(**by)["LaunchTemplates"]]
    is_ = [(id, 1, 2, [{"Key": "c", "Value": "d"}, {"Key": "e", "Value": "f"}])]
    checker.same("by a tag", of(Filters=[{"Name": "tag:e", "Values": ["f"]}]), is_)
    checker.same("by its name", of(Filters=[{"Name": "launch-template-name", "Values": ["nodes"]}]), is_)
    checker.same("by its id", of(LaunchTemplateIds=[id]), is_)
    ec2.modify_launch_template(LaunchTemplateId=id, DefaultVersion="2")
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=id, Versions=["$Default", "$Latest"])["LaunchTemplateVersions"]
    checker.same("versions", {one["VersionNumber"] for one in versions}, {2})
    checker.same("contents", versions[0]["LaunchTemplateData"], {**data, "UserData": "Ynll"})
    first = ec2.describe_launch_template_versions(LaunchTemplateId=id, Versions=["1"])["LaunchTemplateVersions"][0]
    checker.same("contents", first["LaunchTemplateData"], data)
    checker.same("what exists", [one for one in checker.exists("ec2") if one[0] == "launch_template"],
                 [("launch_template", "nodes", {"c": "d", "e": "f"})])
    ec2.delete_launch_template(LaunchTemplateId=id)
    for gone in (ec2.delete_launch_template, ec2.describe_launch_template_versions):
        checker.refused(gone, "InvalidLaunchTemplateId.NotFound", LaunchTemplateId=id)
    checker.refused(ec2.describe_launch_templates, "InvalidLaunchTemplateId.NotFound", LaunchTemplateIds=[id])
    # By Karpenter.
    checker.called_elsewhere("ec2", "CreateFleet")
