//! IAM roles, found by their fixed names: IAM lists them without tags, and globally.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_iam::types::Tag;
use futures::future::try_join_all;
use futures::try_join;
use percent_encoding::percent_decode_str;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Call, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Tags};
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::codes;
use crate::kind::{
    Api, ByName, Place, finished, gone, list_changes, map_changes, no_answer, of, outputs, pages, settled,
    usual,
};
use crate::partition::partition;

/// A role with its policies. Policies that others attach are left alone. Its output `role_id` is new for a role made anew
/// under the same name (IAM user guide, "Unique identifiers").
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "iam_role")]
pub struct IamRole {
    /// Its name, once in the account: at most 64 characters (IAM `CreateRole`).
    #[part(replace)]
    pub name: String,
    /// Its path: `/`, or at most 512 characters from `/` to `/`; part of its ARN, and fixed (IAM `CreateRole`).
    #[part(replace)]
    pub path: String,
    /// What it is for: at most 1,000 characters, may be empty (IAM `CreateRole`).
    pub description: String,
    /// Who may assume it: a policy document, at most 2,048 characters unless the quota is raised (IAM quotas). May hold outputs
    /// of other parts, as may those of `policies`.
    pub trust: Value,
    /// ARN of the policy that bounds what it may do.
    pub permissions_boundary: Option<String>,
    /// Inline policies by name: documents; together at most 10,240 characters (IAM quotas).
    #[part(own_entries)]
    pub policies: BTreeMap<String, Value>,
    /// ARNs of managed policies: at most ten unless the quota is raised (IAM quotas).
    #[part(own_entries)]
    pub managed_policies: Vec<String>,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

impl IamRole {
    /// A role that an AWS service assumes, without policies.
    pub fn for_service(name: impl Into<String>, service: &str, tags: Tags) -> Self {
        let statement =
            json!({ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" });
        Self {
            name: name.into(),
            path: "/".to_owned(),
            description: String::new(),
            trust: json!({ "Version": "2012-10-17", "Statement": [statement] }),
            permissions_boundary: None,
            policies: BTreeMap::new(),
            managed_policies: Vec::new(),
            tags,
        }
    }

    /// The same with an inline policy that allows the actions on the resources.
    #[must_use]
    pub fn allow(mut self, policy: impl Into<String>, actions: &[&str], resources: &[&str]) -> Self {
        let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
        self.policies.insert(
            policy.into(),
            json!({ "Version": "2012-10-17", "Statement": [statement] }),
        );
        self
    }

    /// The same with a managed policy.
    #[must_use]
    pub fn attach(mut self, arn: impl Into<String>) -> Self {
        self.managed_policies.push(arn.into());
        self
    }
}

/// The output: the role's unique id (`AROA…`).
const ROLE_ID: &str = "role_id";

/// IAM, and what is being done there.
pub(super) type Iam = Api<aws_sdk_iam::Client>;

#[async_trait]
impl ByName for IamRole {
    type Client = aws_sdk_iam::Client;

    const TRAITS: KindTraits = KindTraits {
        title: "IAM role",
        deletion_order: 96,
        idempotence: Idempotence::NaturalKey,
        reads: &[
            "iam:GetRole",
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
        ],
        writes: &[
            "iam:CreateRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRoleDescription",
            "iam:PutRolePermissionsBoundary",
            "iam:DeleteRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
            "iam:ListInstanceProfilesForRole",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:DeleteRole",
            "iam:TagRole",
            "iam:UntagRole",
        ],
        ..usual(Self::KIND)
    };

    fn name(&self) -> &str {
        &self.name
    }

    async fn see(iam: &Iam, name: &str) -> Result<Option<Object>, Failure> {
        let role = iam.call("iam:GetRole", iam.read.get_role().role_name(name).send());
        let (answer, policies, managed) = try_join!(role, inline(iam, name), managed(iam, name))?;
        Ok(answer.role.map(|role| {
            let fields = json!({
                "name": name,
                "path": role.path,
                "description": role.description.unwrap_or_default(),
                "trust": role.assume_role_policy_document.as_deref().map(document),
                "permissions_boundary": role
                    .permissions_boundary
                    .and_then(|boundary| boundary.permissions_boundary_arn),
                "policies": policies,
                "managed_policies": managed,
            });
            let tags = role
                .tags
                .unwrap_or_default()
                .into_iter()
                .map(|tag| (tag.key, tag.value))
                .collect();
            Object {
                arn: Some(role.arn),
                tags,
                outputs: outputs([(ROLE_ID, Some(role.role_id))]),
                ..settled(fields)
            }
        }))
    }

    async fn make(&self, iam: &Iam, call: &Call) -> Result<Made, Failure> {
        let name = &self.name;
        let make = iam
            .write
            .create_role()
            .role_name(name)
            .path(&self.path)
            .set_description(Some(self.description.clone()).filter(|text| !text.is_empty()))
            .assume_role_policy_document(call.document(&self.trust)?.to_string())
            .set_permissions_boundary(self.permissions_boundary.clone())
            .set_tags(Some(tag_list(&call.tags(&self.tags))));
        let answer = iam.call("iam:CreateRole", make.send()).await?;
        let finish = async {
            let inline = self.policies.iter().map(|(policy, document)| async move {
                put(iam, name, policy, &call.document(document)?).await
            });
            let managed = self.managed_policies.iter().map(|arn| attach(iam, name, arn));
            try_join!(try_join_all(inline), try_join_all(managed))?;
            Ok(())
        };
        let role = answer.role.ok_or_else(|| no_answer(call))?;
        let made = Made::settled(name)
            .arn(Some(role.arn))
            .output(ROLE_ID, role.role_id);
        Ok(finished(made, finish.await))
    }

    async fn change(&self, iam: &Iam, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        let role = &is.id;
        if let Some(difference) = of("trust", what) {
            let iam = iam.to(format!("changing who may assume role {role}"));
            let update = iam.write.update_assume_role_policy().role_name(role);
            let update = update.policy_document(difference.should.to_string()).send();
            iam.call("iam:UpdateAssumeRolePolicy", update).await?;
        }
        if of("description", what).is_some() {
            // `UpdateRole` would set the longest session to an hour where it is not given (IAM `UpdateRole`).
            let iam = iam.to(format!("changing the description of role {role}"));
            let update = iam.write.update_role_description().role_name(role);
            let update = update.description(&self.description).send();
            iam.call("iam:UpdateRoleDescription", update).await?;
        }
        if of("permissions_boundary", what).is_some() {
            bound(iam, role, self.permissions_boundary.as_deref()).await?;
        }
        if let Some(difference) = of("policies", what) {
            let (set, gone) = map_changes(difference);
            for (policy, document) in set {
                put(iam, role, policy, document).await?;
            }
            for policy in gone {
                remove(iam, role, policy).await?;
            }
        }
        if let Some(difference) = of("managed_policies", what) {
            let (add, gone) = list_changes(difference, call);
            try_join_all(add.into_iter().map(|arn| attach(iam, role, arn))).await?;
            try_join_all(gone.into_iter().map(|arn| detach(iam, role, arn))).await?;
        }
        Ok(())
    }

    async fn tag(iam: &Iam, name: &str, tags: &Tags) -> Result<(), Failure> {
        let call = iam
            .write
            .tag_role()
            .role_name(name)
            .set_tags(Some(tag_list(tags)));
        iam.call("iam:TagRole", call.send()).await?;
        Ok(())
    }

    async fn untag(iam: &Iam, name: &str, tags: &[String]) -> Result<(), Failure> {
        let call = iam
            .write
            .untag_role()
            .role_name(name)
            .set_tag_keys(Some(tags.to_vec()));
        iam.call("iam:UntagRole", call.send()).await?;
        Ok(())
    }

    async fn unmake(iam: &Iam, object: &Object) -> Result<Deleted, Failure> {
        let role = &object.id;
        // IAM deletes only bare roles, so what others attached, or put it into, goes too.
        let inline = object.fields["policies"].as_object().into_iter().flatten();
        let managed = object.fields["managed_policies"].as_array().into_iter().flatten();
        let managed = managed.filter_map(Value::as_str);
        try_join!(
            try_join_all(inline.map(|(policy, _)| remove(iam, role, policy))),
            try_join_all(managed.map(|arn| detach(iam, role, arn))),
            leave_profiles(iam, role),
        )?;
        let delete = iam.write.delete_role().role_name(role);
        iam.call("iam:DeleteRole", delete.send()).await?;
        Ok(Deleted::Gone)
    }
}

/// The ARN of a role: of its name, or as IAM answers where the account's id is not asked for.
pub(crate) async fn role_arn(place: &Place, name: &str) -> Result<String, Failure> {
    let account = place.aws.account(Some(&place.region)).await?.id;
    if !account.is_empty() {
        let partition = partition(&place.region);
        return Ok(format!("arn:{partition}:iam::{account}:role/{name}"));
    }
    let iam: Iam = place.api(format!("looking for the ARN of role {name}")).await?;
    let found = match iam
        .call("iam:GetRole", iam.read.get_role().role_name(name).send())
        .await
    {
        // Made a moment ago.
        Err(failure) if failure.class == Class::NotFound => None,
        other => other?.role,
    };
    let not_yet =
        || Failure::new(Class::NotYet, iam.doing(), "IAM does not show it yet").code(codes::NOT_YET);
    found.map(|role| role.arn).ok_or_else(not_yet)
}

/// A document as IAM gives it: percent-encoded JSON.
fn document(text: &str) -> Value {
    let text = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
}

/// With key and value given, each can be built.
pub(super) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .flat_map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

async fn inline(iam: &Iam, role: &str) -> Result<BTreeMap<String, Value>, Failure> {
    let iam = &iam.to(format!("looking at the policies of role {role}"));
    let policies = pages(|marker| async {
        let list = iam.read.list_role_policies().role_name(role).set_marker(marker);
        let answer = iam.call("iam:ListRolePolicies", list.send()).await?;
        Ok((
            Some(answer.policy_names),
            answer.marker.filter(|_| answer.is_truncated),
        ))
    });
    let documents = policies.await?.into_iter().map(|policy: String| async {
        let get = iam.read.get_role_policy().role_name(role).policy_name(&policy);
        let answer = iam.call("iam:GetRolePolicy", get.send()).await?;
        Ok::<_, Failure>((policy, document(&answer.policy_document)))
    });
    Ok(try_join_all(documents).await?.into_iter().collect())
}

async fn managed(iam: &Iam, role: &str) -> Result<Vec<String>, Failure> {
    let iam = &iam.to(format!("looking at the policies of role {role}"));
    let policies = pages(|marker| async {
        let list = iam
            .read
            .list_attached_role_policies()
            .role_name(role)
            .set_marker(marker);
        let answer = iam.call("iam:ListAttachedRolePolicies", list.send()).await?;
        Ok((
            answer.attached_policies,
            answer.marker.filter(|_| answer.is_truncated),
        ))
    });
    let policies = policies.await?.into_iter();
    let mut arns: Vec<String> = policies.filter_map(|policy| policy.policy_arn).collect();
    arns.sort();
    Ok(arns)
}

async fn put(iam: &Iam, role: &str, policy: &str, document: &Value) -> Result<(), Failure> {
    let iam = iam.to(format!("setting policy {policy} of role {role}"));
    let put = iam.write.put_role_policy().role_name(role).policy_name(policy);
    iam.call(
        "iam:PutRolePolicy",
        put.policy_document(document.to_string()).send(),
    )
    .await?;
    Ok(())
}

async fn remove(iam: &Iam, role: &str, policy: &str) -> Result<(), Failure> {
    let iam = iam.to(format!("removing policy {policy} of role {role}"));
    let delete = iam.write.delete_role_policy().role_name(role).policy_name(policy);
    gone(iam.call("iam:DeleteRolePolicy", delete.send()).await)
}

async fn attach(iam: &Iam, role: &str, arn: &str) -> Result<(), Failure> {
    let iam = iam.to(format!("attaching {arn} to role {role}"));
    let attach = iam.write.attach_role_policy().role_name(role).policy_arn(arn);
    iam.call("iam:AttachRolePolicy", attach.send()).await?;
    Ok(())
}

async fn detach(iam: &Iam, role: &str, arn: &str) -> Result<(), Failure> {
    let iam = iam.to(format!("detaching {arn} from role {role}"));
    let detach = iam.write.detach_role_policy().role_name(role).policy_arn(arn);
    gone(iam.call("iam:DetachRolePolicy", detach.send()).await)
}

async fn bound(iam: &Iam, role: &str, boundary: Option<&str>) -> Result<(), Failure> {
    let iam = iam.to(format!("changing the permissions boundary of role {role}"));
    match boundary {
        Some(arn) => {
            let put = iam.write.put_role_permissions_boundary().role_name(role);
            let put = put.permissions_boundary(arn).send();
            iam.call("iam:PutRolePermissionsBoundary", put).await.map(|_| ())
        }
        None => {
            let delete = iam.write.delete_role_permissions_boundary().role_name(role);
            gone(iam.call("iam:DeleteRolePermissionsBoundary", delete.send()).await)
        }
    }
}

/// Takes the role out of the instance profiles that it is in; they stay.
async fn leave_profiles(iam: &Iam, role: &str) -> Result<(), Failure> {
    let iam = &iam.to(format!("taking role {role} out of instance profiles"));
    let profiles = pages(|marker| async {
        let list = iam.read.list_instance_profiles_for_role().role_name(role);
        let list = list.set_marker(marker).send();
        let answer = iam.call("iam:ListInstanceProfilesForRole", list).await?;
        Ok((
            Some(answer.instance_profiles),
            answer.marker.filter(|_| answer.is_truncated),
        ))
    });
    let out = profiles.await?.into_iter().map(|profile| async move {
        let remove = iam.write.remove_role_from_instance_profile().role_name(role);
        let remove = remove.instance_profile_name(profile.instance_profile_name);
        gone(iam.call("iam:RemoveRoleFromInstanceProfile", remove.send()).await)
    });
    try_join_all(out).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_percent_encoded() {
        assert_eq!(
            document("%7B%22Version%22%3A%222012-10-17%22%7D"),
            json!({ "Version": "2012-10-17" })
        );
    }
}
