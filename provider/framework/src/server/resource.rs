//! Planning, applying and reading resources.

use proto::tfplugin6 as pb;

use super::catalog::ResourceEntry;
use super::{Server, wire};
use crate::computed_blocks;
use crate::context::Configured;
use crate::diagnostics::{Diagnostic, Diagnostics, Severity};
use crate::marker::{self, Marker};
use crate::path::Path;
use crate::plan;
use crate::private::PrivateState;
use crate::provider::Provider;
use crate::resource::{Applied, Create, Delete, Read, Update};
use crate::rules;
use crate::schema::Block;
use crate::validate;
use crate::value::Value;
use crate::walk;

impl<P: Provider> Server<P> {
    pub(super) fn resource(&self, name: &str) -> Result<&ResourceEntry<P::Context>, Diagnostics> {
        self.catalog().resources.get(name).ok_or_else(|| {
            Diagnostic::error(
                "F003",
                "Unknown resource type",
                format!("This provider has no resource `{name}`."),
            )
            .into()
        })
    }

    pub(super) fn validate_resource(&self, request: pb::validate_resource_config::Request) -> Diagnostics {
        let mut out = Diagnostics::new();
        let write_only = request
            .client_capabilities
            .is_some_and(|c| c.write_only_attributes_allowed);
        match self
            .resource(&request.type_name)
            .and_then(|entry| Ok((entry, wire::read(request.config.as_ref(), &entry.ty)?)))
        {
            Ok((entry, config)) => {
                validate::check(&entry.schema.block, &config, &Path::root(), write_only, &mut out);
                entry.any.validate(&config, &mut out);
            }
            Err(errors) => out.extend(errors),
        }
        out
    }

    pub(super) async fn plan(
        &self,
        request: pb::plan_resource_change::Request,
    ) -> pb::plan_resource_change::Response {
        // Whatever fails, the private state goes back as it came.
        let private = request.prior_private.clone();
        self.try_plan(request)
            .await
            .unwrap_or_else(|errors| pb::plan_resource_change::Response {
                planned_private: private,
                diagnostics: wire::diagnostics(errors),
                ..Default::default()
            })
    }

    async fn try_plan(
        &self,
        mut request: pb::plan_resource_change::Request,
    ) -> Result<pb::plan_resource_change::Response, Diagnostics> {
        let entry = self.resource(&request.type_name)?;
        let prior = wire::take(&mut request.prior_state, &entry.ty)?;
        let asked = plan::Request {
            config: wire::take(&mut request.config, &entry.ty)?,
            prior: prior.clone(),
            proposed: wire::take(&mut request.proposed_new_state, &entry.ty)?,
            private: wire::private(&request.prior_private)?,
            computed_blocks: computed_blocks::allowed(request.client_capabilities.as_ref()),
        };
        let prior_identity = read_identity(entry, request.prior_identity.as_ref())?;
        let planned = plan::plan(entry.any.as_ref(), &entry.schema.block, &self.context(), asked).await;
        let mut diagnostics = planned.diagnostics;
        let identity = match (&planned.state, &prior) {
            // In place, and for a destroy, the identity stays; it must be known.
            (to, Some(prior)) => {
                let before = prior_identity.or_else(|| identity_of(entry, prior));
                if let Some(to) = to.as_ref().filter(|_| planned.replace.is_empty()) {
                    diagnostics.extend(identity_change(
                        entry,
                        before.as_ref(),
                        identity_of(entry, to).as_ref(),
                    ));
                }
                before
            }
            // One that is not known yet is left out: OpenTofu 1.12 fails at an unknown part.
            (Some(planned), None) => identity_of(entry, planned),
            (None, None) => None,
        };
        let state = planned.state.unwrap_or(Value::Null);
        Ok(pb::plan_resource_change::Response {
            planned_state: wire::write(&state, &entry.ty, &mut diagnostics),
            requires_replace: planned.replace.iter().filter_map(wire::path).collect(),
            planned_private: planned.private.to_wire(),
            planned_identity: write_identity(entry, identity, &mut diagnostics),
            diagnostics: wire::diagnostics(diagnostics),
            legacy_type_system: false,
            deferred: None,
        })
    }

    pub(super) async fn apply(
        &self,
        mut request: pb::apply_resource_change::Request,
    ) -> pb::apply_resource_change::Response {
        match self.try_apply(&mut request).await {
            Ok(answer) => answer,
            Err(errors) => pb::apply_resource_change::Response {
                new_state: request.prior_state,
                private: request.planned_private,
                diagnostics: wire::diagnostics(errors),
                ..Default::default()
            },
        }
    }

