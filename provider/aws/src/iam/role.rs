//! IAM roles, found by their fixed names: IAM lists them without tags, and globally.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_iam::types::Tag;
use futures::future::try_join_all;
use futures::try_join;
use percent_encoding::percent_decode_str;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Tags,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::codes;
use crate::kind::{INVISIBLE, Place, gone, list_changes, names, object, pace, unfinished};
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

pub(crate) struct IamRoles(pub(crate) Place);

/// A document as IAM gives it: percent-encoded JSON.
fn document(text: &str) -> Value {
    let text = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
}

/// The ARN of a role: of its name, or as IAM answers where the account's id is not asked for.
pub(crate) async fn role_arn(place: &Place, name: &str) -> Result<String, Failure> {
    let account = place.aws.account(Some(&place.region)).await?.id;
    if !account.is_empty() {
        return Ok(format!(
            "arn:{}:iam::{account}:role/{name}",
            partition(&place.region)
        ));
    }
    let iam = place.aws.iam(&place.region).await?;
    let get = iam.read.get_role().role_name(name).send();
    let doing = format!("looking for the ARN of role {name}");
    let answer = place.aws.call("iam:GetRole", doing.as_str(), get).await;
    match answer {
        Ok(answer) => answer.role.map(|role| role.arn).ok_or(()),
        // Made a moment ago.
        Err(failure) if failure.class == Class::NotFound => Err(()),
        Err(failure) => return Err(failure),
    }
    .map_err(|()| Failure::new(Class::NotYet, doing, "IAM does not show it yet").code(codes::NOT_YET))
}

impl IamRoles {
    async fn iam(&self) -> Result<crate::client::Clients<aws_sdk_iam::Client>, Failure> {
        self.0.aws.iam(&self.0.region).await
    }

    async fn look(&self, name: &str) -> Result<Option<Object>, Failure> {
        let iam = self.iam().await?;
        let doing = || format!("looking for role {name}");
        let role = async {
            let get = iam.read.get_role().role_name(name).send();
            self.0.aws.call("iam:GetRole", doing(), get).await
        };
        match try_join!(role, self.inline(name), self.managed(name)) {
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            Err(failure) => Err(failure),
            Ok((answer, policies, managed)) => Ok(answer.role.map(|role| {
                let trust = role.assume_role_policy_document.as_deref().map(document);
                let fields = json!({ "name": name, "trust": trust, "policies": policies, "managed_policies": managed });
                let tags = role.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
                Object { arn: Some(role.arn), ..object(name.to_owned(), Condition::Settled, fields, tags, Vec::new()) }
            })),
        }
    }

    async fn inline(&self, name: &str) -> Result<BTreeMap<String, Value>, Failure> {
        let iam = self.iam().await?;
        let doing = || format!("looking at the policies of role {name}");
        let mut policies = Vec::new();
        let mut marker = None;
        loop {
            let list = iam
                .read
                .list_role_policies()
                .role_name(name)
                .set_marker(marker)
                .send();
            let answer = self.0.aws.call("iam:ListRolePolicies", doing(), list).await?;
            policies.extend(answer.policy_names);
            marker = answer.marker;
            if !answer.is_truncated || marker.is_none() {
                break;
            }
        }
        let documents = try_join_all(policies.into_iter().map(|policy| async {
            let get = iam
                .read
                .get_role_policy()
                .role_name(name)
                .policy_name(&policy)
                .send();
            let answer = self.0.aws.call("iam:GetRolePolicy", doing(), get).await?;
            Ok::<_, Failure>((policy, document(&answer.policy_document)))
        }))
        .await?;
        Ok(documents.into_iter().collect())
    }

    async fn managed(&self, name: &str) -> Result<Vec<String>, Failure> {
        let iam = self.iam().await?;
        let mut arns = Vec::new();
        let mut marker = None;
        loop {
            let list = iam
                .read
                .list_attached_role_policies()
                .role_name(name)
                .set_marker(marker)
                .send();
            let doing = format!("looking at the policies of role {name}");
            let answer = self
                .0
                .aws
                .call("iam:ListAttachedRolePolicies", doing, list)
                .await?;
            arns.extend(
                answer
                    .attached_policies
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|policy| policy.policy_arn),
            );
            marker = answer.marker;
            if !answer.is_truncated || marker.is_none() {
                break;
            }
        }
        arns.sort();
        Ok(arns)
    }

    async fn put(&self, role: &str, policy: &str, document: &Value) -> Result<(), Failure> {
        let iam = self.iam().await?;
        let put = iam
            .write
            .put_role_policy()
            .role_name(role)
            .policy_name(policy)
            .policy_document(document.to_string())
            .send();
        let doing = format!("setting policy {policy} of role {role}");
        self.0.aws.call("iam:PutRolePolicy", doing, put).await.map(|_| ())
    }

    async fn remove(&self, role: &str, policy: &str) -> Result<(), Failure> {
        let iam = self.iam().await?;
        let delete = iam
            .write
            .delete_role_policy()
            .role_name(role)
            .policy_name(policy)
            .send();
        let doing = format!("removing policy {policy} of role {role}");
        gone(
            self.0
                .aws
                .call("iam:DeleteRolePolicy", doing, delete)
                .await
                .map(|_| ()),
        )
    }

    async fn attach(&self, role: &str, arn: &str) -> Result<(), Failure> {
        let iam = self.iam().await?;
        let attach = iam
            .write
            .attach_role_policy()
            .role_name(role)
            .policy_arn(arn)
            .send();
        let doing = format!("attaching {arn} to role {role}");
        self.0
            .aws
            .call("iam:AttachRolePolicy", doing, attach)
            .await
            .map(|_| ())
    }

    async fn detach(&self, role: &str, arn: &str) -> Result<(), Failure> {
        let iam = self.iam().await?;
        let detach = iam
            .write
            .detach_role_policy()
            .role_name(role)
            .policy_arn(arn)
            .send();
        let doing = format!("detaching {arn} from role {role}");
        gone(
            self.0
                .aws
                .call("iam:DetachRolePolicy", doing, detach)
                .await
                .map(|_| ()),
        )
    }
}

