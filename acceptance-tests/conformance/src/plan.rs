//! Planning as core does it.

use std::fmt;

use framework::{Path, Value};
use prost::Message as _;
use proto::tfplugin6 as pb;

use crate::config;
use crate::core::{Core, capabilities};
use crate::error::{Diagnostic, Error};
use crate::propose;
use crate::resource::Resource;
use crate::rule::{Found, Rule};
use crate::schema::ResourceSchema;
use crate::store::Object;
use crate::walk::Walk;
use crate::{plan_rules, show, wire};

const CALL: &str = "PlanResourceChange";

/// What is going to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    NoOp,
    /// Something new.
    Create,
    /// A change in place.
    Update,
    /// A destroy and a create, in the order that `lifecycle` says.
    Replace,
    /// A destroy.
    Delete,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoOp => "no-op",
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
        })
    }
}

/// A plan that keeps core's rules. Shown with `{}`: action, changed paths with both values, what forces replacement.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Type of the resource.
    pub type_name: String,
    /// What happens.
    pub action: Action,
    /// The configuration as the provider saw it; `None` for a destroy.
    pub config: Option<Value>,
    /// The state before, also that of a tainted object.
    pub prior: Option<Value>,
    /// The state to come; `None` for a destroy.
    pub planned: Option<Value>,
    /// What the provider wants to be given at apply.
    pub private: Vec<u8>,
    /// The identity to come.
    pub identity: Option<Value>,
    /// What forces replacement.
    pub replace: Vec<Path>,
    /// What the provider said.
    pub warnings: Vec<Diagnostic>,
    /// How many deposed objects will be destroyed, too.
    pub deposed: usize,
    pub(crate) forced: bool,
    answers: Vec<u8>,
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.action == Action::NoOp && self.deposed == 0
    }

    /// What changes: path, value before, value to come. Sets change as a whole.
    pub fn changes(&self) -> Vec<(Path, Value, Value)> {
        let mut out = Vec::new();
        let value = |state: &Option<Value>| match state {
            Some(value) => value.clone(),
            None => Value::Object(Default::default()),
        };
        show::differences(
            &value(&self.prior),
            &value(&self.planned),
            &Path::root(),
            &mut out,
        );
        out
    }

    /// The paths of what is known only after apply.
    pub fn unknown(&self) -> Vec<Path> {
        let mut out = Vec::new();
        if let Some(planned) = &self.planned {
            show::unknowns(planned, &Path::root(), &mut out);
        }
        out
    }

    /// The provider's answers, byte by byte: equal for plans of the same thing.
    pub fn bytes(&self) -> &[u8] {
        &self.answers
    }
}

/// What one call answered.
struct Answer {
    state: Value,
    replace: Vec<Path>,
    private: Vec<u8>,
    identity: Option<Value>,
    warnings: Vec<Diagnostic>,
    bytes: Vec<u8>,
}

impl Core {
    /// Validates and plans the configuration, with a second call for a replacement. A tainted object is planned as
    /// something new. The configuration may hold unknown values.
    ///
    /// # Errors
    /// Broken rules, errors of the provider, a configuration that core itself would refuse.
    pub async fn plan(&self, resource: &Resource, config: &Value) -> Result<Plan, Error> {
        self.walk(Walk::Plan, resource).await?;
        self.plan_deposed(resource).await?;
        self.plan_of(resource, config, false).await
    }

    /// The same with `-replace`.
    ///
    /// # Errors
    /// As [`Core::plan`].
    pub async fn plan_replace(&self, resource: &Resource, config: &Value) -> Result<Plan, Error> {
        self.walk(Walk::Plan, resource).await?;
        self.plan_deposed(resource).await?;
        self.plan_of(resource, config, true).await
    }

    /// Deposed objects have plans of their own, which are made again at apply.
    async fn plan_deposed(&self, resource: &Resource) -> Result<(), Error> {
        for instance in &resource.deposed {
            let one = Resource {
                current: Some(instance.clone()),
                ..Resource::new(&resource.type_name)
            };
            Box::pin(self.plan_destroy_of(&one)).await?;
        }
        Ok(())
    }

    /// Asks the provider what it thinks of a configuration, which may hold unknown values. Gives the warnings.
    ///
    /// # Errors
    /// What the provider answers, and a configuration that core itself would refuse.
    pub async fn validate(&self, type_name: &str, config: &Value) -> Result<Vec<Diagnostic>, Error> {
        let schema = &self.resource_schema(type_name)?.schema;
        config::check(&schema.block, config)?;
        let request = pb::validate_resource_config::Request {
            type_name: type_name.to_owned(),
            config: wire::pack(config, &schema.block.ty())?,
            client_capabilities: capabilities(),
        };
        let answer = self.rpc().validate_resource_config(request).await;
        let answer = self.answer("ValidateResourceConfig", answer)?;
        self.said("ValidateResourceConfig", &answer.diagnostics)
    }

