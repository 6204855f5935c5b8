//! Log groups of CloudWatch Logs, found by their fixed names.

use async_trait::async_trait;
use futures::future::try_join_all;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Loss, Made, Object, Part, Tags,
};
use serde::Serialize;
use serde_json::json;

use crate::failure::codes;
use crate::kind::{INVISIBLE, Place, QUICK, gone, names, object, unfinished};
use crate::partition::partition;

/// A log group.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "log_group")]
pub struct LogGroup {
    /// Its name, once in account and region: at most 512 characters.
    #[part(replace)]
    pub name: String,
    /// Days that entries are kept: 1, 3, 5, 7, 14, 30, … (CloudWatch Logs `PutRetentionPolicy`).
    pub retention_days: i64,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

pub(crate) struct LogGroups(pub(crate) Place);

impl LogGroups {
    /// Its ARN: of its name, or as AWS answers where the account's id is not asked for.
    async fn arn(&self, name: &str) -> Result<String, Failure> {
        let region = &self.0.region;
        let account = self.0.aws.account(Some(region)).await?.id;
        if !account.is_empty() {
            let partition = partition(region);
            return Ok(format!(
                "arn:{partition}:logs:{region}:{account}:log-group:{name}"
            ));
        }
        let doing = format!("looking for the ARN of log group {name}");
        let found = self.describe(name, &doing).await?;
        found.and_then(|group| arn_of(&group)).ok_or_else(|| {
            Failure::new(Class::NotYet, doing, "AWS does not list it yet").code(codes::NOT_YET)
        })
    }

    async fn describe(
        &self,
        name: &str,
        doing: &str,
    ) -> Result<Option<aws_sdk_cloudwatchlogs::types::LogGroup>, Failure> {
        let logs = self.0.aws.logs(&self.0.region).await?;
        let by_name = logs.read.describe_log_groups().log_group_name_prefix(name).send();
        let answer = self.0.aws.call("logs:DescribeLogGroups", doing, by_name).await?;
        // A prefix finds longer names too; the exact one sorts first.
        let found = answer.log_groups.unwrap_or_default();
        Ok(found
            .into_iter()
            .find(|group| group.log_group_name() == Some(name)))
    }

    async fn look(&self, name: &str) -> Result<Option<Object>, Failure> {
        let logs = self.0.aws.logs(&self.0.region).await?;
        let doing = || format!("looking for log group {name}");
        let Some(group) = self.describe(name, &doing()).await? else {
            return Ok(None);
        };
        let arn = match arn_of(&group) {
            Some(arn) => arn,
            None => self.arn(name).await?,
        };
        let list = logs.read.list_tags_for_resource().resource_arn(&arn).send();
        let tags = match self.0.aws.call("logs:ListTagsForResource", doing(), list).await {
            Err(failure) if failure.class == Class::NotFound => return Ok(None),
            other => other?.tags.unwrap_or_default().into_iter().collect(),
        };
        let fields = json!({ "name": name, "retention_days": group.retention_in_days });
        Ok(Some(Object {
            arn: Some(arn),
            ..object(name.to_owned(), Condition::Settled, fields, tags, Vec::new())
        }))
    }

    async fn keep(&self, name: &str, days: i64) -> Result<(), Failure> {
        let logs = self.0.aws.logs(&self.0.region).await?;
        let doing = format!("setting the retention of log group {name}");
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let put = logs
            .write
            .put_retention_policy()
            .log_group_name(name)
            .retention_in_days(days)
            .send();
        self.0
            .aws
            .call("logs:PutRetentionPolicy", doing, put)
            .await
            .map(|_| ())
    }
}

/// The ARN as tags want it. AWS gives it in two forms; the older ends in `:*`, for policies.
fn arn_of(group: &aws_sdk_cloudwatchlogs::types::LogGroup) -> Option<String> {
    let arn = group.log_group_arn().or(group.arn())?;
    Some(arn.trim_end_matches(":*").to_owned())
}

#[async_trait]
impl Kind for LogGroups {
    type Part = LogGroup;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: LogGroup::KIND,
            title: "log group",
            deletion_order: 95,
            idempotence: Idempotence::NaturalKey,
            invisible_for: INVISIBLE,
            pace: QUICK,
            reads: &["logs:DescribeLogGroups", "logs:ListTagsForResource"],
            writes: &[
                "logs:CreateLogGroup",
                "logs:PutRetentionPolicy",
                "logs:DeleteLogGroup",
                "logs:TagResource",
                "logs:UntagResource",
            ],
        }
    }

    fn loss(&self) -> Loss {
        Loss::Thing("its history")
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let names = names(ask);
        let found = try_join_all(names.iter().map(|name| self.look(name))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, part: &LogGroup, call: &Call) -> Result<Made, Failure> {
        let logs = self.0.aws.logs(&self.0.region).await?;
        let arn = self.arn(&part.name).await?;
        let tags = call.tags(&part.tags).into_iter().collect();
        let make = logs
            .write
            .create_log_group()
            .log_group_name(&part.name)
            .set_tags(Some(tags))
            .send();
        let doing = format!("creating log group {} ({})", part.name, call.key);
        self.0.aws.call("logs:CreateLogGroup", doing, make).await?;
        let kept = self.keep(&part.name, part.retention_days).await;
        Ok(Made::new(&part.name, unfinished(kept, Condition::Settled)).arn(Some(arn)))
    }

    async fn update(&self, part: &LogGroup, is: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        self.keep(&is.id, part.retention_days).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let logs = self.0.aws.logs(&self.0.region).await?;
        let arn = self.arn(id).await?;
        let doing = || format!("tagging log group {id}");
        if !set.is_empty() {
            let tags = set.clone().into_iter().collect();
            let call = logs
                .write
                .tag_resource()
                .resource_arn(&arn)
                .set_tags(Some(tags))
                .send();
            self.0.aws.call("logs:TagResource", doing(), call).await?;
        }
        if !remove.is_empty() {
            let call = logs
                .write
                .untag_resource()
                .resource_arn(&arn)
                .set_tag_keys(Some(remove.to_vec()))
                .send();
            self.0.aws.call("logs:UntagResource", doing(), call).await?;
        }
        Ok(())
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let logs = self.0.aws.logs(&self.0.region).await?;
        let delete = logs.write.delete_log_group().log_group_name(&object.id).send();
        let doing = format!("deleting log group {}", object.id);
        gone(
            self.0
                .aws
                .call("logs:DeleteLogGroup", doing, delete)
                .await
                .map(|_| ()),
        )?;
        Ok(Deleted::Gone)
    }
}
