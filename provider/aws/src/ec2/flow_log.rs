//! Flow logs of a VPC, to CloudWatch Logs or S3.

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, FlowLogsResourceType, LogDestinationType, ResourceType, TrafficType};
use reconcile::failure::Failure;
use reconcile::part::{Call, Deleted, Idempotence, KindTraits, Made, Object, Part, Ref, Tags};
use serde::Serialize;
use serde_json::json;

use super::list::tags_of_new;
use crate::iam::role::role_arn;
use crate::kind::{ByFilter, Ec2, InVpc, no_answer, settled, some, usual};

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

#[async_trait]
impl ByFilter for FlowLog {
    type Item = types::FlowLog;

    const TRAITS: KindTraits = KindTraits {
        title: "flow log",
        deletion_order: 10,
        idempotence: Idempotence::Token,
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
        ..usual(Self::KIND)
    };
    const IN_VPC: InVpc = InVpc::All("resource-id");
    const SAME: &'static [&'static str] = &["vpc", "bucket", "log_group"];

    fn see(_: &Ec2, log: types::FlowLog) -> Option<Object> {
        if let (Some("ACTIVE") | None, Some("FAILED")) = (log.flow_log_status(), log.deliver_logs_status()) {
            // AWS goes on trying: the object is as it should be, its surroundings are not.
            let error = log.deliver_logs_error_message().unwrap_or("no reason given");
            tracing::warn!(id = log.flow_log_id(), error, "the flow log cannot be delivered");
        }
        // The ids of a log group and a role are their names.
        let role = log
            .deliver_logs_permission_arn()
            .and_then(|arn| arn.rsplit('/').next());
        let role = role.map(str::to_owned);
        let mut fields = json!({ "vpc": log.resource_id, "role": role });
        let to_s3 = log.log_destination_type == Some(LogDestinationType::S3);
        let bucket = log.log_destination.filter(|_| to_s3);
        let group = log.log_group_name.filter(|_| bucket.is_none());
        match bucket {
            Some(bucket) => fields["bucket"] = json!(bucket),
            None => fields["log_group"] = json!(group),
        }
        let references = some([log.resource_id, group, role]);
        Some(Object {
            references,
            ..settled(fields)
        })
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let mut make = ec2
            .write
            .create_flow_logs()
            .resource_type(FlowLogsResourceType::Vpc)
            .resource_ids(call.id(&self.vpc)?)
            .traffic_type(TrafficType::All)
            .client_token(&call.token)
            .tag_specifications(tags_of_new(ResourceType::VpcFlowLog, &call.tags(&self.tags)));
        if let Some(bucket) = &self.bucket {
            make = make
                .log_destination_type(LogDestinationType::S3)
                .log_destination(bucket);
        }
        if let Some(group) = &self.log_group {
            make = make
                .log_destination_type(LogDestinationType::CloudWatchLogs)
                .log_group_name(call.id(group)?);
        }
        if let Some(role) = &self.role {
            make = make.deliver_logs_permission_arn(role_arn(&ec2.place, call.id(role)?).await?);
        }
        let answer = ec2.call("ec2:CreateFlowLogs", make.send()).await?;
        ec2.check("ec2:CreateFlowLogs", answer.unsuccessful())?;
        let id = answer.flow_log_ids.unwrap_or_default().into_iter().next();
        id.map(Made::settled).ok_or_else(|| no_answer(call))
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        let delete = ec2.write.delete_flow_logs().flow_log_ids(&object.id);
        let answer = ec2.call("ec2:DeleteFlowLogs", delete.send()).await?;
        ec2.check("ec2:DeleteFlowLogs", answer.unsuccessful())?;
        Ok(Deleted::Gone)
    }
}
