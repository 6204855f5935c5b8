//! Applying as core does it, and what core then stores.

use framework::{Path, Value};
use proto::tfplugin6 as pb;

use crate::compatible;
use crate::core::Core;
use crate::error::{Diagnostic, Error};
use crate::plan::{Action, Plan};
use crate::resource::{Instance, Resource};
use crate::rule::{Found, Rule};
use crate::schema::ResourceSchema;
use crate::store::{self, Object};
use crate::walk::Walk;
use crate::wire;

const CALL: &str = "ApplyResourceChange";

/// One change to be applied, as core sends it.
struct Change<'a> {
    prior: Option<&'a Object>,
    /// `None` for a destroy.
    planned: Option<&'a Value>,
    config: Option<&'a Value>,
    private: &'a [u8],
    identity: Option<&'a Value>,
    /// The object's own private state was sent along, so it should come back.
    own_private: bool,
}

impl Core {
    /// Applies a plan: plans again with the same configuration, which has to agree (P11), then does what was planned.
    /// Whatever the result is, the handle then holds what core would store. Gives the warnings.
    ///
    /// After the process died in an update, core stores the prior state *without private data and identity*; after a
    /// death in a create nothing; after one in a destroy everything stays.
    ///
    /// # Errors
    /// Broken rules, errors of the provider, its death.
    pub async fn apply(&self, resource: &mut Resource, plan: &Plan) -> Result<Vec<Diagnostic>, Error> {
        self.walk(Walk::Apply, resource).await?;
        let config = plan.config.clone();
        self.apply_config(resource, plan, config.as_ref()).await
    }

    /// The same where values that were unknown in the plan's configuration are known now.
    ///
    /// # Errors
    /// As [`Core::apply`].
    pub async fn apply_known(
        &self,
        resource: &mut Resource,
        plan: &Plan,
        config: &Value,
    ) -> Result<Vec<Diagnostic>, Error> {
        self.walk(Walk::Apply, resource).await?;
        self.apply_config(resource, plan, Some(config)).await
    }

    async fn apply_config(
        &self,
        resource: &mut Resource,
        plan: &Plan,
        config: Option<&Value>,
    ) -> Result<Vec<Diagnostic>, Error> {
        if config.is_some_and(|config| !config.is_wholly_known()) {
            return Err(Error::Misuse(
                "what is applied has to be known: see apply_known".to_owned(),
            ));
        }
        resource.gone = None;
        let done = self.apply_action(resource, plan, config).await;
        resource.died_in = match &done {
            Err(Error::Died { call, .. }) => Some((*call).to_owned()),
            _ => None,
        };
        let mut warnings = done?;
        warnings.extend(self.destroy_deposed(resource).await?);
        Ok(warnings)
    }

    async fn apply_action(
        &self,
        resource: &mut Resource,
        plan: &Plan,
        config: Option<&Value>,
    ) -> Result<Vec<Diagnostic>, Error> {
        let schema = self.resource_schema(&resource.type_name)?;
        match (plan.action, config) {
            (Action::NoOp, _) => Ok(plan.warnings.clone()),
            (Action::Create, Some(config)) => self.create(resource, plan, config).await,
            (Action::Update, Some(config)) => self.update(resource, plan, config).await,
            (Action::Replace, Some(config)) if resource.lifecycle.create_before_destroy => {
                let replaced = resource.current.take();
                resource.deposed.extend(replaced);
                let done = self.create(resource, plan, config).await;
                if done.is_err() && resource.current.is_none() {
                    // Core puts it back where nothing new was made.
                    resource.current = resource.deposed.pop();
                }
                done
            }
            (Action::Replace, Some(config)) => {
                // The destroying half gets the private state of the create plan, and no identity.
                let mut current = resource.current.take();
                let done = self
                    .delete(resource, schema, &mut current, &plan.private, None, false)
                    .await;
                resource.current = current;
                let mut warnings = done?;
                warnings.extend(self.create(resource, plan, config).await?);
                Ok(warnings)
            }
            (Action::Delete, _) => {
                let mut current = resource.current.take();
                let identity = plan.identity.as_ref();
                let done = self
                    .delete(resource, schema, &mut current, &plan.private, identity, true)
                    .await;
                resource.current = current;
                done
            }
            (_, None) => Err(Error::Misuse("a plan without configuration".to_owned())),
        }
    }

