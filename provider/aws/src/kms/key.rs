//! Keys of KMS, found by their alias: a key has no name of its own, and KMS lists keys without tags.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_kms::types::{KeyMetadata, KeyState, Tag};
use futures::future::{OptionFuture, try_join_all};
use futures::try_join;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Loss, Made, Object, Part, Tags,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::kind::{Api, Place, finished, gone, is_same, no_answer, observed, of, pages, settled, usual};

/// A symmetric key for encryption, with its alias.
///
/// A deletion takes effect after a window of 7 to 30 days (KMS `ScheduleKeyDeletion`). Until then the key is dead to whoever makes
/// one, and its alias is free to be moved. But a key that something still uses (the state knows it, or its root is there) is
/// rescued: the deletion is cancelled, and the key enabled.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "kms_key")]
pub struct Key {
    /// `alias/…`, once in account and region: at most 256 characters of `a-zA-Z0-9/_-`, not beginning with `alias/aws/` (KMS
    /// `CreateAlias`).
    pub alias: String,
    /// What it is for: at most 8,192 characters (KMS `CreateKey`).
    pub description: String,
    /// Whether it can be used: neither disabled nor waiting for its deletion.
    pub enabled: bool,
    /// Whether KMS renews its material every year (KMS `EnableKeyRotation`).
    pub rotation: bool,
    /// Who may use it: a document of at most 32,768 characters (KMS `CreateKey`), which may hold outputs of other parts. None:
    /// AWS's default, by which IAM policies decide; it is not compared then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    /// How long a deletion waits, 7 to 30 days (KMS `ScheduleKeyDeletion`). A tag of the key says it, since whoever deletes a key
    /// may know nothing else of it.
    pub deletion_window_days: i64,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// The kind of keys.
pub(super) struct Keys(pub(super) Place);

const TITLE: &str = "KMS key";
/// The only name that a policy of a key has (KMS `PutKeyPolicy`).
const DEFAULT: &str = "default";
const WINDOW: &str = "DeletionWindowDays";
/// What KMS takes where nobody says how long, and its most (KMS `ScheduleKeyDeletion`).
const LONGEST_WINDOW: i32 = 30;

/// KMS, and what is being done there.
type Kms = Api<aws_sdk_kms::Client>;

/// What is looked for.
struct Sought<'a> {
    /// Aliases of declared keys.
    aliases: BTreeSet<&'a str>,
    /// The policy of a key is declared.
    has_policy: bool,
    known: BTreeSet<&'a str>,
    /// Something uses the declared keys already.
    is_live: bool,
}

#[async_trait]
impl Kind for Keys {
    type Part = Key;

    fn traits(&self) -> KindTraits {
        KindTraits {
            title: TITLE,
            deletion_order: 97,
            idempotence: Idempotence::None,
            reads: &[
                "kms:DescribeKey",
                "kms:GetKeyPolicy",
                "kms:GetKeyRotationStatus",
                "kms:ListAliases",
                "kms:ListKeys",
                "kms:ListResourceTags",
            ],
            writes: &[
                "kms:CreateKey",
                "kms:CreateAlias",
                "kms:UpdateAlias",
                "kms:DeleteAlias",
                "kms:UpdateKeyDescription",
                "kms:EnableKey",
                "kms:EnableKeyRotation",
                "kms:DisableKeyRotation",
                "kms:PutKeyPolicy",
                "kms:ScheduleKeyDeletion",
                "kms:CancelKeyDeletion",
                "kms:TagResource",
                "kms:UntagResource",
            ],
            ..usual(Key::KIND)
        }
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let kms: Kms = self.0.api(format!("looking for {TITLE}s")).await?;
        let declared = ask.declared.values();
        let sought = Sought {
            aliases: declared
                .clone()
                .filter_map(|fields| fields["alias"].as_str())
                .collect(),
            has_policy: declared.clone().any(|fields| !fields["policy"].is_null()),
            known: ask.known.values().map(String::as_str).collect(),
            is_live: ask.root.is_some(),
        };
        let names = sought.known.iter().chain(&sought.aliases);
        let found = try_join_all(names.map(|name| describe(&kms, name))).await?;
        // One key may be found by its id and by its alias.
        let found: BTreeMap<String, KeyMetadata> = found
            .into_iter()
            .flatten()
            .map(|key| (key.key_id.clone(), key))
            .collect();
        let mut objects = try_join_all(found.into_values().map(|key| see(&kms, key, &sought))).await?;
        let is_found = |alias: &&str| objects.iter().any(|object| object.fields["alias"] == **alias);
        if ask.known.is_empty() && !sought.aliases.iter().all(is_found) {
            objects.extend(unfinished(&kms, ask, &sought).await?);
        }
        Ok(objects)
    }

