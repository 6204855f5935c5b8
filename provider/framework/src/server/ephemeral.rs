//! Ephemeral resources.

use proto::tfplugin6 as pb;

use super::catalog::Entry;
use super::{Server, wire};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::ephemeral::Opened;
use crate::erased::AnyEphemeral;
use crate::path::Path;
use crate::private::PrivateState;
use crate::provider::Provider;
use crate::value::Value;
use crate::{rules, validate, walk};

type EphemeralEntry<C> = Entry<Box<dyn AnyEphemeral<C>>>;

impl<P: Provider> Server<P> {
    fn ephemeral(&self, name: &str) -> Result<&EphemeralEntry<P::Context>, Diagnostics> {
        self.catalog().ephemerals.get(name).ok_or_else(|| {
            let text = format!("This provider has no ephemeral resource `{name}`.");
            Diagnostic::error("F003", "Unknown ephemeral resource", text).into()
        })
    }

    pub(super) fn validate_ephemeral(
        &self,
        request: &pb::validate_ephemeral_resource_config::Request,
    ) -> Diagnostics {
        let mut out = Diagnostics::new();
        let config = self
            .ephemeral(&request.type_name)
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

    pub(super) async fn open(
        &self,
        request: &pb::open_ephemeral_resource::Request,
    ) -> pb::open_ephemeral_resource::Response {
        let mut diagnostics = Diagnostics::new();
        let mut answer = match self.try_open(request, &mut diagnostics).await {
            Ok(answer) => answer,
            Err(errors) => {
                diagnostics.extend(errors);
                pb::open_ephemeral_resource::Response::default()
            }
        };
        answer.diagnostics = wire::diagnostics(diagnostics);
        answer
    }

    async fn try_open(
        &self,
        request: &pb::open_ephemeral_resource::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::open_ephemeral_resource::Response, Diagnostics> {
        let entry = self.ephemeral(&request.type_name)?;
        let block = &entry.schema.block;
        let config = wire::read(request.config.as_ref(), &entry.ty)?;
        let given = walk::with_defaults(block, &config, config.clone());
        let Opened {
            result,
            private,
            renew_at,
        } = entry.any.open(&self.context(), given, diagnostics).await?;
        for path in rules::unknown_paths(&result) {
            diagnostics.push(rules::defect(
                &path,
                "the ephemeral resource gave an unknown value",
            ));
        }
        let result = walk::without_write_only(block, result.unknown_as_null());
        diagnostics.extend(rules::check_plan(block, &Value::Null, &config, &result));
        Ok(pb::open_ephemeral_resource::Response {
            result: wire::write(&result, &entry.ty, diagnostics),
            renew_at: renew_at.map(Into::into),
            // Also when there is nothing in it: closing gets what opening gave.
            private: Some(private.to_wire()),
            ..Default::default()
        })
    }

    pub(super) async fn renew(
        &self,
        request: &pb::renew_ephemeral_resource::Request,
    ) -> pb::renew_ephemeral_resource::Response {
        let renewed = async {
            let entry = self.ephemeral(&request.type_name)?;
            entry
                .any
                .renew(&self.context(), private(request.private.as_deref())?)
                .await
        };
        match renewed.await {
            Ok(renewed) => pb::renew_ephemeral_resource::Response {
                diagnostics: Vec::new(),
                renew_at: renewed.renew_at.map(Into::into),
                private: Some(renewed.private.to_wire()),
            },
            // What is open stays open: it still has to be closed with what is known about it.
            Err(errors) => pb::renew_ephemeral_resource::Response {
                diagnostics: wire::diagnostics(errors),
                renew_at: None,
                private: request.private.clone(),
            },
        }
    }

    pub(super) async fn close(
        &self,
        request: &pb::close_ephemeral_resource::Request,
    ) -> pb::close_ephemeral_resource::Response {
        let closed = async {
            let entry = self.ephemeral(&request.type_name)?;
            entry
                .any
                .close(&self.context(), private(request.private.as_deref())?)
                .await
        };
        let diagnostics = closed.await.err().map(wire::diagnostics).unwrap_or_default();
        pb::close_ephemeral_resource::Response { diagnostics }
    }
}

fn private(bytes: Option<&[u8]>) -> Result<PrivateState, Diagnostics> {
    wire::private(bytes.unwrap_or_default())
}
