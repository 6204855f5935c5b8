//! Queues of SQS, found by their fixed names.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use reconcile::failure::Failure;
use reconcile::part::{Call, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Tags};
use serde::Serialize;
use serde_json::{Value, json};

use crate::kind::{Api, ByName, pace, settled, usual};

/// A standard queue whose messages are encrypted with SQS's own key.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "sqs_queue")]
pub struct Queue {
    /// Its name, once in account and region: at most 80 letters, digits, hyphens and underscores (AWS SQS `CreateQueue`).
    #[part(replace)]
    pub name: String,
    /// How long messages are kept, in seconds: 60 to 1,209,600 (AWS SQS `SetQueueAttributes`).
    pub retention_seconds: i64,
    /// Who may do what with it: statements of a policy, each about the queue itself, so that none names it as `Resource`.
    pub statements: Vec<Value>,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// SQS, and what is being done there.
type Sqs = Api<aws_sdk_sqs::Client>;

#[async_trait]
impl ByName for Queue {
    type Client = aws_sdk_sqs::Client;

    const TRAITS: KindTraits = KindTraits {
        title: "queue",
        deletion_order: 90,
        idempotence: Idempotence::NaturalKey,
        // A queue takes up to 60 seconds to go, and its name as long until it is free (AWS SQS DeleteQueue).
        pace: pace(2, 60, 300),
        reads: &["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags"],
        writes: &[
            "sqs:CreateQueue",
            "sqs:SetQueueAttributes",
            "sqs:DeleteQueue",
            "sqs:TagQueue",
            "sqs:UntagQueue",
        ],
        ..usual(Self::KIND)
    };

    fn name(&self) -> &str {
        &self.name
    }

    async fn see(sqs: &Sqs, name: &str) -> Result<Option<Object>, Failure> {
        let url = url(sqs, name).await?;
        let get = sqs.read.get_queue_attributes().queue_url(&url);
        let get = get.attribute_names(Name::All).send();
        let list = sqs.read.list_queue_tags().queue_url(&url).send();
        let (attributes, tags) = futures::try_join!(
            sqs.call("sqs:GetQueueAttributes", get),
            sqs.call("sqs:ListQueueTags", list)
        )?;
        let attributes = attributes.attributes.unwrap_or_default();
        let arn = attributes.get(&Name::QueueArn).cloned();
        let seconds = attributes.get(&Name::MessageRetentionPeriod);
        let policy = attributes
            .get(&Name::Policy)
            .map(String::as_str)
            .unwrap_or_default();
        let fields = json!({
            "name": name,
            "retention_seconds": seconds.and_then(|seconds| seconds.parse::<i64>().ok()),
            "statements": statements(policy, arn.as_deref()),
        });
        Ok(Some(Object {
            arn,
            tags: tags.tags.unwrap_or_default().into_iter().collect(),
            ..settled(fields)
        }))
    }

    async fn make(&self, sqs: &Sqs, call: &Call) -> Result<Made, Failure> {
        let make = sqs
            .write
            .create_queue()
            .queue_name(&self.name)
            .set_attributes(Some(self.attributes(None)))
            .set_tags(Some(call.tags(&self.tags).into_iter().collect()));
        let answer = sqs.call("sqs:CreateQueue", make.send()).await?;
        let made = Made::settled(&self.name);
        let Some(url) = answer.queue_url else {
            return Ok(made);
        };
        let arn = arn(sqs, &url).await?;
        let finish = self.set(sqs, &url, &arn).await;
        Ok(crate::kind::finished(made.arn(Some(arn)), finish))
    }

    async fn change(&self, sqs: &Sqs, is: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        let url = url(sqs, &is.id).await?;
        let arn = arn(sqs, &url).await?;
        self.set(sqs, &url, &arn).await
    }

    async fn tag(sqs: &Sqs, name: &str, tags: &Tags) -> Result<(), Failure> {
        let url = url(sqs, name).await?;
        let tag = sqs.write.tag_queue().queue_url(url);
        let tag = tag.set_tags(Some(tags.clone().into_iter().collect())).send();
        sqs.call("sqs:TagQueue", tag).await?;
        Ok(())
    }

    async fn untag(sqs: &Sqs, name: &str, tags: &[String]) -> Result<(), Failure> {
        let url = url(sqs, name).await?;
        let untag = sqs.write.untag_queue().queue_url(url);
        let untag = untag.set_tag_keys(Some(tags.to_vec())).send();
        sqs.call("sqs:UntagQueue", untag).await?;
        Ok(())
    }

    async fn unmake(sqs: &Sqs, object: &Object) -> Result<Deleted, Failure> {
        let url = url(sqs, &object.id).await?;
        let delete = sqs.write.delete_queue().queue_url(url).send();
        sqs.call("sqs:DeleteQueue", delete).await?;
        Ok(Deleted::Begun)
    }
}

impl Queue {
    /// Its attributes; the policy only with its ARN, which the first call does not know.
    fn attributes(&self, arn: Option<&str>) -> HashMap<Name, String> {
        let mut all = HashMap::from([
            (Name::MessageRetentionPeriod, self.retention_seconds.to_string()),
            (Name::SqsManagedSseEnabled, "true".to_owned()),
        ]);
        if let Some(arn) = arn {
            let about_it = |statement: &Value| {
                let mut statement = statement.clone();
                statement["Resource"] = arn.into();
                statement
            };
            let all_of_them: Vec<Value> = self.statements.iter().map(about_it).collect();
            let policy = json!({ "Version": "2012-10-17", "Statement": all_of_them });
            let policy = if self.statements.is_empty() {
                String::new()
            } else {
                policy.to_string()
            };
            all.insert(Name::Policy, policy);
        }
        all
    }

    async fn set(&self, sqs: &Sqs, url: &str, arn: &str) -> Result<(), Failure> {
        let sqs = sqs.to(format!("setting the attributes of queue {}", self.name));
        let set = sqs.write.set_queue_attributes().queue_url(url);
        let set = set.set_attributes(Some(self.attributes(Some(arn)))).send();
        sqs.call("sqs:SetQueueAttributes", set).await?;
        Ok(())
    }
}

async fn url(sqs: &Sqs, name: &str) -> Result<String, Failure> {
    let get = sqs.read.get_queue_url().queue_name(name).send();
    let answer = sqs.call("sqs:GetQueueUrl", get).await?;
    Ok(answer.queue_url.unwrap_or_default())
}

async fn arn(sqs: &Sqs, url: &str) -> Result<String, Failure> {
    let get = sqs.read.get_queue_attributes().queue_url(url);
    let get = get.attribute_names(Name::QueueArn).send();
    let answer = sqs.call("sqs:GetQueueAttributes", get).await?;
    let attributes = answer.attributes.unwrap_or_default();
    Ok(attributes.get(&Name::QueueArn).cloned().unwrap_or_default())
}

/// The statements of a policy, without the queue that they are about.
fn statements(policy: &str, arn: Option<&str>) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let one_or_more = match policy["Statement"].clone() {
        Value::Array(all) => all,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let without = |mut statement: Value| {
        if statement["Resource"].as_str() == arn
            && let Some(fields) = statement.as_object_mut()
        {
            fields.shift_remove("Resource");
        }
        statement
    };
    one_or_more.into_iter().map(without).collect()
}