    async fn create(&self, part: &Key, call: &Call) -> Result<Made, Failure> {
        let kms: Kms = self
            .0
            .api(format!("creating {TITLE} {} ({})", part.alias, call.key))
            .await?;
        let mut tags = call.tags(&part.tags);
        tags.insert(WINDOW.to_owned(), part.deletion_window_days.to_string());
        let policy = part
            .policy
            .as_ref()
            .map(|policy| call.document(policy))
            .transpose()?;
        let make = kms
            .write
            .create_key()
            .description(&part.description)
            .set_policy(policy.map(|policy| policy.to_string()))
            .set_tags(Some(tag_list(&tags)));
        let answer = kms.call("kms:CreateKey", make.send()).await?;
        let key = answer.key_metadata.ok_or_else(|| no_answer(call))?;
        let finish = async {
            name(&kms, &part.alias, &key.key_id).await?;
            if part.rotation {
                rotate(&kms, &key.key_id, true).await?;
            }
            Ok(())
        };
        let finish = finish.await;
        Ok(finished(Made::settled(key.key_id).arn(key.arn), finish))
    }

    async fn update(&self, part: &Key, is: &Object, what: &[Difference], _: &Call) -> Result<(), Failure> {
        let (id, doing) = (&is.id, format!("changing {TITLE} {}", is.id));
        let kms: Kms = self.0.api(doing).await?;
        // First: nothing else of a key that waits for its deletion can be changed.
        if of("enabled", what).is_some() {
            enable(&kms, id).await?;
        }
        if of("description", what).is_some() {
            let update = kms.write.update_key_description().key_id(id);
            let update = update.description(&part.description).send();
            kms.call("kms:UpdateKeyDescription", update).await?;
        }
        if of("rotation", what).is_some() {
            rotate(&kms, id, part.rotation).await?;
        }
        if let Some(difference) = of("policy", what) {
            let put = kms.write.put_key_policy().key_id(id).policy_name(DEFAULT);
            let put = put.policy(difference.should.to_string()).send();
            kms.call("kms:PutKeyPolicy", put).await?;
        }
        if of("deletion_window_days", what).is_some() {
            let window = Tags::from([(WINDOW.to_owned(), part.deletion_window_days.to_string())]);
            tag(&kms, id, &window).await?;
        }
        if of("alias", what).is_some() {
            // The old one first: a key with both would be as it should be, and the old one would stay.
            unname(&kms, is).await?;
            name(&kms, &part.alias, id).await?;
        }
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let kms: Kms = self.0.api(format!("tagging {TITLE} {id}")).await?;
        if !set.is_empty() {
            tag(&kms, id, set).await?;
        }
        if !remove.is_empty() {
            let untag = kms.write.untag_resource().key_id(id);
            let untag = untag.set_tag_keys(Some(remove.to_vec()));
            kms.call("kms:UntagResource", untag.send()).await?;
        }
        Ok(())
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let kms: Kms = self.0.api(format!("deleting {TITLE} {}", object.id)).await?;
        unname(&kms, object).await?;
        if object.detail != PENDING {
            let window = object.fields["deletion_window_days"].as_i64();
            let window = window.and_then(|days| i32::try_from(days).ok());
            let delete = kms.write.schedule_key_deletion().key_id(&object.id);
            let delete = delete.pending_window_in_days(window.unwrap_or(LONGEST_WINDOW));
            kms.call("kms:ScheduleKeyDeletion", delete.send()).await?;
        }
        Ok(Deleted::Gone)
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        is_same(&["alias"], declared, object)
    }

    fn loss(&self) -> Loss {
        Loss::Data("whatever is encrypted with it, once its window is over")
    }
}

