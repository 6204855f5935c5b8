"""Elastic Load Balancing, with a certificate that a listener uses."""


def check(checker):
    ec2, elb, acm = checker.client("ec2"), checker.client("elbv2"), checker.client("acm")
    vpc = ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.6.{n}.0/24", AvailabilityZone=f"eu-central-1{zone}")["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    certificate = acm.request_certificate(DomainName="one.example.com", ValidationMethod="DNS")["CertificateArn"]
    made = elb.create_load_balancer(Name="one", Subnets=subnets, Tags=[{"Key": "a", "Value": "b"}])["LoadBalancers"][0]
    balancer = made["LoadBalancerArn"]
    state = lambda: elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]["State"]["Code"]  # noqa: E731
    checker.same("a load balancer", (made["State"]["Code"], state()), ("provisioning", "provisioning"))
    checker.advance(151)
    checker.same("a load balancer", state(), "active")
    group = elb.create_target_group(Name="one", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": certificate}],
                        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    checker.same("what exists", [one for service in ("acm", "elbv2") for one in checker.exists(service)], [
        ("certificate", "one.example.com", {}), ("listener", "", {}), ("load_balancer", "one", {"a": "b"}), ("target_group", "one", {})])
    checker.refused(acm.delete_certificate, "ResourceInUseException", CertificateArn=certificate)
    checker.refused(elb.delete_target_group, "ResourceInUse", TargetGroupArn=group)
    protection = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=protection)
    checker.refused(elb.delete_load_balancer, "OperationNotPermitted", LoadBalancerArn=balancer)
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=[{**protection[0], "Value": "false"}])
    elb.delete_load_balancer(LoadBalancerArn=balancer)
    elb.delete_target_group(TargetGroupArn=group)
    acm.delete_certificate(CertificateArn=certificate)
