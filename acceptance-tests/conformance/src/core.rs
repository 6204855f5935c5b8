//! The stand-in for core: a running provider, its schema, and how every call is made.

use std::collections::BTreeSet;
use std::path::Path as FilePath;

use framework::Value;
use plugin::client::{Client, Ended};
use proto::tfplugin6 as pb;
use proto::tfplugin6::provider_client::ProviderClient;
use serde_json::Value as Json;
use tonic::transport::Channel;

use crate::config;
use crate::error::{Diagnostic, Error};
use crate::load;
use crate::rule::{Found, Rule, Violation};
use crate::schema::{ProviderSchema, ResourceSchema, Schema};
use crate::walk::Run;
use crate::wire;

/// A provider process, driven as Terraform 1.15 drives it. Every answer is checked; see [`Rule`].
///
/// Operations take `&self`, so several may run at once. What is remembered lies in [`Resource`](crate::Resource)s, which
/// outlive the process: after it died, a new `Core` goes on with the same handles.
#[derive(Debug)]
pub struct Core {
    client: Client,
    schema: ProviderSchema,
    allowed: BTreeSet<Rule>,
    pub(crate) run: futures::lock::Mutex<Run>,
    /// What the provider is told.
    pub terraform_version: String,
}

impl Core {
    /// Starts the binary with these variables added to the environment, loads its schema, and checks that.
    ///
    /// # Errors
    /// [`Error::Start`], and [`Error::Broken`] with all rules of schemas that are broken.
    pub async fn start(binary: impl AsRef<FilePath>, environment: &[(&str, &str)]) -> Result<Self, Error> {
        let (core, violations) = Self::start_anyhow(binary, environment).await?;
        if violations.is_empty() {
            return Ok(core);
        }
        Err(Error::Broken {
            call: "GetProviderSchema",
            violations,
            diagnostics: Vec::new(),
        })
    }

    /// Like [`Core::start`], for providers whose schema breaks rules: these are given beside.
    ///
    /// # Errors
    /// [`Error::Start`], and what the calls for the schema answer.
    pub async fn start_anyhow(
        binary: impl AsRef<FilePath>,
        environment: &[(&str, &str)],
    ) -> Result<(Self, Vec<Violation>), Error> {
        let client = Client::spawn(binary, environment).await?;
        let mut core = Self {
            client,
            schema: ProviderSchema::default(),
            allowed: BTreeSet::new(),
            run: futures::lock::Mutex::default(),
            terraform_version: "1.15.5".to_owned(),
        };
        let mut found = Found::default();
        let mut rpc = core.rpc();
        let schema = rpc.get_provider_schema(pb::get_provider_schema::Request {}).await;
        let schema = core.answer("GetProviderSchema", schema)?;
        let said = wire::diagnostics(&schema.diagnostics, &mut found);
        core.end("GetProviderSchema", said, Found::default())?;
        let identities = rpc
            .get_resource_identity_schemas(pb::get_resource_identity_schemas::Request {})
            .await;
        let identities = match identities {
            // The one call that a provider need not know.
            Err(status) if status.code() == tonic::Code::Unimplemented => Default::default(),
            answer => core.answer("GetResourceIdentitySchemas", answer)?,
        };
        core.schema = load::provider(&schema, &identities.identity_schemas, &mut found);
        let metadata = rpc.get_metadata(pb::get_metadata::Request {}).await;
        let functions = rpc.get_functions(pb::get_functions::Request {}).await;
        let metadata = core.answer("GetMetadata", metadata)?;
        let functions = core.answer("GetFunctions", functions)?;
        load::metadata(&schema, &metadata, &functions, &mut found);
        Ok((core, found.0))
    }

    /// What the provider offers.
    pub fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    /// From now on answers may break the rule.
    pub fn allow(&mut self, rule: Rule) {
        self.allowed.insert(rule);
    }