/// The detail of a key that waits for its deletion.
const PENDING: &str = "pending deletion";

async fn describe(kms: &Kms, name: &str) -> Result<Option<KeyMetadata>, Failure> {
    let kms = kms.to(format!("looking for {TITLE} {name}"));
    let describe = kms.read.describe_key().key_id(name).send();
    match kms.call("kms:DescribeKey", describe).await {
        Err(failure) if failure.class == Class::NotFound => Ok(None),
        other => Ok(other?.key_metadata),
    }
}

async fn see(kms: &Kms, key: KeyMetadata, sought: &Sought<'_>) -> Result<Object, Failure> {
    let (id, kms) = (&key.key_id, &kms.to(format!("looking at {TITLE} {}", key.key_id)));
    let rotation = async {
        let get = kms.read.get_key_rotation_status().key_id(id).send();
        kms.call("kms:GetKeyRotationStatus", get).await
    };
    let policy = async {
        let get = kms.read.get_key_policy().key_id(id).policy_name(DEFAULT).send();
        kms.call("kms:GetKeyPolicy", get).await
    };
    let policy = OptionFuture::from(sought.has_policy.then_some(policy));
    let policy = async { policy.await.transpose() };
    let (mut tags, aliases, rotation, policy) =
        try_join!(tags(kms, id), aliases(kms, Some(id)), rotation, policy)?;
    let window = tags.remove(WINDOW).and_then(|days| days.parse::<i64>().ok());
    let mut names = aliases.into_iter().map(|(alias, _)| alias).collect::<Vec<_>>();
    names.sort_by_key(|alias| !sought.aliases.contains(alias.as_str()));
    let is_pending = key.key_state == Some(KeyState::PendingDeletion);
    let mut fields = json!({
        "alias": names.first(),
        "description": key.description.unwrap_or_default(),
        "enabled": key.key_state == Some(KeyState::Enabled),
        "rotation": rotation.key_rotation_enabled,
        "deletion_window_days": window,
    });
    if let Some(policy) = policy.and_then(|answer| answer.policy) {
        fields["policy"] = serde_json::from_str(&policy).unwrap_or(Value::String(policy));
    }
    let is_used = sought.is_live || sought.known.contains(id.as_str());
    let condition = match &key.key_state {
        Some(KeyState::PendingDeletion) if !is_used => Condition::Dead,
        Some(state @ (KeyState::Creating | KeyState::Updating)) => {
            Condition::Changing(state.as_str().to_owned())
        }
        _ => Condition::Settled,
    };
    let object = Object {
        arn: key.arn,
        condition,
        tags,
        detail: if is_pending { PENDING.into() } else { Value::Null },
        ..settled(fields)
    };
    Ok(observed(key.key_id, object))
}

/// Keys of the owner's that a killed run has left without an alias.
async fn unfinished(kms: &Kms, ask: &Ask, sought: &Sought<'_>) -> Result<Vec<Object>, Failure> {
    let keys = pages(|marker| async {
        let list = kms.read.list_keys().set_marker(marker).send();
        let answer = kms.call("kms:ListKeys", list).await?;
        Ok((answer.keys, answer.next_marker.filter(|_| answer.truncated)))
    });
    let (keys, aliases) = try_join!(keys, aliases(kms, None))?;
    let named: BTreeSet<String> = aliases.into_iter().filter_map(|(_, key)| key).collect();
    let ids = keys.into_iter().filter_map(|key| key.key_id);
    let nameless = ids.filter(|id| !named.contains(id)).map(|id| async move {
        // Most are others', who may not even let us look.
        let tags = match tags(kms, &id).await {
            Err(failure) if matches!(failure.class, Class::Denied | Class::NotFound) => return Ok(None),
            other => other?,
        };
        if tags.get("ekb:environment") != Some(&ask.owner.environment) {
            return Ok(None);
        }
        match describe(kms, &id).await? {
            Some(key) if key.key_state != Some(KeyState::PendingDeletion) => {
                see(kms, key, sought).await.map(Some)
            }
            _ => Ok(None),
        }
    });
    Ok(try_join_all(nameless).await?.into_iter().flatten().collect())
}