    pub(crate) async fn plan_of(
        &self,
        resource: &Resource,
        config: &Value,
        forced: bool,
    ) -> Result<Plan, Error> {
        let schema = self.resource_schema(&resource.type_name)?;
        let object = match &resource.current {
            Some(instance) => Some(self.object(&resource.type_name, instance).await?),
            None => None,
        };
        let mut warnings = self.validate(&resource.type_name, config).await?;
        let config = &ignoring(resource, object.as_ref(), config);
        let plan = |action, answer: Answer, replace, mut warnings: Vec<Diagnostic>| {
            warnings.extend(answer.warnings);
            Plan {
                type_name: resource.type_name.clone(),
                action,
                config: Some(config.clone()),
                prior: object.as_ref().map(|o| o.value.clone()),
                planned: Some(answer.state),
                private: answer.private,
                identity: answer.identity,
                replace,
                warnings,
                deposed: resource.deposed.len(),
                forced,
                answers: answer.bytes,
            }
        };
        let Some(current) = object.as_ref().filter(|o| !o.tainted) else {
            let gone = resource
                .gone
                .as_ref()
                .filter(|_| object.is_none())
                .map(|gone| Object {
                    value: Value::Null,
                    private: gone.private.clone(),
                    identity: gone.identity.clone(),
                    tainted: false,
                });
            let answer = self
                .call_plan(resource, schema, gone.as_ref(), Some(config), forced)
                .await?;
            let action = if object.is_some() {
                Action::Replace
            } else {
                Action::Create
            };
            return prevented(resource, plan(action, answer, Vec::new(), warnings));
        };
        let first = self
            .call_plan(resource, schema, Some(current), Some(config), forced)
            .await?;
        let replace = required(schema, &current.value, &first);
        if !forced && replace.is_empty() {
            let same = first.state == current.value;
            return Ok(plan(
                if same { Action::NoOp } else { Action::Update },
                first,
                replace,
                warnings,
            ));
        }
        // Something new, from a null prior state, that is given the private data and identity of the first plan.
        let next = Object {
            value: Value::Null,
            private: first.private,
            identity: first.identity,
            tainted: false,
        };
        let mut second = self
            .call_plan(resource, schema, Some(&next), Some(config), forced)
            .await?;
        warnings.extend(first.warnings);
        // Core shows these only once.
        second.warnings.clear();
        second.bytes = [first.bytes, second.bytes].concat();
        prevented(resource, plan(Action::Replace, second, replace, warnings))
    }

    /// Plans the destroy of everything that is known of the resource.
    ///
    /// # Errors
    /// As [`Core::plan`].
    pub async fn plan_destroy(&self, resource: &Resource) -> Result<Plan, Error> {
        self.walk(Walk::Plan, resource).await?;
        self.plan_destroy_of(resource).await
    }

    pub(crate) async fn plan_destroy_of(&self, resource: &Resource) -> Result<Plan, Error> {
        let schema = self.resource_schema(&resource.type_name)?;
        let mut plan = Plan {
            type_name: resource.type_name.clone(),
            action: Action::NoOp,
            config: None,
            prior: None,
            planned: None,
            private: Vec::new(),
            identity: None,
            replace: Vec::new(),
            warnings: Vec::new(),
            deposed: resource.deposed.len(),
            forced: false,
            answers: Vec::new(),
        };
        self.plan_deposed(resource).await?;
        let Some(instance) = &resource.current else {
            return Ok(plan);
        };
        let object = self.object(&resource.type_name, instance).await?;
        plan.action = Action::Delete;
        if self.schema().plan_destroy {
            let answer = self
                .call_plan(resource, schema, Some(&object), None, false)
                .await?;
            plan.private = answer.private;
            plan.identity = answer.identity;
            plan.warnings = answer.warnings;
            plan.answers = answer.bytes;
        } else {
            plan.private = object.private;
            plan.identity = object.identity;
        }
        plan.prior = Some(object.value);
        prevented(resource, plan)
    }