    /// The process's id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.client.pid()
    }

    /// What the process wrote to stderr so far, line by line.
    pub fn logs(&self) -> Vec<String> {
        self.client.logs()
    }

    /// Ends the process as core does.
    ///
    /// # Errors
    /// Where it cannot be waited for.
    pub async fn close(self) -> Result<Ended, Error> {
        Ok(self.client.close().await?)
    }

    /// Interrupts what is under way (`StopProvider`). The calls still answer.
    ///
    /// # Errors
    /// What the provider answers, and where it died.
    pub async fn stop(&self) -> Result<(), Error> {
        let answer = self.rpc().stop_provider(pb::stop_provider::Request {}).await;
        let answer = self.answer("StopProvider", answer)?;
        if answer.error.is_empty() {
            Ok(())
        } else {
            Err(Error::Misuse(answer.error))
        }
    }

    /// Validates and configures the provider. JSON as for [`Core::config`]. Gives the warnings.
    ///
    /// # Errors
    /// What the provider answers.
    pub async fn configure(&self, config: &Json) -> Result<Vec<Diagnostic>, Error> {
        let schema = &self.schema.provider;
        let config = config::read(&schema.block, config)?;
        let packed = wire::pack(&config, &schema.block.ty())?;
        let request = pb::validate_provider_config::Request {
            config: packed.clone(),
        };
        let answer = self.rpc().validate_provider_config(request).await;
        let answer = self.answer("ValidateProviderConfig", answer)?;
        let mut warnings = self.said("ValidateProviderConfig", &answer.diagnostics)?;
        let request = pb::configure_provider::Request {
            terraform_version: self.terraform_version.clone(),
            config: packed,
            client_capabilities: capabilities(),
        };
        self.run.lock().await.configured(request.clone());
        warnings.extend(self.configure_again(request).await?);
        Ok(warnings)
    }

    /// A configuration of a resource from JSON: attributes and blocks by name, `"$unknown"` for an unknown value, natural
    /// JSON also in dynamic places. Blocks that are not written are absent. Checked as core checks what users write:
    /// required, not settable, number of blocks.
    ///
    /// # Errors
    /// [`Error::Misuse`] with what core would tell the user.
    pub fn config(&self, type_name: &str, json: &Json) -> Result<Value, Error> {
        config::read(&self.resource_schema(type_name)?.schema.block, json)
    }

    pub(crate) fn resource_schema(&self, type_name: &str) -> Result<&ResourceSchema, Error> {
        self.schema
            .resources
            .get(type_name)
            .ok_or_else(|| Error::Misuse(format!("no resource type {type_name}")))
    }

    pub(crate) fn rpc(&self) -> ProviderClient<Channel> {
        self.client.provider.clone()
    }

    /// The answer, or why there is none.
    pub(crate) fn answer<T>(
        &self,
        call: &'static str,
        answer: Result<tonic::Response<T>, tonic::Status>,
    ) -> Result<T, Error> {
        answer.map(tonic::Response::into_inner).map_err(|status| {
            // A status that the provider sent has no source; a broken connection has.
            let transport = std::error::Error::source(&status).is_some();
            if transport || status.code() == tonic::Code::Unavailable {
                let status = format!("{:?}: {}", status.code(), status.message());
                Error::Died {
                    call,
                    status,
                    log: self.logs(),
                }
            } else {
                Error::Status {
                    call,
                    status: Box::new(status),
                }
            }
        })
    }

    /// The end of an operation: its warnings, or why it failed. Broken rules come before errors.
    pub(crate) fn end(
        &self,
        call: &'static str,
        diagnostics: Vec<Diagnostic>,
        found: Found,
    ) -> Result<Vec<Diagnostic>, Error> {
        let mut violations = found.0;
        violations.retain(|v| !self.allowed.contains(&v.rule));
        if !violations.is_empty() {
            return Err(Error::Broken {
                call,
                violations,
                diagnostics,
            });
        }
        if diagnostics.iter().any(|d| d.error) {
            return Err(Error::Failed { call, diagnostics });
        }
        Ok(diagnostics)
    }

    /// The end of a call whose answer is nothing but messages.
    pub(crate) fn said(&self, call: &'static str, all: &[pb::Diagnostic]) -> Result<Vec<Diagnostic>, Error> {
        let mut found = Found::default();
        let diagnostics = wire::diagnostics(all, &mut found);
        self.end(call, diagnostics, found)
    }
}

/// What core says of itself.
pub(crate) fn capabilities() -> Option<pb::ClientCapabilities> {
    Some(pb::ClientCapabilities {
        write_only_attributes_allowed: true,
        ..Default::default()
    })
}

/// The schema of that type among many.
pub(crate) fn of<'a>(
    all: &'a std::collections::BTreeMap<String, Schema>,
    kind: &str,
    type_name: &str,
) -> Result<&'a Schema, Error> {
    all.get(type_name)
        .ok_or_else(|| Error::Misuse(format!("no {kind} {type_name}")))
}