    async fn try_apply(
        &self,
        request: &mut pb::apply_resource_change::Request,
    ) -> Result<pb::apply_resource_change::Response, Diagnostics> {
        let entry = self.resource(&request.type_name)?;
        // The prior state's bytes go back where anything else cannot be read.
        let prior = wire::non_null(wire::read(request.prior_state.as_ref(), &entry.ty)?);
        let planned = wire::take(&mut request.planned_state, &entry.ty)?;
        let config = wire::take(&mut request.config, &entry.ty)?;
        let planned_private = wire::private(&request.planned_private)?;
        let marker = Marker::of(&planned_private);
        let cx = self.context();
        let block = &entry.schema.block;
        let identity_before = read_identity(entry, request.planned_identity.as_ref())?;
        let is_update = prior.is_some() && planned.is_some();
        let answer = match (prior, planned) {
            (Some(prior), None) => {
                let private = match marker {
                    // The plan of a create says nothing about what stood there before.
                    Marker::Create { .. } => PrivateState::new(),
                    _ => marker::replaced(&planned_private),
                };
                let kept = (prior.clone(), private.clone());
                finish_delete(
                    block,
                    entry
                        .any
                        .delete(
                            &cx,
                            Delete {
                                prior,
                                private,
                                marker,
                            },
                        )
                        .await,
                    kept,
                )
            }
            (None, Some(planned)) => {
                let private = planned_private.without_own();
                let config = config.unwrap_or_else(|| planned.clone());
                let request = Create {
                    config,
                    planned: planned.clone(),
                    private,
                    marker,
                };
                finish_create(block, &planned, entry.any.create(&cx, request).await)
            }
            (Some(prior), Some(planned)) => {
                let private = planned_private.without_own();
                let kept = (prior.clone(), private.clone());
                let config = config.unwrap_or_else(|| planned.clone());
                let request = Update {
                    config,
                    prior,
                    planned: planned.clone(),
                    private,
                    marker,
                };
                finish_update(block, &planned, entry.any.update(&cx, request).await, kept)
            }
            (None, None) => Applied::gone(),
        };
        let mut diagnostics = answer.diagnostics;
        let identity_before = identity_before.filter(Value::is_wholly_known);
        let mut identity = answer.state.as_ref().and_then(|state| identity_of(entry, state));
        let changed = is_update
            .then(|| identity_change(entry, identity_before.as_ref(), identity.as_ref()))
            .flatten();
        if let Some(changed) = changed {
            diagnostics.push(changed);
            identity = None;
        }
        let identity = identity.or(identity_before);
        if entry.identity.is_some()
            && identity.is_none()
            && answer.state.is_some()
            && !diagnostics.has_errors()
        {
            diagnostics.push(Diagnostic {
                severity: Severity::Warning,
                ..rules::defect(&Path::root(), "the resource has no identity after apply")
            });
        }
        let state = answer
            .state
            .map(|state| walk::without_write_only(block, state))
            .unwrap_or(Value::Null);
        Ok(pb::apply_resource_change::Response {
            new_state: wire::write(&state, &entry.ty, &mut diagnostics),
            private: answer.private.without_own().to_wire(),
            new_identity: write_identity(entry, identity, &mut diagnostics),
            diagnostics: wire::diagnostics(diagnostics),
            legacy_type_system: false,
        })
    }

    pub(super) async fn read(&self, request: pb::read_resource::Request) -> pb::read_resource::Response {
        match self.try_read(&request).await {
            Ok(answer) => answer,
            Err(errors) => pb::read_resource::Response {
                new_state: request.current_state,
                private: request.private,
                new_identity: request.current_identity,
                diagnostics: wire::diagnostics(errors),
                deferred: None,
            },
        }
    }