    async fn call_plan(
        &self,
        resource: &Resource,
        schema: &ResourceSchema,
        prior: Option<&Object>,
        config: Option<&Value>,
        forced: bool,
    ) -> Result<Answer, Error> {
        let (block, ty) = (&schema.schema.block, schema.schema.block.ty());
        let identity_ty = schema.identity.as_ref().map(|i| &i.ty);
        let prior_value = prior.map_or(&Value::Null, |p| &p.value);
        let config_value = config.unwrap_or(&Value::Null);
        let proposed = match config {
            Some(config) => propose::proposed(block, prior_value, config),
            None => Value::Null,
        };
        let request = pb::plan_resource_change::Request {
            type_name: resource.type_name.clone(),
            prior_state: wire::pack(prior_value, &ty)?,
            proposed_new_state: wire::pack(&proposed, &ty)?,
            config: wire::pack(config_value, &ty)?,
            prior_private: prior.map(|p| p.private.clone()).unwrap_or_default(),
            provider_meta: None,
            client_capabilities: capabilities(),
            prior_identity: wire::pack_identity(prior.and_then(|p| p.identity.as_ref()), identity_ty)?,
            planned_private: Vec::new(),
        };
        let answer = self.rpc().plan_resource_change(request).await;
        let answer = self.answer(CALL, answer)?;

        let mut found = Found::default();
        let diagnostics = wire::diagnostics(&answer.diagnostics, &mut found);
        if answer.deferred.is_some() {
            found.add(Rule::P9, &Path::root(), "deferred");
        }
        if answer.legacy_type_system {
            found.add(Rule::P10, &Path::root(), "legacy_type_system is set");
        }
        if diagnostics.iter().any(|d| d.error) {
            // Core looks at nothing else then.
            self.end(CALL, diagnostics, found)?;
            return Err(Error::Misuse("a rule of failed plans was allowed".to_owned()));
        }
        let state = wire::unpack(answer.planned_state.as_ref(), &ty, Rule::P2, &mut found);
        let replace: Vec<_> = answer
            .requires_replace
            .iter()
            .map(|p| wire::path(p, &mut found))
            .collect();
        if let Some(state) = &state {
            match config {
                Some(config) => plan_rules::check(block, prior_value, config, state, &mut found),
                None if !state.is_null() => {
                    found.values(
                        Rule::P1,
                        &Path::root(),
                        "a destroy with a planned state",
                        &Value::Null,
                        state,
                    );
                }
                None => {}
            }
            if !prior_value.is_null() {
                for path in &replace {
                    let leads = [prior_value, state]
                        .iter()
                        .any(|value| wire::follow(value, path).is_some());
                    if !leads {
                        found.add(
                            Rule::P7,
                            path,
                            "no such path, neither in the prior nor in the planned state",
                        );
                    }
                }
            }
        }
        let replacing = state.as_ref().is_some_and(|s| {
            replace
                .iter()
                .any(|p| changes(&schema.schema.block, prior_value, s, p))
        });
        let new = prior_value.is_null() || forced || replacing;
        let identity = wire::unpack_identity(
            answer.planned_identity.as_ref(),
            identity_ty,
            Rule::P8,
            config.is_none() || !new,
            &mut found,
        );
        let had_private = prior.is_some_and(|p| !p.private.is_empty() && !p.value.is_null());
        if had_private && answer.planned_private.is_empty() {
            found.add(
                Rule::A8,
                &Path::root(),
                "the private state is not handed on by the plan",
            );
        }
        let bytes = answer.encode_to_vec();
        let warnings = self.end(CALL, diagnostics, found)?;
        Ok(Answer {
            // Only a rule that is allowed to be broken leaves none.
            state: state.unwrap_or(Value::Null),
            replace,
            private: answer.planned_private,
            identity,
            warnings,
            bytes,
        })
    }
}

/// `ignore_changes`: the prior value in place of the configured one.
fn ignoring(resource: &Resource, object: Option<&Object>, config: &Value) -> Value {
    let (Some(object), Value::Object(all)) = (object.filter(|o| !o.tainted), config) else {
        return config.clone();
    };
    let one = |(name, value): (&String, &Value)| {
        let ignored = resource.lifecycle.ignore_changes.contains(name);
        (
            name.clone(),
            if ignored { object.value.get(name) } else { value }.clone(),
        )
    };
    Value::Object(all.iter().map(one).collect())
}

/// The paths that really force replacement: those where something changes.
fn required(schema: &ResourceSchema, prior: &Value, answer: &Answer) -> Vec<Path> {
    let block = &schema.schema.block;
    answer
        .replace
        .iter()
        .filter(|path| changes(block, prior, &answer.state, path))
        .cloned()
        .collect()
}

fn changes(block: &crate::schema::Block, prior: &Value, planned: &Value, path: &Path) -> bool {
    if is_write_only(block, path) {
        return true;
    }
    match (wire::follow(prior, path), wire::follow(planned, path)) {
        (None, None) => false,
        (prior, planned) => {
            let (prior, planned) = (prior.unwrap_or(&Value::Null), planned.unwrap_or(&Value::Null));
            prior != planned || !planned.is_wholly_known()
        }
    }
}

fn is_write_only(block: &crate::schema::Block, path: &Path) -> bool {
    use crate::schema::Shape;
    use framework::path::Step;
    let names: Vec<_> = path
        .0
        .iter()
        .filter_map(|s| {
            if let Step::Attribute(name) = s {
                Some(name)
            } else {
                None
            }
        })
        .collect();
    let mut block = Some(block);
    let mut attributes = block.map(|b| &b.attributes);
    for name in names {
        if let Some(nested) = block.and_then(|b| b.blocks.get(name)) {
            block = Some(&nested.block);
            attributes = block.map(|b| &b.attributes);
            continue;
        }
        match attributes.and_then(|a| a.get(name)) {
            Some(a) if a.write_only => return true,
            Some(a) => {
                block = None;
                attributes = if let Shape::Nested(_, inner) = &a.shape {
                    Some(inner)
                } else {
                    None
                };
            }
            None => return false,
        }
    }
    false
}

fn prevented(resource: &Resource, plan: Plan) -> Result<Plan, Error> {
    if resource.lifecycle.prevent_destroy && matches!(plan.action, Action::Replace | Action::Delete) {
        return Err(Error::Prevented(resource.type_name.clone()));
    }
    Ok(plan)
}
