"""EKS: a cluster, its node groups, add-ons and access, from making to removing."""


def check(checker):
    ec2, eks = checker.client("ec2"), checker.client("eks")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{n}.0/24", AvailabilityZone=f"eu-central-1{zone}")["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    role = "arn:aws:iam::123456789012:role/eks"
    request = {"name": "one", "version": "1.34", "roleArn": role, "resourcesVpcConfig": {"subnetIds": subnets},
               "clientRequestToken": "t", "tags": {"a": "b"}, "accessConfig": {"authenticationMode": "API"}}
    status = lambda: eks.describe_cluster(name="one")["cluster"]["status"]  # noqa: E731

    # A cluster is being made for nine minutes.
    made = eks.create_cluster(**request)["cluster"]
    checker.same("a new cluster", (made["status"], made["resourcesVpcConfig"]["vpcId"], "endpoint" in made), ("CREATING", vpc, False))
    checker.same("the same token", eks.create_cluster(**request)["cluster"]["createdAt"], made["createdAt"])
    checker.refused(eks.create_cluster, "InvalidRequestException", **{**request, "version": "1.33"})
    checker.refused(eks.create_cluster, "ResourceInUseException", **{**request, "clientRequestToken": "u"})
    checker.refused(eks.create_cluster, "InvalidParameterException", **{
        **request, "name": "two", "clientRequestToken": "v", "resourcesVpcConfig": {"subnetIds": ["subnet-00000000000000000"]}})
    group = {"clusterName": "one", "nodegroupName": "system", "subnets": subnets, "nodeRole": role}
    checker.refused(eks.create_nodegroup, "InvalidRequestException", **group)
    checker.refused(eks.create_nodegroup, "ResourceNotFoundException", **{**group, "clusterName": "two"})
    checker.refused(eks.delete_cluster, "ResourceInUseException", name="one")
    checker.advance(530)
    checker.same("after 530 s", status(), "CREATING")
    checker.advance(11)
    cluster = eks.describe_cluster(name="one")["cluster"]
    checker.same("after 541 s", (cluster["status"], cluster["accessConfig"]["authenticationMode"]), ("ACTIVE", "API"))
    checker.same("its endpoint", cluster["endpoint"].startswith("https://"), True)
    eks.list_clusters()
    checker.refused(ec2.delete_subnet, "DependencyViolation", SubnetId=subnets[0])

    # Node groups, and what needs their nodes.
    dns = {"clusterName": "one", "addonName": "coredns"}
    eks.create_addon(**dns)
    checker.advance(31)
    waiting = eks.describe_addon(**dns)["addon"]
    checker.same("without nodes", (waiting["status"], waiting["health"]["issues"][0]["code"]), ("DEGRADED", "InsufficientNumberOfReplicas"))
    checker.refused(eks.create_nodegroup, "InvalidParameterException", **group, version="1.35")
    eks.create_nodegroup(**group, tags={"c": "d"}, version="1.34")
    checker.refused(eks.create_nodegroup, "ResourceInUseException", **group)
    checker.advance(151)
    nodes = eks.describe_nodegroup(clusterName="one", nodegroupName="system")["nodegroup"]
    checker.same("with nodes", eks.describe_addon(**dns)["addon"]["status"], "ACTIVE")
    eks.delete_addon(**dns)
    checker.advance(21)
    checker.same("a node group", (nodes["status"], nodes["version"]), ("ACTIVE", "1.34"))
    checker.same("node groups", eks.list_nodegroups(clusterName="one")["nodegroups"], ["system"])
    checker.refused(eks.delete_cluster, "ResourceInUseException", name="one")

    # Add-ons.
    addon = {"clusterName": "one", "addonName": "vpc-cni"}
    checker.refused(eks.create_addon, "InvalidRequestException", **addon)
    checker.refused(eks.create_addon, "InvalidParameterException", **addon, resolveConflicts="PRESERVE")
    wanted = {**addon, "addonVersion": "v1.20.0-eksbuild.1", "tags": {"e": "f"}, "resolveConflicts": "OVERWRITE",
              "podIdentityAssociations": [{"serviceAccount": "aws-node", "roleArn": role}]}
    made = eks.create_addon(**wanted, clientRequestToken="t")["addon"]
    checker.same("a new add-on", made["status"], "CREATING")
    again = eks.create_addon(**wanted, clientRequestToken="t")["addon"]
    checker.same("the same token", again["addonArn"], made["addonArn"])
    checker.refused(eks.create_addon, "ResourceInUseException", **addon)
    checker.refused(eks.update_addon, "InvalidRequestException", **addon, addonVersion="v1.21.0-eksbuild.1")
    checker.advance(31)
    (arn,) = eks.describe_addon(**addon)["addon"]["podIdentityAssociations"]
    association = eks.describe_pod_identity_association(clusterName="one", associationId=arn.split("/")[-1])["association"]
    checker.same("a role of it", (association["roleArn"], association["ownerArn"]), (role, made["addonArn"]))
    update = eks.update_addon(**addon, addonVersion="v1.21.0-eksbuild.1", podIdentityAssociations=[])["update"]
    checker.same("no role of it", eks.list_pod_identity_associations(clusterName="one")["associations"], [])
    checker.same("an update", (update["status"], update["type"]), ("InProgress", "AddonUpdate"))
    checker.advance(31)
    addon_now = eks.describe_addon(**addon)["addon"]
    checker.same("an add-on", (addon_now["status"], addon_now["addonVersion"]), ("ACTIVE", "v1.21.0-eksbuild.1"))
    update = eks.describe_update(name="one", addonName="vpc-cni", updateId=update["id"])["update"]
    checker.same("its update", update["status"], "Successful")
    checker.same("add-ons", eks.list_addons(clusterName="one")["addons"], ["vpc-cni"])
    checker.refused(eks.describe_addon, "ResourceNotFoundException", clusterName="one", addonName="absent")

    # Fargate.
    profile = {"clusterName": "one", "fargateProfileName": "pods"}
    eks.create_fargate_profile(**profile, podExecutionRoleArn=role, selectors=[{"namespace": "default"}], subnets=subnets)
    checker.advance(61)
    checker.same("a Fargate profile", eks.describe_fargate_profile(**profile)["fargateProfile"]["status"], "ACTIVE")
    eks.delete_fargate_profile(**profile)
    checker.advance(61)
    checker.same("Fargate profiles", eks.list_fargate_profiles(clusterName="one")["fargateProfileNames"], [])

    # Access, and tags of all.
    entry = {"clusterName": "one", "principalArn": role}
    made = eks.create_access_entry(**entry, tags={"g": "h"})["accessEntry"]
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    checker.refused(eks.associate_access_policy, "ResourceNotFoundException", **entry, policyArn=policy, accessScope={"type": "cluster"})
    checker.same("access entries", eks.list_access_entries(clusterName="one")["accessEntries"], [])
    checker.advance(2)
    checker.refused(eks.create_access_entry, "ResourceInUseException", **entry)
    eks.update_access_entry(**entry, kubernetesGroups=["readers"])
    checker.same("groups", eks.describe_access_entry(**entry)["accessEntry"]["kubernetesGroups"], ["readers"])
    eks.associate_access_policy(**entry, policyArn=policy, accessScope={"type": "cluster"})
    checker.refused(eks.associate_access_policy, "ResourceNotFoundException", clusterName="one", principalArn=role + "2",
                    policyArn=policy, accessScope={"type": "cluster"})
    policies = eks.list_associated_access_policies(**entry)["associatedAccessPolicies"]
    checker.same("policies", [(one["policyArn"], one["accessScope"]["type"]) for one in policies], [(policy, "cluster")])
    eks.disassociate_access_policy(**entry, policyArn=policy)
    checker.same("access entries", eks.list_access_entries(clusterName="one")["accessEntries"], [role])
    machine = {"clusterName": "one", "principalArn": role + "-nodes"}
    entry_of = eks.create_access_entry(**machine, type="EC2_LINUX")["accessEntry"]
    checker.same("groups of machines", entry_of["kubernetesGroups"], ["system:nodes"])
    checker.advance(2)
    checker.refused(eks.update_access_entry, "InvalidParameterException", **machine, kubernetesGroups=["a"])
    checker.refused(eks.associate_access_policy, "InvalidParameterException", **machine, policyArn=policy, accessScope={"type": "cluster"})
    eks.delete_access_entry(**machine)
    pods = {"clusterName": "one", "namespace": "kube-system", "serviceAccount": "aws-node", "roleArn": role}
    association = eks.create_pod_identity_association(**pods)["association"]["associationId"]
    checker.refused(eks.create_pod_identity_association, "ResourceInUseException", **pods)
    eks.update_pod_identity_association(clusterName="one", associationId=association, roleArn=role + "2")
    eks.describe_pod_identity_association(clusterName="one", associationId=association)
    checker.same("associations", len(eks.list_pod_identity_associations(clusterName="one", namespace="other")["associations"]), 0)
    checker.same("associations", len(eks.list_pod_identity_associations(clusterName="one")["associations"]), 1)
    for arn, is_ in [(cluster["arn"], {"a": "b"}), (nodes["nodegroupArn"], {"c": "d"}), (addon_now["addonArn"], {"e": "f"}),
                     (made["accessEntryArn"], {"g": "h"})]:
        eks.tag_resource(resourceArn=arn, tags={"more": "yes"})
        checker.same(f"tags of {arn}", eks.list_tags_for_resource(resourceArn=arn)["tags"], {**is_, "more": "yes"})
        eks.untag_resource(resourceArn=arn, tagKeys=["more"])
        checker.same(f"tags of {arn}", eks.list_tags_for_resource(resourceArn=arn)["tags"], is_)

    checker.same("what exists", checker.exists("eks"), [
        ("access_entry", role, {"g": "h"}), ("addon", "vpc-cni", {"e": "f"}), ("cluster", "one", {"a": "b"}),
        ("nodegroup", "system", {"c": "d"}), ("pod_identity_association", "aws-node", {})])

    # Updates, one after the other.
    checker.refused(eks.update_cluster_version, "InvalidParameterException", name="one", version="1.36")
    update = eks.update_cluster_version(name="one", version="1.35")["update"]["id"]
    checker.same("an upgrade", (status(), eks.describe_cluster(name="one")["cluster"]["version"]), ("UPDATING", "1.34"))
    checker.refused(eks.update_cluster_config, "ResourceInUseException", name="one", deletionProtection=True)
    checker.refused(eks.create_nodegroup, "ResourceInUseException", **{**group, "nodegroupName": "more"})
    checker.advance(541)
    checker.same("an upgrade", (status(), eks.describe_cluster(name="one")["cluster"]["version"]), ("ACTIVE", "1.35"))
    checker.same("updates", update in eks.list_updates(name="one")["updateIds"], True)
    eks.update_cluster_config(name="one", resourcesVpcConfig={"endpointPrivateAccess": True})
    checker.refused(eks.update_cluster_config, "ResourceInUseException", name="one", deletionProtection=True)
    checker.advance(401)
    for wrong in [{"deletionProtection": True, "logging": {"clusterLogging": []}}, {}, {"deletionProtection": False},
                  {"accessConfig": {"authenticationMode": "CONFIG_MAP"}}]:
        checker.refused(eks.update_cluster_config, "InvalidParameterException", name="one", **wrong)
    access = eks.describe_cluster(name="one")["cluster"]["resourcesVpcConfig"]
    checker.same("access", (access["endpointPrivateAccess"], access["endpointPublicAccess"], access["vpcId"]), (True, True, vpc))
    for update in [{"zonalShiftConfig": {"enabled": True}}, {"controlPlaneScalingConfig": {"tier": "tier-xl"}}]:
        eks.update_cluster_config(name="one", **update)
        checker.advance(401)
    cluster = eks.describe_cluster(name="one")["cluster"]
    checker.same("more", (cluster["zonalShiftConfig"]["enabled"], cluster["controlPlaneScalingConfig"]["tier"]), (True, "tier-xl"))
    key = [{"resources": ["secrets"], "provider": {"keyArn": "arn:aws:kms:eu-central-1:1:key/a"}}]
    update = eks.associate_encryption_config(clusterName="one", encryptionConfig=key)["update"]
    checker.same("an update", (update["type"], status()), ("AssociateEncryptionConfig", "UPDATING"))
    checker.advance(901)
    checker.same("its key", (status(), eks.describe_cluster(name="one")["cluster"]["encryptionConfig"]), ("ACTIVE", key))
    checker.refused(eks.associate_encryption_config, "InvalidRequestException", clusterName="one", encryptionConfig=key)
    eks.update_nodegroup_version(clusterName="one", nodegroupName="system", version="1.35")
    checker.advance(501)
    checker.refused(eks.update_cluster_version, "InvalidRequestException", name="one", version="1.34")
    eks.update_nodegroup_version(clusterName="one", nodegroupName="system", version="1.34")
    checker.advance(501)
    checker.refused(eks.update_cluster_version, "InvalidRequestException", name="one", version="1.36")
    checker.same("a rollback", eks.update_cluster_version(name="one", version="1.34")["update"]["type"], "VersionRollback")
    checker.advance(541)
    checker.refused(eks.update_cluster_version, "InvalidParameterException", name="one", version="1.33")
    eks.update_cluster_version(name="one", version="1.35")
    checker.advance(541)
    eks.update_nodegroup_version(clusterName="one", nodegroupName="system", version="1.35")
    checker.refused(eks.update_nodegroup_config, "ResourceInUseException", clusterName="one", nodegroupName="system",
                    scalingConfig={"minSize": 1})
    checker.advance(501)
    eks.update_nodegroup_config(clusterName="one", nodegroupName="system", scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 1})
    checker.advance(16)
    nodes = eks.describe_nodegroup(clusterName="one", nodegroupName="system")["nodegroup"]
    checker.same("node group", (nodes["status"], nodes["version"], nodes["scalingConfig"]["maxSize"]), ("ACTIVE", "1.35", 3))

    # Removing, and what goes along.
    eks.delete_addon(**addon)
    checker.same("add-on", eks.describe_addon(**addon)["addon"]["status"], "DELETING")
    checker.advance(21)
    checker.refused(eks.describe_addon, "ResourceNotFoundException", **addon)
    eks.delete_pod_identity_association(clusterName="one", associationId=association)
    checker.same("node group", eks.delete_nodegroup(clusterName="one", nodegroupName="system")["nodegroup"]["status"], "DELETING")
    checker.refused(eks.delete_cluster, "ResourceInUseException", name="one")
    checker.advance(181)
    checker.refused(eks.describe_nodegroup, "ResourceNotFoundException", clusterName="one", nodegroupName="system")
    checker.same("cluster", eks.delete_cluster(name="one")["cluster"]["status"], "DELETING")
    checker.same("cluster", status(), "DELETING")
    checker.advance(151)
    checker.refused(eks.describe_cluster, "ResourceNotFoundException", name="one")
    checker.refused(eks.list_access_entries, "ResourceNotFoundException", clusterName="one")
    # The name is free again, and what lived in the old cluster is gone.
    eks.create_cluster(**{**request, "clientRequestToken": "w"})
    checker.same("access entries", eks.list_access_entries(clusterName="one")["accessEntries"], [])
    eks.create_access_entry(**entry)
    checker.advance(2)
    eks.delete_access_entry(**entry)
    checker.same("access entries", eks.list_access_entries(clusterName="one")["accessEntries"], [])
    checker.advance(541)
    eks.delete_cluster(name="one")
    checker.advance(151)
    checker.same("what exists", checker.exists("eks"), [])
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