async fn tags(kms: &Kms, id: &str) -> Result<Tags, Failure> {
    let tags = pages(|marker| async {
        let list = kms.read.list_resource_tags().key_id(id).set_marker(marker);
        let answer = kms.call("kms:ListResourceTags", list.send()).await?;
        Ok((answer.tags, answer.next_marker.filter(|_| answer.truncated)))
    });
    Ok(tags
        .await?
        .into_iter()
        .map(|tag| (tag.tag_key, tag.tag_value))
        .collect())
}

/// Aliases, of this key or all, and the keys that they name.
async fn aliases(kms: &Kms, id: Option<&str>) -> Result<Vec<(String, Option<String>)>, Failure> {
    let aliases = pages(|marker| async {
        let list = kms.read.list_aliases().set_key_id(id.map(str::to_owned));
        let answer = kms
            .call("kms:ListAliases", list.set_marker(marker).send())
            .await?;
        Ok((answer.aliases, answer.next_marker.filter(|_| answer.truncated)))
    });
    let aliases = aliases.await?.into_iter();
    Ok(aliases
        .filter_map(|alias| Some((alias.alias_name?, alias.target_key_id)))
        .collect())
}

/// Gives the key its alias. One that outlived its key is moved.
async fn name(kms: &Kms, alias: &str, id: &str) -> Result<(), Failure> {
    let kms = &kms.to(format!("giving {TITLE} {id} its alias {alias}"));
    let create = kms.write.create_alias().alias_name(alias).target_key_id(id);
    let Err(failure) = kms.call("kms:CreateAlias", create.send()).await else {
        return Ok(());
    };
    let target = match failure.class {
        Class::Exists => describe(kms, alias).await?,
        _ => return Err(failure),
    };
    match target {
        Some(key) if key.key_id == id => Ok(()),
        Some(key) if key.key_state == Some(KeyState::PendingDeletion) => {
            let update = kms.write.update_alias().alias_name(alias).target_key_id(id);
            kms.call("kms:UpdateAlias", update.send()).await.map(|_| ())
        }
        _ => Err(failure),
    }
}

/// Takes the alias away that the key was seen with.
async fn unname(kms: &Kms, key: &Object) -> Result<(), Failure> {
    let Some(alias) = key.fields["alias"].as_str() else {
        return Ok(());
    };
    let kms = kms.to(format!("removing the alias {alias} of {TITLE} {}", key.id));
    gone(
        kms.call(
            "kms:DeleteAlias",
            kms.write.delete_alias().alias_name(alias).send(),
        )
        .await,
    )
}

async fn rotate(kms: &Kms, id: &str, rotation: bool) -> Result<(), Failure> {
    let kms = kms.to(format!("setting the rotation of {TITLE} {id}"));
    if rotation {
        let enable = kms.write.enable_key_rotation().key_id(id).send();
        kms.call("kms:EnableKeyRotation", enable).await.map(|_| ())
    } else {
        let disable = kms.write.disable_key_rotation().key_id(id).send();
        kms.call("kms:DisableKeyRotation", disable).await.map(|_| ())
    }
}

/// Makes a key usable again that was disabled, or scheduled for deletion.
async fn enable(kms: &Kms, id: &str) -> Result<(), Failure> {
    let kms = kms.to(format!("enabling {TITLE} {id}"));
    // As it is now: a cancelled deletion leaves it disabled, and a second attempt finds that.
    let state = describe(&kms, id).await?.and_then(|key| key.key_state);
    if state == Some(KeyState::PendingDeletion) {
        let cancel = kms.write.cancel_key_deletion().key_id(id).send();
        kms.call("kms:CancelKeyDeletion", cancel).await?;
    }
    let enable = kms.write.enable_key().key_id(id).send();
    kms.call("kms:EnableKey", enable).await.map(|_| ())
}

async fn tag(kms: &Kms, id: &str, tags: &Tags) -> Result<(), Failure> {
    let tag = kms.write.tag_resource().key_id(id).set_tags(Some(tag_list(tags)));
    kms.call("kms:TagResource", tag.send()).await.map(|_| ())
}

/// With key and value given, each can be built.
fn tag_list(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().tag_key(key).tag_value(value).build();
    tags.iter().flat_map(tag).collect()
}
