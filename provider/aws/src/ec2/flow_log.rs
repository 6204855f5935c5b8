//! Flow logs of a VPC, to CloudWatch Logs or S3.

use async_trait::async_trait;
use aws_sdk_ec2::types::{FlowLogsResourceType, LogDestinationType, ResourceType, TrafficType};
use reconcile::failure::Failure;
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Ref, Tags,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::find::{Filters, InVpc, find, pages, tags, tags_of_new};
use crate::failure;
use crate::iam::role::role_arn;
use crate::kind::{INVISIBLE, Place, QUICK, no_answer, object, some};

/// A flow log of all traffic of a VPC.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "flow_log")]
pub struct FlowLog {
    /// The VPC.
    #[part(replace)]
    pub vpc: Ref,
    /// ARN of the S3 bucket (and folder) that it is written to, …
    #[part(replace)]
    pub bucket: Option<String>,
    /// … or the log group, …
    #[part(replace)]
    pub log_group: Option<Ref>,
    /// … with the role that may write there.
    #[part(replace)]
    pub role: Option<Ref>,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

pub(crate) struct FlowLogs(pub(crate) Place);

impl FlowLogs {
    async fn describe(&self, filters: Filters) -> Result<Vec<aws_sdk_ec2::types::FlowLog>, Failure> {
        pages!(
            &self.0,
            "ec2:DescribeFlowLogs",
            "looking for flow logs",
            describe_flow_logs,
            set_filter,
            flow_logs,
            filters
        )
    }

    fn object(log: aws_sdk_ec2::types::FlowLog) -> Option<Object> {
        let condition = match (log.flow_log_status(), log.deliver_logs_status()) {
            (Some("ACTIVE") | None, Some("FAILED")) => {
                // AWS goes on trying: the object is as it should be, its surroundings are not.
                let error = log.deliver_logs_error_message().unwrap_or("no reason given");
                tracing::warn!(id = log.flow_log_id(), error, "the flow log cannot be delivered");
                Condition::Settled
            }
            _ => Condition::Settled,
        };
        let bucket = match &log.log_destination_type {
            Some(LogDestinationType::S3) => log.log_destination,
            _ => None,
        };
        // The ids of a log group and a role are their names.
        let role = log
            .deliver_logs_permission_arn
            .as_deref()
            .and_then(|arn| arn.rsplit('/').next())
            .map(str::to_owned);
        let mut fields = json!({ "vpc": log.resource_id, "role": role });
        if bucket.is_some() {
            fields["bucket"] = json!(bucket);
        } else {
            fields["log_group"] = json!(log.log_group_name);
        }
        let group = log.log_group_name.filter(|_| bucket.is_none());
        let references = some([log.resource_id, group, role]);
        Some(object(
            log.flow_log_id?,
            condition,
            fields,
            tags(log.tags),
            references,
        ))
    }
}

#[async_trait]
impl Kind for FlowLogs {
    type Part = FlowLog;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: FlowLog::KIND,
            title: "flow log",
            deletion_order: 10,
            idempotence: Idempotence::Token,
            invisible_for: INVISIBLE,
            pace: QUICK,
            reads: &["ec2:DescribeFlowLogs"],
            writes: &[
                "ec2:CreateFlowLogs",
                "ec2:DeleteFlowLogs",
                "ec2:CreateTags",
                "ec2:DeleteTags",
                "iam:PassRole to vpc-flow-logs.amazonaws.com",
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
            ],
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        ["vpc", "bucket", "log_group"].iter().all(|field| {
            let of = |fields: &Value| fields.get(field).cloned().unwrap_or_default();
            of(declared) == of(&object.fields)
        })
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let in_vpc = InVpc::All("resource-id");
        let found = find(
            ask,
            "flow-log-id",
            in_vpc,
            aws_sdk_ec2::types::FlowLog::flow_log_id,
            |f| self.describe(f),
        )
        .await?;
        Ok(found.into_iter().filter_map(Self::object).collect())
    }

    async fn create(&self, part: &FlowLog, call: &Call) -> Result<Made, Failure> {
        let ec2 = self.0.ec2().await?;
        let mut make = ec2
            .write
            .create_flow_logs()
            .resource_type(FlowLogsResourceType::Vpc)
            .resource_ids(call.id(&part.vpc)?)
            .traffic_type(TrafficType::All)
            .client_token(&call.token)
            .tag_specifications(tags_of_new(ResourceType::VpcFlowLog, &call.tags(&part.tags)));
        if let Some(bucket) = &part.bucket {
            make = make
                .log_destination_type(LogDestinationType::S3)
                .log_destination(bucket);
        }
        if let Some(group) = &part.log_group {
            make = make
                .log_destination_type(LogDestinationType::CloudWatchLogs)
                .log_group_name(call.id(group)?);
        }
        if let Some(role) = &part.role {
            make = make.deliver_logs_permission_arn(role_arn(&self.0, call.id(role)?).await?);
        }
        let doing = format!("creating flow log ({})", call.key);
        let answer = self
            .0
            .aws
            .call("ec2:CreateFlowLogs", doing.as_str(), make.send())
            .await?;
        refused("ec2:CreateFlowLogs", &doing, answer.unsuccessful())?;
        let id = answer
            .flow_log_ids
            .unwrap_or_default()
            .into_iter()
            .next()
            .ok_or_else(|| no_answer(call))?;
        Ok(Made::settled(id))
    }

    async fn update(&self, _: &FlowLog, _: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let ec2 = self.0.ec2().await?;
        let doing = format!("deleting flow log {}", object.id);
        let delete = ec2.write.delete_flow_logs().flow_log_ids(&object.id).send();
        let answer = self
            .0
            .aws
            .call("ec2:DeleteFlowLogs", doing.as_str(), delete)
            .await?;
        refused("ec2:DeleteFlowLogs", &doing, answer.unsuccessful())?;
        Ok(Deleted::Gone)
    }
}

/// The failure inside of an answer that is no error.
fn refused(action: &str, doing: &str, items: &[aws_sdk_ec2::types::UnsuccessfulItem]) -> Result<(), Failure> {
    match items.first().and_then(|item| item.error()) {
        Some(error) => Err(failure::of_item(
            action,
            doing,
            error.code().unwrap_or_default(),
            error.message().unwrap_or_default(),
        )),
        None => Ok(()),
    }
}
