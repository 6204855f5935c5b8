//! The ephemeral resource `exercise_token`, the list resource and the action `exercise_stamp`.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use framework::{
    Action, Attr, Context, Diagnostic, Diagnostics, EphemeralResource, ListResource, Listed, Listing, Model,
    Opened, PrivateState, Progress, Renewed, Secret,
};

use crate::item::{Item, ItemIdentity, Items};
use crate::store::Store;

/// A token that is never stored.
#[derive(Debug, Clone, Model)]
pub struct Token {
    /// For whom.
    #[attribute(required)]
    audience: Attr<String>,
    /// Renewed after so many seconds; never where not set.
    #[attribute(optional)]
    renew_after: Attr<i64>,
    /// The token.
    #[attribute(computed, sensitive)]
    value: Attr<Secret<String>>,
}

/// Tokens.
pub struct Tokens;

fn renewal(after: Option<i64>) -> Option<SystemTime> {
    let after = Duration::from_secs(after?.unsigned_abs());
    #[expect(
        clippy::disallowed_methods,
        reason = "the host compares it with the real clock"
    )]
    Some(SystemTime::now() + after)
}

#[async_trait]
impl EphemeralResource<Store> for Tokens {
    type Model = Token;

    const NAME: &'static str = "exercise_token";

    async fn open(
        &self,
        cx: &Context<Store>,
        config: Token,
        _warnings: &mut Diagnostics,
    ) -> Result<Opened<Token>, Diagnostics> {
        let audience = config.audience.known().cloned().unwrap_or_default();
        cx.configured()?.note(&format!("opened {audience}"))?;
        let mut private = PrivateState::new();
        private.set("audience", audience.clone());
        private.set_json("renew_after", &config.renew_after.known());
        let renew_at = renewal(config.renew_after.known().copied());
        Ok(Opened {
            result: Token {
                value: Attr::Known(format!("token-for-{audience}").into()),
                ..config
            },
            private,
            renew_at,
        })
    }

    async fn renew(&self, cx: &Context<Store>, private: PrivateState) -> Result<Renewed, Diagnostics> {
        let audience = String::from_utf8_lossy(private.get("audience").unwrap_or_default()).into_owned();
        cx.configured()?.note(&format!("renewed {audience}"))?;
        let renew_at = renewal(private.get_json::<Option<i64>>("renew_after").flatten());
        Ok(Renewed { private, renew_at })
    }

    async fn close(&self, cx: &Context<Store>, private: PrivateState) -> Result<(), Diagnostics> {
        let audience = String::from_utf8_lossy(private.get("audience").unwrap_or_default()).into_owned();
        Ok(cx.configured()?.note(&format!("closed {audience}"))?)
    }
}

/// Which items are listed.
#[derive(Debug, Clone, Model)]
pub struct Filter {
    /// Begin of the names.
    #[attribute(default = "")]
    prefix: Attr<String>,
}

/// Every item.
pub struct ItemList;

#[async_trait]
impl ListResource<Store> for ItemList {
    type Config = Filter;
    type Resource = Items;

    async fn list(
        &self,
        cx: &Context<Store>,
        config: Filter,
        found: &mut Listing<Item, ItemIdentity>,
    ) -> Result<(), Diagnostics> {
        let store = cx.configured()?;
        let prefix = config.prefix.unwrap_or_default();
        for name in store
            .names()?
            .into_iter()
            .filter(|name| name.starts_with(&prefix))
        {
            let one = Listed {
                display_name: format!("Item {name}"),
                identity: ItemIdentity {
                    name: Attr::Known(name.clone()),
                    realm: Attr::Null,
                },
                resource: if found.include_resource() {
                    store.get(&name)?
                } else {
                    None
                },
                warnings: Diagnostics::new(),
            };
            if !found.send(one).await {
                break;
            }
        }
        Ok(())
    }
}

/// Stamps an item.
#[derive(Debug, Clone, Model)]
pub struct Stamp {
    /// Its name.
    #[attribute(required)]
    item: Attr<String>,
    /// How often.
    #[attribute(default = 1, validate(range(1..=10)))]
    times: Attr<i64>,
}

/// Stamping.
pub struct Stamping;

#[async_trait]
impl Action<Store> for Stamping {
    type Config = Stamp;

    const NAME: &'static str = "exercise_stamp";

    async fn invoke(
        &self,
        cx: &Context<Store>,
        config: Stamp,
        progress: &Progress,
        _warnings: &mut Diagnostics,
    ) -> Result<(), Diagnostics> {
        let (store, item) = (cx.configured()?, config.item.unwrap_or_default());
        if store.get(&item)?.is_none() {
            return Err(Diagnostic::error(
                "EX006",
                "Nothing to stamp",
                format!("There is no item `{item}`."),
            )
            .at("item")
            .into());
        }
        for i in 1..=config.times.unwrap_or(1) {
            progress.say(format!("stamp {i} on {item}"));
            store.note(&format!("stamped {item}"))?;
        }
        Ok(())
    }
}
