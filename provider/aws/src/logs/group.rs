//! Log groups of CloudWatch Logs, found by their fixed names.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Call, Deleted, Difference, Idempotence, KindTraits, Loss, Made, Object, Part, Tags};
use serde::Serialize;
use serde_json::json;

use crate::failure::codes;
use crate::kind::{Api, ByName, finished, settled, usual};
use crate::partition::partition;

/// For how many days a log group can keep its logs (AWS CloudWatch Logs `PutRetentionPolicy`).
pub const RETENTION_DAYS: [i64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// A log group.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "log_group")]
pub struct LogGroup {
    /// Its name, once in account and region: at most 512 characters.
    #[part(replace)]
    pub name: String,
    /// Days that entries are kept, one of [`RETENTION_DAYS`].
    pub retention_days: i64,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// How long EKS writes the last logs of a cluster that is gone, for which it makes the group again, without tags and for ever
/// (terraform-aws-modules/terraform-aws-eks#2763).
const LAST_LOGS: Duration = Duration::from_secs(120);

/// Whether EKS writes the logs of a control plane to it.
fn is_of_eks(name: &str) -> bool {
    name.starts_with("/aws/eks/") && name.ends_with("/cluster")
}

/// CloudWatch Logs, and what is being done there.
type Logs = Api<aws_sdk_cloudwatchlogs::Client>;

#[async_trait]
impl ByName for LogGroup {
    type Client = aws_sdk_cloudwatchlogs::Client;

    const TRAITS: KindTraits = KindTraits {
        title: "log group",
        deletion_order: 95,
        idempotence: Idempotence::NaturalKey,
        reads: &["logs:DescribeLogGroups", "logs:ListTagsForResource"],
        writes: &[
            "logs:CreateLogGroup",
            "logs:PutRetentionPolicy",
            "logs:DeleteLogGroup",
            "logs:TagResource",
            "logs:UntagResource",
        ],
        ..usual(Self::KIND)
    };
    const LOSS: Loss = Loss::Thing("its history");

    fn name(&self) -> &str {
        &self.name
    }

    async fn see(logs: &Logs, name: &str) -> Result<Option<Object>, Failure> {
        let Some(group) = describe(logs, name).await? else {
            return Ok(None);
        };
        let arn = match arn_of(&group) {
            Some(arn) => arn,
            None => arn(logs, name).await?,
        };
        let list = logs.read.list_tags_for_resource().resource_arn(&arn);
        let answer = logs.call("logs:ListTagsForResource", list.send()).await?;
        let fields = json!({ "name": name, "retention_days": group.retention_in_days });
        let tags = answer.tags.unwrap_or_default().into_iter().collect();
        Ok(Some(Object {
            arn: Some(arn),
            tags,
            ..settled(fields)
        }))
    }

    async fn make(&self, logs: &Logs, call: &Call) -> Result<Made, Failure> {
        let arn = arn(logs, &self.name).await?;
        let tags = call.tags(&self.tags).into_iter().collect();
        let make = logs
            .write
            .create_log_group()
            .log_group_name(&self.name)
            .set_tags(Some(tags));
        logs.call("logs:CreateLogGroup", make.send()).await?;
        let kept = self.keep(logs).await;
        Ok(finished(Made::settled(&self.name).arn(Some(arn)), kept))
    }

    async fn change(&self, logs: &Logs, _: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        self.keep(logs).await
    }

    async fn tag(logs: &Logs, name: &str, tags: &Tags) -> Result<(), Failure> {
        let call = logs.write.tag_resource().resource_arn(arn(logs, name).await?);
        let call = call.set_tags(Some(tags.clone().into_iter().collect()));
        logs.call("logs:TagResource", call.send()).await?;
        Ok(())
    }

    async fn untag(logs: &Logs, name: &str, tags: &[String]) -> Result<(), Failure> {
        let call = logs.write.untag_resource().resource_arn(arn(logs, name).await?);
        logs.call(
            "logs:UntagResource",
            call.set_tag_keys(Some(tags.to_vec())).send(),
        )
        .await?;
        Ok(())
    }

    async fn unmake(logs: &Logs, object: &Object) -> Result<Deleted, Failure> {
        let delete = logs.write.delete_log_group().log_group_name(&object.id);
        logs.call("logs:DeleteLogGroup", delete.send()).await?;
        Ok(if is_of_eks(&object.id) {
            Deleted::MayReturn(LAST_LOGS)
        } else {
            Deleted::Gone
        })
    }
}

impl LogGroup {
    async fn keep(&self, logs: &Logs) -> Result<(), Failure> {
        let logs = logs.to(format!("setting the retention of log group {}", self.name));
        let days = i32::try_from(self.retention_days).unwrap_or(i32::MAX);
        let put = logs
            .write
            .put_retention_policy()
            .log_group_name(&self.name)
            .retention_in_days(days);
        logs.call("logs:PutRetentionPolicy", put.send()).await?;
        Ok(())
    }
}

async fn describe(logs: &Logs, name: &str) -> Result<Option<types::LogGroup>, Failure> {
    let by_name = logs.read.describe_log_groups().log_group_name_prefix(name);
    let answer = logs.call("logs:DescribeLogGroups", by_name.send()).await?;
    // A prefix finds longer names too; the exact one sorts first.
    let found = answer.log_groups.unwrap_or_default();
    Ok(found
        .into_iter()
        .find(|group| group.log_group_name() == Some(name)))
}

/// Its ARN: of its name, or as AWS answers where the account's id is not asked for.
async fn arn(logs: &Logs, name: &str) -> Result<String, Failure> {
    let region = &logs.place.region;
    let account = logs.place.aws.account(Some(region)).await?.id;
    if !account.is_empty() {
        let partition = partition(region);
        return Ok(format!(
            "arn:{partition}:logs:{region}:{account}:log-group:{name}"
        ));
    }
    let logs = logs.to(format!("looking for the ARN of log group {name}"));
    let found = describe(&logs, name).await?;
    let not_yet =
        || Failure::new(Class::NotYet, logs.doing(), "AWS does not list it yet").code(codes::NOT_YET);
    found.and_then(|group| arn_of(&group)).ok_or_else(not_yet)
}

/// The ARN as tags want it. AWS gives it in two forms; the older ends in `:*`, for policies.
fn arn_of(group: &types::LogGroup) -> Option<String> {
    let arn = group.log_group_arn().or(group.arn())?;
    Some(arn.trim_end_matches(":*").to_owned())
}
