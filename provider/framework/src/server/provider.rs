//! Schemas, metadata, and the provider's own configuration.

use std::sync::{Arc, PoisonError};

use proto::tfplugin6 as pb;

use super::Server;
use super::wire;
use crate::attr::{AttributeType as _, DecodeError};
use crate::context::{HostInfo, Scratch};
use crate::diagnostics::Diagnostics;
use crate::path::Path;
use crate::provider::Provider;
use crate::{rules, validate, walk};

/// What this server can do for the host.
pub(super) fn capabilities() -> pb::ServerCapabilities {
    pb::ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: true,
        generate_resource_config: true,
    }
}

impl<P: Provider> Server<P> {
    pub(super) fn metadata(&self) -> pb::get_metadata::Response {
        use pb::get_metadata as m;
        let catalog = self.catalog();
        pb::get_metadata::Response {
            server_capabilities: Some(capabilities()),
            resources: catalog
                .resources
                .keys()
                .map(|n| m::ResourceMetadata {
                    type_name: (*n).to_owned(),
                })
                .collect(),
            data_sources: catalog
                .data_sources
                .keys()
                .map(|n| m::DataSourceMetadata {
                    type_name: (*n).to_owned(),
                })
                .collect(),
            functions: catalog
                .functions
                .keys()
                .map(|n| m::FunctionMetadata {
                    name: (*n).to_owned(),
                })
                .collect(),
            ephemeral_resources: catalog
                .ephemerals
                .keys()
                .map(|n| m::EphemeralMetadata {
                    type_name: (*n).to_owned(),
                })
                .collect(),
            list_resources: catalog
                .lists
                .keys()
                .map(|n| m::ListResourceMetadata {
                    type_name: (*n).to_owned(),
                })
                .collect(),
            actions: catalog
                .actions
                .keys()
                .map(|n| m::ActionMetadata {
                    type_name: (*n).to_owned(),
                })
                .collect(),
            ..Default::default()
        }
    }

    pub(super) fn schema(&self) -> pb::get_provider_schema::Response {
        let catalog = self.catalog();
        pb::get_provider_schema::Response {
            provider: Some(catalog.config.schema.to_wire()),
            resource_schemas: catalog
                .resources
                .iter()
                .map(|(n, e)| ((*n).to_owned(), e.schema.to_wire()))
                .collect(),
            data_source_schemas: catalog
                .data_sources
                .iter()
                .map(|(n, e)| ((*n).to_owned(), e.schema.to_wire()))
                .collect(),
            functions: self.functions(),
            ephemeral_resource_schemas: catalog
                .ephemerals
                .iter()
                .map(|(n, e)| ((*n).to_owned(), e.schema.to_wire()))
                .collect(),
            list_resource_schemas: catalog
                .lists
                .iter()
                .map(|(n, e)| ((*n).to_owned(), e.schema.to_wire()))
                .collect(),
            action_schemas: catalog
                .actions
                .iter()
                .map(|(n, e)| {
                    (
                        (*n).to_owned(),
                        pb::ActionSchema {
                            schema: Some(e.schema.to_wire()),
                        },
                    )
                })
                .collect(),
            diagnostics: wire::diagnostics(catalog.defects()),
            // Only a schema that has provider_meta announces it: core sends none then.
            provider_meta: None,
            server_capabilities: Some(capabilities()),
            ..Default::default()
        }
    }

    pub(super) fn validate_config(&self, request: pb::validate_provider_config::Request) -> Diagnostics {
        let entry = &self.catalog().config;
        let mut out = Diagnostics::new();
        match wire::read(request.config.as_ref(), &entry.ty) {
            Ok(config) => {
                validate::check(&entry.schema.block, &config, &Path::root(), true, &mut out);
                match P::Config::decode(&config, &Path::root()) {
                    Ok(config) => self.provider.validate(&config, &mut out),
                    Err(error) => out.extend(error.into_diagnostics()),
                }
            }
            Err(errors) => out.extend(errors),
        }
        out
    }

    pub(super) async fn configure(&self, request: pb::configure_provider::Request) -> Diagnostics {
        let mut warnings = Diagnostics::new();
        match self.try_configure(request, &mut warnings).await {
            Ok(()) => warnings,
            Err(errors) => {
                warnings.extend(errors);
                warnings
            }
        }
    }

    async fn try_configure(
        &self,
        request: pb::configure_provider::Request,
        warnings: &mut Diagnostics,
    ) -> Result<(), Diagnostics> {
        let entry = &self.catalog().config;
        let config = wire::read(request.config.as_ref(), &entry.ty)?;
        // A host that sends null for the whole means an empty block.
        let config = if config.is_null() {
            super::state::empty(&entry.schema.block)
        } else {
            config
        };
        let config = walk::with_defaults(&entry.schema.block, &config.clone(), config);
        let unknown = rules::unknown_paths(&config);
        let host = HostInfo {
            terraform_version: request.terraform_version,
            write_only_allowed: request
                .client_capabilities
                .is_some_and(|c| c.write_only_attributes_allowed),
        };
        let config = P::Config::decode(&config, &Path::root()).map_err(DecodeError::into_diagnostics)?;
        let configured = self.provider.configure(config, &host, warnings).await?;
        let mut condition = self.condition.write().unwrap_or_else(PoisonError::into_inner);
        if condition.configured.is_some() {
            condition.cancel = tokio_util::sync::CancellationToken::new();
        }
        condition.configured = Some(configured);
        condition.unknown = unknown;
        condition.host = host;
        condition.scratch = Arc::new(Scratch::default());
        Ok(())
    }

    pub(super) fn stop_provider(&self) -> pb::stop_provider::Response {
        tracing::info!("stop requested by the host");
        self.stop();
        pb::stop_provider::Response::default()
    }
}