    async fn create(
        &self,
        resource: &mut Resource,
        plan: &Plan,
        config: &Value,
    ) -> Result<Vec<Diagnostic>, Error> {
        let schema = self.resource_schema(&resource.type_name)?;
        let again = self.plan_of(resource, config, plan.forced).await?;
        self.agrees(schema, plan, Action::Create, &again)?;
        let change = Change {
            prior: None,
            planned: again.planned.as_ref(),
            config: Some(config),
            private: &again.private,
            identity: again.identity.as_ref(),
            own_private: false,
        };
        let (instance, done) = self.call_apply(resource, schema, &mut None, change).await?;
        resource.current = instance;
        done
    }

    async fn update(
        &self,
        resource: &mut Resource,
        plan: &Plan,
        config: &Value,
    ) -> Result<Vec<Diagnostic>, Error> {
        let schema = self.resource_schema(&resource.type_name)?;
        let again = self.plan_of(resource, config, plan.forced).await?;
        self.agrees(schema, plan, Action::Update, &again)?;
        if again.action == Action::NoOp {
            return Ok(again.warnings);
        }
        let Some(instance) = resource.current.clone() else {
            return Err(Error::Misuse("an update of nothing".to_owned()));
        };
        let prior = self.object(&resource.type_name, &instance).await?;
        let change = Change {
            prior: Some(&prior),
            planned: again.planned.as_ref(),
            config: again.config.as_ref(),
            private: &again.private,
            identity: again.identity.as_ref(),
            own_private: true,
        };
        let (instance, done) = self
            .call_apply(resource, schema, &mut Some(instance), change)
            .await?;
        resource.current = instance;
        done
    }

    async fn delete(
        &self,
        resource: &Resource,
        schema: &ResourceSchema,
        instance: &mut Option<Instance>,
        private: &[u8],
        identity: Option<&Value>,
        own_private: bool,
    ) -> Result<Vec<Diagnostic>, Error> {
        let Some(stored) = instance.as_ref() else {
            return Ok(Vec::new());
        };
        let prior = self.object(&resource.type_name, stored).await?;
        let change = Change {
            prior: Some(&prior),
            planned: None,
            config: None,
            private,
            identity,
            own_private,
        };
        let (left, done) = self.call_apply(resource, schema, instance, change).await?;
        *instance = left;
        done
    }

    /// Destroys deposed objects, each with a plan of its own.
    async fn destroy_deposed(&self, resource: &mut Resource) -> Result<Vec<Diagnostic>, Error> {
        let mut warnings = Vec::new();
        let mut left = Vec::new();
        let mut first_error = None;
        for instance in std::mem::take(&mut resource.deposed) {
            let mut one = Resource {
                current: Some(instance),
                ..Resource::new(&resource.type_name)
            };
            let done = match self.plan_destroy_of(&one).await {
                Ok(plan) => Box::pin(self.apply_config(&mut one, &plan, None)).await,
                Err(error) => Err(error),
            };
            left.extend(one.current);
            match done {
                Ok(more) => warnings.extend(more),
                Err(error) => {
                    resource.died_in = one.died_in.or_else(|| resource.died_in.take());
                    first_error.get_or_insert(error);
                }
            }
        }
        resource.deposed = left;
        first_error.map_or(Ok(warnings), Err)
    }

    /// P11: the plan at apply keeps what was planned.
    fn agrees(
        &self,
        schema: &ResourceSchema,
        plan: &Plan,
        action: Action,
        again: &Plan,
    ) -> Result<(), Error> {
        let mut found = Found::default();
        let kept = again.action == action || (action == Action::Update && again.action == Action::NoOp);
        if !kept {
            let reason = format!("the action was {action}, at apply it is {}", again.action);
            found.add(Rule::P11, &Path::root(), reason);
        }
        if let (Some(planned), Some(again)) = (&plan.planned, &again.planned) {
            compatible::check(Rule::P11, &schema.schema.block, planned, again, &mut found);
        }
        self.end("PlanResourceChange at apply", Vec::new(), found)
            .map(|_| ())
    }

