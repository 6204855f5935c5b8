//! Data sources.

use proto::tfplugin6 as pb;

use super::catalog::DataSourceEntry;
use super::{Server, wire};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::provider::Provider;

use crate::{rules, validate, walk};

impl<P: Provider> Server<P> {
    fn data_source(&self, name: &str) -> Result<&DataSourceEntry<P::Context>, Diagnostics> {
        self.catalog().data_sources.get(name).ok_or_else(|| {
            Diagnostic::error(
                "F003",
                "Unknown data source",
                format!("This provider has no data source `{name}`."),
            )
            .into()
        })
    }

    pub(super) fn validate_data_source(
        &self,
        request: pb::validate_data_resource_config::Request,
    ) -> Diagnostics {
        let mut out = Diagnostics::new();
        let config = self
            .data_source(&request.type_name)
            .and_then(|entry| Ok((entry, wire::read(request.config.as_ref(), &entry.ty)?)));
        match config {
            Ok((entry, config)) => {
                validate::check(&entry.schema.block, &config, &Path::root(), true, &mut out);
                entry.any.validate(&config, &mut out);
            }
            Err(errors) => out.extend(errors),
        }
        out
    }

    pub(super) async fn read_data_source(
        &self,
        request: pb::read_data_source::Request,
    ) -> pb::read_data_source::Response {
        let mut diagnostics = Diagnostics::new();
        let state = match self.try_read_data_source(&request, &mut diagnostics).await {
            Ok(state) => state,
            Err(errors) => {
                diagnostics.extend(errors);
                None
            }
        };
        pb::read_data_source::Response {
            state,
            diagnostics: wire::diagnostics(diagnostics),
            deferred: None,
        }
    }

    async fn try_read_data_source(
        &self,
        request: &pb::read_data_source::Request,
        warnings: &mut Diagnostics,
    ) -> Result<Option<pb::DynamicValue>, Diagnostics> {
        let entry = self.data_source(&request.type_name)?;
        let config = wire::read(request.config.as_ref(), &entry.ty)?;
        let config = walk::with_defaults(&entry.schema.block, &config.clone(), config);
        let state = entry.any.read(&self.context(), config, warnings).await?;
        for path in rules::unknown_paths(&state) {
            warnings.push(rules::defect(&path, "the data source gave an unknown value"));
        }
        let state = state.unknown_as_null();
        let block = &entry.schema.block;
        Ok(wire::write(
            &walk::without_write_only(block, state),
            &entry.ty,
            warnings,
        ))
    }
}
