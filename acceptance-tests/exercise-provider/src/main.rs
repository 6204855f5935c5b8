//! `terraform-provider-exercise`: every kind of attribute, block, function and operation that the framework knows, on
//! files in a directory. For tests with real programs.

mod extras;
mod functions;
mod item;
mod lookup;
mod platform;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use framework::{About, Attr, Configured, Diagnostic, Diagnostics, HostInfo, Model, Offers, Provider};

use store::Store;

/// Every kind of attribute, block, function and operation, on files in a directory.
#[derive(Debug, Clone, Model)]
struct Config {
    /// Where the items are kept, one file each.
    #[attribute(required)]
    directory: Attr<String>,
    /// Label of every item that has none.
    #[attribute(default = "none")]
    default_label: Attr<String>,
}

struct Exercise;

#[async_trait]
impl Provider for Exercise {
    type Config = Config;
    type Context = Store;

    async fn configure(
        &self,
        config: Config,
        _host: &HostInfo,
        _warnings: &mut Diagnostics,
    ) -> Result<Configured<Store>, Diagnostics> {
        let Attr::Known(directory) = config.directory else {
            return Ok(Configured::Unknown);
        };
        let directory = PathBuf::from(directory);
        if !directory.is_dir() {
            let text = format!("There is no directory `{}`.", directory.display());
            return Err(Diagnostic::error("EX001", "No such directory", text)
                .at("directory")
                .into());
        }
        Ok(Arc::new(Store {
            directory,
            default_label: config.default_label.unwrap_or_default(),
            default_tags: Attr::Null,
            ignored_tags: Default::default(),
            locks: Default::default(),
        })
        .into())
    }

    fn offers(&self) -> Offers<Store> {
        reconcile::resource::offer(Offers::new(), platform::PlatformResource)
            .resource(item::Items)
            .data_source(lookup::FindItem)
            .function(functions::Describe)
            .function(functions::Reverse)
            .ephemeral_resource(extras::Tokens)
            .list_resource(extras::ItemList)
            .action(extras::Stamping)
    }
}

fn main() -> ExitCode {
    let about = About {
        name: "exercise",
        version: env!("CARGO_PKG_VERSION"),
        address: "registry.terraform.io/ekb/exercise",
        summary: "A provider for tests of the framework under real programs.",
        crates: &["terraform_provider_exercise", "framework", "plugin"],
    };
    framework::serve(about, Exercise)
}