#[async_trait]
impl Kind for IamRoles {
    type Part = IamRole;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: IamRole::KIND,
            title: "IAM role",
            deletion_order: 96,
            idempotence: Idempotence::NaturalKey,
            invisible_for: INVISIBLE,
            pace: pace(2, 2, 300),
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
        }
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let names = names(ask);
        let found = try_join_all(names.iter().map(|name| self.look(name))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, part: &IamRole, call: &Call) -> Result<Made, Failure> {
        let iam = self.iam().await?;
        let doing = format!("creating role {} ({})", part.name, call.key);
        let tags = call
            .tags(&part.tags)
            .into_iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|error| {
            Failure::new(Class::Invalid, &doing, error.to_string()).code(crate::failure::codes::INVALID)
        })?;
        let make = iam
            .write
            .create_role()
            .role_name(&part.name)
            .assume_role_policy_document(part.trust.to_string())
            .set_tags(Some(tags))
            .send();
        let answer = self.0.aws.call("iam:CreateRole", doing, make).await?;
        let finish = async {
            try_join!(
                try_join_all(
                    part.policies
                        .iter()
                        .map(|(policy, document)| self.put(&part.name, policy, document))
                ),
                try_join_all(
                    part.managed_policies
                        .iter()
                        .map(|arn| self.attach(&part.name, arn))
                ),
            )?;
            Ok(())
        };
        let condition = unfinished(finish.await, Condition::Settled);
        Ok(Made::new(&part.name, condition).arn(answer.role.map(|role| role.arn)))
    }

    async fn update(
        &self,
        part: &IamRole,
        is: &Object,
        differences: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let role = &is.id;
        for difference in differences {
            match difference.field.as_str() {
                "trust" => {
                    let iam = self.iam().await?;
                    let document = part.trust.to_string();
                    let update = iam
                        .write
                        .update_assume_role_policy()
                        .role_name(role)
                        .policy_document(document)
                        .send();
                    let doing = format!("changing who may assume role {role}");
                    self.0
                        .aws
                        .call("iam:UpdateAssumeRolePolicy", doing, update)
                        .await?;
                }
                "policies" => {
                    let (is, should) = (&difference.is, &difference.should);
                    for (policy, document) in should.as_object().into_iter().flatten() {
                        if is.get(policy) != Some(document) {
                            self.put(role, policy, document).await?;
                        }
                    }
                    for policy in is.as_object().into_iter().flat_map(|map| map.keys()) {
                        if should.get(policy).is_none() {
                            self.remove(role, policy).await?;
                        }
                    }
                }
                "managed_policies" => {
                    let (add, remove) = list_changes(difference, call);
                    try_join_all(add.into_iter().map(|arn| self.attach(role, arn))).await?;
                    try_join_all(remove.into_iter().map(|arn| self.detach(role, arn))).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let iam = self.iam().await?;
        let doing = format!("tagging role {id}");
        if !set.is_empty() {
            let tags = set
                .iter()
                .map(|(key, value)| Tag::builder().key(key).value(value).build());
            let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|error| {
                Failure::new(Class::Invalid, &doing, error.to_string()).code(crate::failure::codes::INVALID)
            })?;
            let call = iam.write.tag_role().role_name(id).set_tags(Some(tags)).send();
            self.0.aws.call("iam:TagRole", doing.as_str(), call).await?;
        }
        if !remove.is_empty() {
            let call = iam
                .write
                .untag_role()
                .role_name(id)
                .set_tag_keys(Some(remove.to_vec()))
                .send();
            self.0.aws.call("iam:UntagRole", doing.as_str(), call).await?;
        }
        Ok(())
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let role = &object.id;
        // IAM deletes only bare roles, so policies that others attached go too.
        let inline = object.fields["policies"].as_object();
        let managed = object.fields["managed_policies"].as_array();
        try_join!(
            try_join_all(
                inline
                    .into_iter()
                    .flat_map(|map| map.keys())
                    .map(|policy| self.remove(role, policy))
            ),
            try_join_all(
                managed
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(|arn| self.detach(role, arn))
            ),
        )?;
        let iam = self.iam().await?;
        let delete = iam.write.delete_role().role_name(role).send();
        gone(
            self.0
                .aws
                .call("iam:DeleteRole", format!("deleting role {role}"), delete)
                .await
                .map(|_| ()),
        )?;
        Ok(Deleted::Gone)
    }
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
