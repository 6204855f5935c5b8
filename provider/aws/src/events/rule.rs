//! Rules of EventBridge's default bus, found by their fixed names.

use async_trait::async_trait;
use aws_sdk_eventbridge::types::{RuleState, Tag, Target as Receiver};
use futures::try_join;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Call, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Tags, Text};
use serde::Serialize;
use serde_json::{Value, json};

use crate::kind::{Api, ByName, finished, gone, of, settled, usual};

/// A rule that sends the events of a pattern to one receiver.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "event_rule")]
pub struct Rule {
    /// Its name, once in account and region: at most 64 letters, digits, dots, hyphens and underscores (AWS EventBridge `PutRule`).
    #[part(replace)]
    pub name: String,
    /// Which events it takes.
    pub pattern: Value,
    /// The ARN of what gets them: a queue whose policy lets EventBridge send.
    pub receiver: Text,
    /// Whether it is at work.
    pub enabled: bool,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// By which the rule knows its receiver.
const RECEIVER: &str = "ekb";

/// EventBridge, and what is being done there.
type Events = Api<aws_sdk_eventbridge::Client>;

#[async_trait]
impl ByName for Rule {
    type Client = aws_sdk_eventbridge::Client;

    const TRAITS: KindTraits = KindTraits {
        title: "event rule",
        deletion_order: 85,
        idempotence: Idempotence::NaturalKey,
        reads: &[
            "events:DescribeRule",
            "events:ListTargetsByRule",
            "events:ListTagsForResource",
        ],
        writes: &[
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:DeleteRule",
            "events:TagResource",
            "events:UntagResource",
        ],
        ..usual(Self::KIND)
    };

    fn name(&self) -> &str {
        &self.name
    }

    async fn see(events: &Events, name: &str) -> Result<Option<Object>, Failure> {
        let describe = events.read.describe_rule().name(name).send();
        let describe = events.call("events:DescribeRule", describe);
        let (rule, receivers) = try_join!(describe, receivers(events, name))?;
        let arn = rule.arn.unwrap_or_default();
        let list = events.read.list_tags_for_resource().resource_arn(&arn).send();
        let tags = events.call("events:ListTagsForResource", list).await?;
        let tags = tags.tags.unwrap_or_default();
        let ours = receivers.iter().find(|receiver| receiver.id == RECEIVER);
        let receiver = ours.or(receivers.first()).map(|receiver| receiver.arn.clone());
        let pattern = rule.event_pattern.as_deref().unwrap_or_default();
        Ok(Some(Object {
            arn: Some(arn),
            tags: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            references: receiver.iter().cloned().collect(),
            ..settled(json!({
                "name": name,
                "pattern": serde_json::from_str::<Value>(pattern).unwrap_or_default(),
                "receiver": receiver.unwrap_or_default(),
                "enabled": rule.state == Some(RuleState::Enabled),
            }))
        }))
    }

    async fn make(&self, events: &Events, call: &Call) -> Result<Made, Failure> {
        let tags = call.tags(&self.tags);
        let arn = self.put(events, Some(&tags)).await?;
        let finish = self.send(events, call).await;
        Ok(finished(Made::settled(&self.name).arn(arn), finish))
    }

    async fn change(
        &self,
        events: &Events,
        _: &Object,
        what: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        if of("pattern", what).or(of("enabled", what)).is_some() {
            // Tags of a rule that is there are not changed by this call (AWS EventBridge PutRule).
            self.put(events, None).await?;
        }
        if of("receiver", what).is_some() {
            self.send(events, call).await?;
        }
        Ok(())
    }

    async fn tag(events: &Events, name: &str, tags: &Tags) -> Result<(), Failure> {
        let tag = events.write.tag_resource().resource_arn(arn(events, name).await?);
        let tag = tag.set_tags(Some(tag_list(tags)?)).send();
        events.call("events:TagResource", tag).await?;
        Ok(())
    }

    async fn untag(events: &Events, name: &str, tags: &[String]) -> Result<(), Failure> {
        let untag = events.write.untag_resource();
        let untag = untag.resource_arn(arn(events, name).await?);
        let untag = untag.set_tag_keys(Some(tags.to_vec())).send();
        events.call("events:UntagResource", untag).await?;
        Ok(())
    }

    /// A rule goes only without receivers (AWS EventBridge `DeleteRule`).
    async fn unmake(events: &Events, object: &Object) -> Result<Deleted, Failure> {
        let ids: Vec<String> = receivers(events, &object.id)
            .await?
            .into_iter()
            .map(|receiver| receiver.id)
            .collect();
        if !ids.is_empty() {
            let remove = events.write.remove_targets().rule(&object.id);
            let remove = remove.set_ids(Some(ids)).send();
            gone(events.call("events:RemoveTargets", remove).await)?;
        }
        let delete = events.write.delete_rule().name(&object.id).send();
        events.call("events:DeleteRule", delete).await?;
        Ok(Deleted::Gone)
    }
}

impl Rule {
    async fn put(&self, events: &Events, tags: Option<&Tags>) -> Result<Option<String>, Failure> {
        let state = if self.enabled {
            RuleState::Enabled
        } else {
            RuleState::Disabled
        };
        let put = events
            .write
            .put_rule()
            .name(&self.name)
            .event_pattern(self.pattern.to_string())
            .state(state)
            .set_tags(tags.map(tag_list).transpose()?);
        Ok(events.call("events:PutRule", put.send()).await?.rule_arn)
    }

    async fn send(&self, events: &Events, call: &Call) -> Result<(), Failure> {
        let events = events.to(format!("setting the receiver of event rule {}", self.name));
        let receiver = Receiver::builder().id(RECEIVER).arn(call.text(&self.receiver)?);
        let receiver = receiver.build().map_err(|error| unbuilt(&error))?;
        let put = events.write.put_targets().rule(&self.name);
        let answer = events
            .call("events:PutTargets", put.targets(receiver).send())
            .await?;
        // It says yes also where it failed.
        match answer.failed_entries.unwrap_or_default().into_iter().next() {
            None => Ok(()),
            Some(failed) => {
                let text = |text: Option<String>| text.unwrap_or_default();
                let cause = format!("{}: {}", text(failed.error_code), text(failed.error_message));
                Err(Failure::new(Class::Other, events.doing(), cause))
            }
        }
    }
}

fn unbuilt(error: &impl ToString) -> Failure {
    Failure::new(Class::Other, "asking EventBridge", error.to_string())
}

fn tag_list(tags: &Tags) -> Result<Vec<Tag>, Failure> {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(|error| unbuilt(&error))
}

async fn arn(events: &Events, name: &str) -> Result<String, Failure> {
    let describe = events.read.describe_rule().name(name).send();
    let rule = events.call("events:DescribeRule", describe).await?;
    Ok(rule.arn.unwrap_or_default())
}

/// A rule has five receivers at most (EventBridge quotas): they fit one page.
async fn receivers(events: &Events, name: &str) -> Result<Vec<Receiver>, Failure> {
    let list = events.read.list_targets_by_rule().rule(name).send();
    let answer = events.call("events:ListTargetsByRule", list).await?;
    Ok(answer.targets.unwrap_or_default())
}
