//! OIDC providers of IAM: whose tokens it accepts. Their ARN follows from the issuer's address.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_iam::types::Tag;
use futures::future::try_join_all;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Tags, Text,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::role::{Iam, tag_list};
use crate::kind::{Place, gone, is_same, list_changes, no_answer, observed, of, settled, usual};

/// An OIDC provider. Without a thumbprint: IAM looks at the issuer's certificate itself (IAM
/// `CreateOpenIDConnectProvider`, `ThumbprintList`).
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "oidc_provider")]
pub struct OidcProvider {
    /// The issuer's address, `https://…`, at most 255 characters, once in the account (IAM `CreateOpenIDConnectProvider`).
    #[part(replace)]
    pub url: Text,
    /// Audiences of tokens that are accepted: at most 100 (IAM `CreateOpenIDConnectProvider`).
    #[part(own_entries)]
    pub client_ids: Vec<String>,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// The kind of OIDC providers.
///
/// IAM lists their ARNs and nothing else. One whose ARN is not known yet is looked for among those of EKS's issuers in the
/// region, and those with a declared address: most accounts have few, and all have at most 100 (IAM quotas).
pub(super) struct OidcProviders(pub(super) Place);

const TITLE: &str = "OIDC provider";

#[async_trait]
impl Kind for OidcProviders {
    type Part = OidcProvider;

    fn traits(&self) -> KindTraits {
        KindTraits {
            title: TITLE,
            deletion_order: 40,
            idempotence: Idempotence::NaturalKey,
            reads: &["iam:ListOpenIDConnectProviders", "iam:GetOpenIDConnectProvider"],
            writes: &[
                "iam:CreateOpenIDConnectProvider",
                "iam:AddClientIDToOpenIDConnectProvider",
                "iam:RemoveClientIDFromOpenIDConnectProvider",
                "iam:DeleteOpenIDConnectProvider",
                "iam:TagOpenIDConnectProvider",
                "iam:UntagOpenIDConnectProvider",
            ],
            ..usual(OidcProvider::KIND)
        }
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let iam: Iam = self.0.api(format!("looking for {TITLE}s")).await?;
        let look =
            async |arns: BTreeSet<String>| try_join_all(arns.into_iter().map(|arn| see(&iam, arn))).await;
        let known: BTreeSet<String> = ask.known.values().cloned().collect();
        let mut seen = look(known.clone()).await?;
        let is_all_known = ask.declared.keys().all(|key| ask.known.contains_key(key));
        // One that was made anew by a killed run has another address than the state says.
        if ask.known.is_empty() || !is_all_known || seen.iter().any(Option::is_none) {
            let others = candidates(&iam, ask).await?;
            seen.extend(look(others.difference(&known).cloned().collect()).await?);
        }
        Ok(seen.into_iter().flatten().collect())
    }

    async fn create(&self, part: &OidcProvider, call: &Call) -> Result<Made, Failure> {
        let url = call.text(&part.url)?;
        let doing = format!("creating {TITLE} {url} ({})", call.key);
        let iam: Iam = self.0.api(doing).await?;
        let make = iam
            .write
            .create_open_id_connect_provider()
            .url(url)
            .set_client_id_list(Some(part.client_ids.clone()))
            .set_tags(Some(tag_list(&call.tags(&part.tags))));
        let answer = iam.call("iam:CreateOpenIDConnectProvider", make.send()).await?;
        let arn = answer
            .open_id_connect_provider_arn
            .ok_or_else(|| no_answer(call))?;
        Ok(Made::settled(&arn).arn(Some(arn)))
    }

    async fn update(
        &self,
        _: &OidcProvider,
        is: &Object,
        what: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let (arn, doing) = (&is.id, format!("changing the audiences of {TITLE} {}", is.id));
        let iam: Iam = self.0.api(doing).await?;
        let Some(difference) = of("client_ids", what) else {
            return Ok(());
        };
        let (add, remove) = list_changes(difference, call);
        for audience in add {
            let add = iam.write.add_client_id_to_open_id_connect_provider();
            let add = add.open_id_connect_provider_arn(arn).client_id(audience).send();
            iam.call("iam:AddClientIDToOpenIDConnectProvider", add).await?;
        }
        for audience in remove {
            let remove = iam.write.remove_client_id_from_open_id_connect_provider();
            let remove = remove.open_id_connect_provider_arn(arn).client_id(audience);
            gone(
                iam.call("iam:RemoveClientIDFromOpenIDConnectProvider", remove.send())
                    .await,
            )?;
        }
        Ok(())
    }

    async fn tag(&self, arn: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let iam: Iam = self.0.api(format!("tagging {TITLE} {arn}")).await?;
        if !set.is_empty() {
            let tag = iam.write.tag_open_id_connect_provider();
            let tag = tag
                .open_id_connect_provider_arn(arn)
                .set_tags(Some(tag_list(set)));
            iam.call("iam:TagOpenIDConnectProvider", tag.send()).await?;
        }
        if !remove.is_empty() {
            let untag = iam.write.untag_open_id_connect_provider();
            let untag = untag
                .open_id_connect_provider_arn(arn)
                .set_tag_keys(Some(remove.to_vec()));
            iam.call("iam:UntagOpenIDConnectProvider", untag.send()).await?;
        }
        Ok(())
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let iam: Iam = self.0.api(format!("deleting {TITLE} {}", object.id)).await?;
        let delete = iam.write.delete_open_id_connect_provider();
        let delete = delete.open_id_connect_provider_arn(&object.id).send();
        iam.call("iam:DeleteOpenIDConnectProvider", delete).await?;
        Ok(Deleted::Gone)
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        is_same(&["url"], declared, object)
    }
}

/// ARNs of those that may be ours.
async fn candidates(iam: &Iam, ask: &Ask) -> Result<BTreeSet<String>, Failure> {
    let of_eks = format!("oidc.eks.{}.", iam.place.region);
    let declared: Vec<&str> = ask
        .declared
        .values()
        .filter_map(|fields| fields["url"].as_str()?.strip_prefix(SCHEME))
        .collect();
    let list = iam.read.list_open_id_connect_providers().send();
    let answer = iam.call("iam:ListOpenIDConnectProviders", list).await?;
    let arns = answer.open_id_connect_provider_list.unwrap_or_default();
    let arns = arns.into_iter().filter_map(|provider| provider.arn);
    Ok(arns
        .filter(|arn| {
            let issuer = arn.split_once('/').map_or("", |(_, issuer)| issuer);
            issuer.starts_with(&of_eks) || declared.contains(&issuer)
        })
        .collect())
}

const SCHEME: &str = "https://";

async fn see(iam: &Iam, arn: String) -> Result<Option<Object>, Failure> {
    let iam = iam.to(format!("looking for {TITLE} {arn}"));
    let get = iam.read.get_open_id_connect_provider();
    let get = get.open_id_connect_provider_arn(&arn).send();
    let provider = match iam.call("iam:GetOpenIDConnectProvider", get).await {
        Err(failure) if failure.class == Class::NotFound => return Ok(None),
        other => other?,
    };
    let tags = provider.tags.unwrap_or_default().into_iter();
    let tags = tags.map(|Tag { key, value, .. }| (key, value)).collect();
    // IAM gives the address without its scheme.
    let url = provider.url.unwrap_or_default();
    let url = format!("{SCHEME}{}", url.trim_start_matches(SCHEME));
    let object = settled(json!({ "url": url, "client_ids": provider.client_id_list.unwrap_or_default() }));
    Ok(Some(observed(
        arn.clone(),
        Object {
            arn: Some(arn),
            tags,
            ..object
        },
    )))
}