    async fn try_read(
        &self,
        request: &pb::read_resource::Request,
    ) -> Result<pb::read_resource::Response, Diagnostics> {
        let entry = self.resource(&request.type_name)?;
        let block = &entry.schema.block;
        let Some(before) = wire::non_null(wire::read(request.current_state.as_ref(), &entry.ty)?) else {
            return Ok(pb::read_resource::Response {
                new_state: wire::null(),
                private: request.private.clone(),
                ..Default::default()
            });
        };
        let cx = self.context();
        if matches!(cx.configured, Some(Configured::Unknown)) {
            // A plan survives a provider configuration that is not known yet: what is stored stands for what is there.
            let text = "The provider's configuration is not known yet, so what is stored was not compared with what is there.";
            return Ok(pb::read_resource::Response {
                new_state: request.current_state.clone(),
                private: request.private.clone(),
                new_identity: request.current_identity.clone(),
                diagnostics: wire::diagnostics(Diagnostic::warning("F211", "Not refreshed", text).into()),
                deferred: None,
            });
        }
        let private = wire::private(&request.private)?.without_own();
        let identity = read_identity(entry, request.current_identity.as_ref())?;
        let asked = Read {
            state: before.clone(),
            private: private.clone(),
            identity: identity.clone(),
        };
        let mut answer = entry.any.read(&cx, asked).await;
        let found = answer.state.as_ref().and_then(|state| identity_of(entry, state));
        if let Some(changed) = identity_change(entry, identity.as_ref(), found.as_ref()) {
            // It looked at another thing than the state's.
            answer.diagnostics.push(changed);
            answer.state = None;
        }
        if answer.diagnostics.has_errors() && answer.state.is_none() {
            // Not having been able to look is not the same as having found nothing.
            (answer.state, answer.private) = (Some(before), private);
        }
        let mut diagnostics = answer.diagnostics;
        let state = answer.state.map(|state| {
            for path in rules::unknown_paths(&state) {
                diagnostics.push(rules::defect(&path, "the refresh gave an unknown value"));
            }
            let state = walk::without_write_only(block, state.unknown_as_null());
            if computed_blocks::allowed(request.client_capabilities.as_ref()) {
                state
            } else {
                computed_blocks::without(block, state)
            }
        });
        let known = state.as_ref().and_then(|state| identity_of(entry, state));
        let identity = known.or(identity);
        let state = state.unwrap_or(Value::Null);
        Ok(pb::read_resource::Response {
            new_state: wire::write(&state, &entry.ty, &mut diagnostics),
            private: answer.private.without_own().to_wire(),
            new_identity: write_identity(entry, identity, &mut diagnostics),
            diagnostics: wire::diagnostics(diagnostics),
            deferred: None,
        })
    }
}

/// Rules A1 to A4 after a create. Core taints whatever a create returns together with an error, be it ours or its own.
/// So a complete resource whose answer contradicts the plan comes back *as planned*, with a warning: the next refresh
/// shows the difference, and nothing is destroyed for a defect of ours.
fn finish_create(block: &Block, planned: &Value, answer: Applied<Value>) -> Applied<Value> {
    let Applied {
        state,
        private,
        mut diagnostics,
    } = answer;
    let failed = diagnostics.has_errors();
    let state = state.map(|state| computed_blocks::as_planned(block, planned, state));
    let state = match state {
        None if !failed => {
            diagnostics.push(rules::defect(
                &Path::root(),
                "the create gave neither a state nor an error",
            ));
            None
        }
        None => None,
        Some(state) if failed => Some(storable(block, state, planned)),
        Some(state) => {
            let state = walk::without_write_only(block, state);
            diagnostics.extend(as_one_warning(&violations(block, planned, &state)));
            let state = storable(block, state, planned);
            Some(rules::follow_plan(planned, state))
        }
    };
    Applied {
        state,
        private,
        diagnostics,
    }
}

/// All violations as one warning: Terraform shows only the first of several warnings with the same headline.
fn as_one_warning(wrong: &[Diagnostic]) -> Option<Diagnostic> {
    let first = wrong.first()?;
    let details: Vec<_> = wrong.iter().map(|error| error.detail.as_str()).collect();
    let detail = format!(
        "{}\n\nThe resource was made; the next plan shows what is different.",
        details.join("\n")
    );
    let path = if wrong.len() == 1 {
        first.path.clone()
    } else {
        Path::root()
    };
    Some(Diagnostic {
        severity: Severity::Warning,
        detail,
        path,
        ..first.clone()
    })
}

