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
use crate::kind::{Api, ByName, Place, finished, gone, list_changes, map_changes, of, pages, settled, usual};
use crate::partition::partition;

/// A role with its policies. Policies that others attach are left alone.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "iam_role")]
pub struct IamRole {
    /// Its name, once in the account: at most 64 characters (IAM `CreateRole`).
    #[part(replace)]
    pub name: String,
    /// Who may assume it: a policy document.
    pub trust: Value,
    /// Inline policies by name: documents; together at most 10,240 characters.
    #[part(own_entries)]
    pub policies: BTreeMap<String, Value>,
    /// ARNs of managed policies.
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
            trust: json!({ "Version": "2012-10-17", "Statement": [statement] }),
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
}

/// IAM, and what is being done there.
type Iam = Api<aws_sdk_iam::Client>;

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
            "iam:PutRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
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
            let trust = role.assume_role_policy_document.as_deref().map(document);
            let fields =
                json!({ "name": name, "trust": trust, "policies": policies, "managed_policies": managed });
            let tags = role
                .tags
                .unwrap_or_default()
                .into_iter()
                .map(|tag| (tag.key, tag.value))
                .collect();
            Object {
                arn: Some(role.arn),
                tags,
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
            .assume_role_policy_document(self.trust.to_string())
            .set_tags(Some(tag_list(&call.tags(&self.tags))));
        let answer = iam.call("iam:CreateRole", make.send()).await?;
        let finish = async {
            let inline = self
                .policies
                .iter()
                .map(|(policy, document)| put(iam, name, policy, document));
            let managed = self.managed_policies.iter().map(|arn| attach(iam, name, arn));
            try_join!(try_join_all(inline), try_join_all(managed))?;
            Ok(())
        };
        let made = Made::settled(name).arn(answer.role.map(|role| role.arn));
        Ok(finished(made, finish.await))
    }

    async fn change(&self, iam: &Iam, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        let role = &is.id;
        if of("trust", what).is_some() {
            let iam = iam.to(format!("changing who may assume role {role}"));
            let update = iam.write.update_assume_role_policy().role_name(role);
            let update = update.policy_document(self.trust.to_string()).send();
            iam.call("iam:UpdateAssumeRolePolicy", update).await?;
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
        // IAM deletes only bare roles, so policies that others attached go too.
        let inline = object.fields["policies"].as_object().into_iter().flatten();
        let managed = object.fields["managed_policies"].as_array().into_iter().flatten();
        let managed = managed.filter_map(Value::as_str);
        try_join!(
            try_join_all(inline.map(|(policy, _)| remove(iam, role, policy))),
            try_join_all(managed.map(|arn| detach(iam, role, arn))),
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
fn tag_list(tags: &Tags) -> Vec<Tag> {
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
