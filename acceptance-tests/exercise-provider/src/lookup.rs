//! The data source `exercise_item`.

use async_trait::async_trait;
use framework::{Attr, Context, DataSource, Diagnostic, Diagnostics, Model};

use crate::store::Store;

/// Finds an item by name.
#[derive(Debug, Clone, Model)]
pub struct Found {
    /// Name.
    #[attribute(required)]
    pub name: Attr<String>,
    /// Its label.
    #[attribute(computed)]
    pub label: Attr<String>,
    /// How often it was written.
    #[attribute(computed)]
    pub revision: Attr<i64>,
}

pub struct FindItem;

#[async_trait]
impl DataSource<Store> for FindItem {
    type Model = Found;

    const NAME: &'static str = "exercise_item";

    async fn read(
        &self,
        cx: &Context<Store>,
        config: Found,
        _warnings: &mut Diagnostics,
    ) -> Result<Found, Diagnostics> {
        let name = config.name.known().cloned().unwrap_or_default();
        let item = cx.configured()?.get(&name)?.ok_or_else(|| {
            Diagnostic::error("EX005", "No such item", format!("There is no item `{name}`.")).at("name")
        })?;
        Ok(Found {
            name: Attr::Known(name),
            label: item.label,
            revision: item.revision,
        })
    }
}