/// Rules A1 to A4 after an update: a violation is an error, which for an update taints nothing, and the state is what the
/// resource found.
fn finish_update(
    block: &Block,
    planned: &Value,
    answer: Applied<Value>,
    before: (Value, PrivateState),
) -> Applied<Value> {
    let Applied {
        state,
        private,
        mut diagnostics,
    } = answer;
    match state.map(|state| computed_blocks::as_planned(block, planned, state)) {
        None => {
            if !diagnostics.has_errors() {
                diagnostics.push(rules::defect(
                    &Path::root(),
                    "the update gave neither a state nor an error",
                ));
            }
            Applied {
                state: Some(before.0),
                private: before.1,
                diagnostics,
            }
        }
        Some(state) if diagnostics.has_errors() => Applied {
            state: Some(storable(block, state, &before.0)),
            private,
            diagnostics,
        },
        Some(state) => {
            let state = walk::without_write_only(block, state);
            diagnostics.extend(violations(block, planned, &state));
            let state = storable(block, state, &before.0);
            Applied {
                state: Some(state),
                private,
                diagnostics,
            }
        }
    }
}

/// Rule A4 after a delete. An error without a state leaves the state as it was.
fn finish_delete(block: &Block, answer: Applied<Value>, before: (Value, PrivateState)) -> Applied<Value> {
    let Applied {
        state,
        private,
        mut diagnostics,
    } = answer;
    match (state, diagnostics.has_errors()) {
        (None, false) => Applied {
            state: None,
            private,
            diagnostics,
        },
        (None, true) => Applied {
            state: Some(before.0),
            private: before.1,
            diagnostics,
        },
        (Some(state), failed) => {
            if !failed {
                diagnostics.push(rules::defect(
                    &Path::root(),
                    "the delete left a state without an error",
                ));
            }
            Applied {
                state: Some(storable(block, state, &before.0)),
                private,
                diagnostics,
            }
        }
    }
}

/// A state that core takes: null for what is unknown. One that is none of the schema's type would be lost as a whole: in
/// its place stands what is known of the thing otherwise.
fn storable(block: &Block, state: Value, otherwise: &Value) -> Value {
    let state = if state.conformance(&block.ty()).is_empty() {
        state
    } else {
        otherwise.clone()
    };
    state.unknown_as_null()
}

fn violations(block: &Block, planned: &Value, state: &Value) -> Vec<Diagnostic> {
    let mut out: Vec<_> = state
        .conformance(&block.ty())
        .iter()
        .map(|wrong| rules::defect(&wrong.path, format!("wrong type: {}", wrong.reason)))
        .collect();
    out.extend(
        rules::unknown_paths(state)
            .iter()
            .map(|path| rules::defect(path, "still unknown after apply")),
    );
    let incompatible = rules::incompatible(planned, state, &Path::root());
    out.extend(incompatible.iter().map(|(path, text)| rules::defect(path, text)));
    out
}

/// The identity of a thing with this state, where it has one and all of it is known.
pub(super) fn identity_of<C>(entry: &ResourceEntry<C>, state: &Value) -> Option<Value> {
    entry.identity.as_ref()?;
    entry.any.identity(state).filter(Value::is_wholly_known)
}

/// A change of the identity where there may be none. What was null may get a value.
fn identity_change<C>(
    entry: &ResourceEntry<C>,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Option<Diagnostic> {
    let (identity, before, after) = (entry.identity.as_ref()?, before?, after?);
    if entry.any.identity_may_change() {
        return None;
    }
    let names = identity.block.attributes.iter().map(|attribute| &attribute.name);
    let changed: Vec<_> = names
        .filter(|name| !before.get(name).is_null() && before.get(name) != after.get(name))
        .map(|name| format!("`{name}`"))
        .collect();
    let text = format!(
        "{} of the identity would change in place; what identifies a thing changes only by replacement",
        changed.join(", ")
    );
    (!changed.is_empty()).then(|| rules::defect(&Path::root(), text))
}

pub(super) fn read_identity<C>(
    entry: &ResourceEntry<C>,
    data: Option<&pb::ResourceIdentityData>,
) -> Result<Option<Value>, Diagnostics> {
    let (Some(identity), Some(data)) = (&entry.identity, data) else {
        return Ok(None);
    };
    Ok(wire::non_null(wire::read(
        data.identity_data.as_ref(),
        &identity.ty,
    )?))
}

pub(super) fn write_identity<C>(
    entry: &ResourceEntry<C>,
    value: Option<Value>,
    diagnostics: &mut Diagnostics,
) -> Option<pb::ResourceIdentityData> {
    let (identity, value) = (entry.identity.as_ref()?, value?);
    Some(pb::ResourceIdentityData {
        identity_data: wire::write(&value, &identity.ty, diagnostics),
    })
}
