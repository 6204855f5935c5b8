"""IAM: an OIDC provider, and what a role has beside its policies."""


def check(checker):
    iam = checker.client("iam")
    url = "https://oidc.eks.eu-central-1.amazonaws.com/id/CHECK"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"], Tags=[{"Key": "a", "Value": "b"}])["OpenIDConnectProviderArn"]
    checker.refused(iam.create_open_id_connect_provider, "EntityAlreadyExists", Url=url)
    of = {"OpenIDConnectProviderArn": arn}
    iam.add_client_id_to_open_id_connect_provider(**of, ClientID="other")
    iam.remove_client_id_from_open_id_connect_provider(**of, ClientID="sts.amazonaws.com")
    provider = iam.get_open_id_connect_provider(**of)
    checker.same("a provider", (provider["Url"], provider["ClientIDList"], provider["Tags"]),
                 (url.removeprefix("https://"), ["other"], [{"Key": "a", "Value": "b"}]))
    checker.same("providers", arn in [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]], True)
    iam.delete_open_id_connect_provider(**of)
    checker.refused(iam.add_client_id_to_open_id_connect_provider, "NoSuchEntity", **of, ClientID="x")

    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = iam.create_role(RoleName="check", Path="/a/", Description="d", AssumeRolePolicyDocument=trust,
                           PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess")["Role"]
    checker.same("its ARN", role["Arn"].endswith(":role/a/check"), True)
    iam.update_role_description(RoleName="check", Description="e")
    iam.delete_role_permissions_boundary(RoleName="check")
    iam.create_instance_profile(InstanceProfileName="check")
    iam.add_role_to_instance_profile(InstanceProfileName="check", RoleName="check")
    checker.same("its profiles", len(iam.list_instance_profiles_for_role(RoleName="check")["InstanceProfiles"]), 1)
    checker.refused(iam.delete_role, "DeleteConflict", RoleName="check")
    iam.remove_role_from_instance_profile(InstanceProfileName="check", RoleName="check")
    iam.delete_role(RoleName="check")
    iam.delete_instance_profile(InstanceProfileName="check")