    /// Makes the call; gives what core stores, and how it went. The outer error is one of our own: nothing was called.
    async fn call_apply(
        &self,
        resource: &Resource,
        schema: &ResourceSchema,
        before: &mut Option<Instance>,
        change: Change<'_>,
    ) -> Result<(Option<Instance>, Result<Vec<Diagnostic>, Error>), Error> {
        let (block, ty) = (&schema.schema.block, schema.schema.block.ty());
        let identity_ty = schema.identity.as_ref().map(|i| &i.ty);
        let prior = change.prior.map_or(&Value::Null, |p| &p.value);
        let request = pb::apply_resource_change::Request {
            type_name: resource.type_name.clone(),
            prior_state: wire::pack(prior, &ty)?,
            planned_state: wire::pack(change.planned.unwrap_or(&Value::Null), &ty)?,
            config: wire::pack(change.config.unwrap_or(&Value::Null), &ty)?,
            planned_private: change.private.to_vec(),
            provider_meta: None,
            planned_identity: wire::pack_identity(change.identity, identity_ty)?,
        };
        let tainted = before.as_ref().is_some_and(|b| b.tainted);
        let lost = |private: Vec<u8>| {
            // No state at all came back: core goes on with the prior one of a change, and with all of a destroy.
            let instance = before.clone()?;
            if change.planned.is_none() {
                return Some(instance);
            }
            Some(Instance {
                private,
                identity: None,
                ..instance
            })
        };
        let answer = self.rpc().apply_resource_change(request).await;
        let answer = match self.answer(CALL, answer) {
            Ok(answer) => answer,
            Err(error) => return Ok((lost(Vec::new()), Err(error))),
        };

        let mut found = Found::default();
        let diagnostics = wire::diagnostics(&answer.diagnostics, &mut found);
        let failed = diagnostics.iter().any(|d| d.error);
        if answer.legacy_type_system {
            found.add(Rule::P10, &Path::root(), "legacy_type_system is set");
        }
        let identity = wire::unpack_identity(
            answer.new_identity.as_ref(),
            identity_ty,
            Rule::A6,
            true,
            &mut found,
        );
        let Some(value) = wire::unpack(answer.new_state.as_ref(), &ty, Rule::A1, &mut found) else {
            return Ok((lost(answer.private), self.end(CALL, diagnostics, found)));
        };
        let write_only = block.write_only_values(&value);
        if !write_only.is_empty() {
            for (path, value) in write_only {
                found.values(
                    Rule::A5,
                    &path,
                    "a write-only attribute has a value",
                    &Value::Null,
                    &value,
                );
            }
            return Ok((before.clone(), self.end(CALL, diagnostics, found)));
        }
        let mut unknown = Vec::new();
        crate::show::unknowns(&value, &Path::root(), &mut unknown);
        for path in unknown {
            found.actual(Rule::A2, &path, "unknown after apply", &Value::UNKNOWN);
        }
        let value = value.unknown_as_null();
        if !failed && found.is_empty() {
            match change.planned {
                Some(planned) if value.is_null() => {
                    found.values(
                        Rule::A4,
                        &Path::root(),
                        "null, though no deletion was planned",
                        planned,
                        &value,
                    );
                }
                Some(planned) => compatible::check(Rule::A3, block, planned, &value, &mut found),
                None if !value.is_null() => {
                    found.values(
                        Rule::A4,
                        &Path::root(),
                        "not null after a deletion",
                        &Value::Null,
                        &value,
                    );
                }
                None => {}
            }
        }
        let had_private = change.own_private && change.prior.is_some_and(|p| !p.private.is_empty());
        if had_private && !value.is_null() && answer.private.is_empty() {
            found.add(Rule::A8, &Path::root(), "the private state was not handed on");
        }
        let wrong = failed || !found.is_empty();
        let instance = if value.is_null() {
            // A7: null with an error keeps what there was.
            if wrong { before.clone() } else { None }
        } else {
            let creating = change.prior.is_none();
            let tainted = wrong && (tainted || creating);
            store::stored(
                schema,
                Object {
                    value,
                    private: answer.private,
                    identity,
                    tainted,
                },
            )?
        };
        Ok((instance, self.end(CALL, diagnostics, found)))
    }
}
