//! The plan engine: Terraform's own order of steps, around the resource's step.

use crate::computed_blocks;
use crate::context::Context;
use crate::diagnostics::Diagnostics;
use crate::erased::AnyResource;
use crate::marker::{self, Marker};
use crate::path::{Path, Step};
use crate::private::PrivateState;
use crate::resource::{Plan, PlanKind};
use crate::rules;
use crate::schema::{Attribute, Block, Nesting, Shape};
use crate::value::Value;
use crate::walk;

/// What core asks to be planned. Null is `None`.
#[derive(Debug)]
pub(crate) struct Request {
    pub config: Option<Value>,
    pub prior: Option<Value>,
    pub proposed: Option<Value>,
    pub private: PrivateState,
    /// Whether the host takes computed blocks.
    pub computed_blocks: bool,
}

/// The plan.
#[derive(Debug)]
pub(crate) struct Planned {
    pub state: Option<Value>,
    pub replace: Vec<Path>,
    pub private: PrivateState,
    pub diagnostics: Diagnostics,
}

/// Plans a change.
pub(crate) async fn plan<C: Send + Sync + 'static>(
    resource: &dyn AnyResource<C>,
    block: &Block,
    cx: &Context<C>,
    request: Request,
) -> Planned {
    match (request.config.clone(), request.proposed.clone()) {
        (Some(config), Some(proposed)) => plan_change(resource, block, cx, request, config, proposed).await,
        _ => plan_destroy(resource, cx, request).await,
    }
}

async fn plan_destroy<C: Send + Sync + 'static>(
    resource: &dyn AnyResource<C>,
    cx: &Context<C>,
    request: Request,
) -> Planned {
    let mut plan = Plan {
        kind: PlanKind::Destroy,
        config: None,
        prior: request.prior,
        planned: None,
        changed: true,
        replace: Vec::new(),
        private: request.private.without_own(),
        diagnostics: Diagnostics::new(),
    };
    resource.plan(cx, &mut plan).await;
    if plan.planned.is_some() {
        plan.diagnostics.push(rules::defect(
            &Path::root(),
            "the plan of a destroy has a planned state",
        ));
    }
    Marker::Destroy.put(&mut plan.private);
    Planned {
        state: None,
        replace: Vec::new(),
        private: plan.private,
        diagnostics: plan.diagnostics,
    }
}

async fn plan_change<C: Send + Sync + 'static>(
    resource: &dyn AnyResource<C>,
    block: &Block,
    cx: &Context<C>,
    request: Request,
    config: Value,
    proposed: Value,
) -> Planned {
    let kind = match (&request.prior, request.private.is_empty()) {
        (Some(_), _) => PlanKind::Update,
        (None, true) => PlanKind::Create,
        // Core plans a replacement a second time, with the planned private state of the first time as the prior one.
        (None, false) => PlanKind::Replace,
    };
    let prior = request.prior.unwrap_or(Value::Null);
    let mut planned = walk::with_defaults(block, &config, proposed);
    planned = walk::without_write_only(block, planned);
    planned = keep_nested(block, &config, planned, &prior);
    planned = if request.computed_blocks {
        computed_blocks::of(block, planned, &prior)
    } else {
        computed_blocks::without(block, planned)
    };
    let changed = planned != prior;
    let mut marked = 0;
    if changed {
        planned = mark_unknown(block, &config, planned, &mut marked);
    }
    if changed && request.computed_blocks {
        planned = computed_blocks::unknown(block, planned, &mut marked);
    }
    let mut private = request.private;
    if kind == PlanKind::Replace {
        let replaced = std::mem::take(&mut private);
        marker::put_replaced(&mut private, replaced);
    } else {
        private = private.without_own();
    }
    let before_step = planned.clone();
    let mut plan = Plan {
        kind,
        config: Some(config.clone()),
        prior: (!prior.is_null()).then(|| prior.clone()),
        replace: replace_paths(block, &prior, &planned),
        planned: Some(planned),
        changed,
        private,
        diagnostics: Diagnostics::new(),
    };
    resource.plan(cx, &mut plan).await;

    let mut diagnostics = plan.diagnostics;
    let mut planned = plan.planned.unwrap_or_else(|| {
        diagnostics.push(rules::defect(
            &Path::root(),
            "the resource's plan step took the planned state away",
        ));
        before_step.clone()
    });
    planned = walk::without_write_only(block, planned);
    if !request.computed_blocks {
        planned = computed_blocks::without(block, planned);
    }
    if !config.is_wholly_known() {
        planned = hold_unknown(block, &config, planned);
    }
    if marked > 0
        && !prior.is_null()
        && restore_marked(block, &config, &before_step, &planned, &prior) == prior
    {
        planned = prior.clone();
    }
    let mut replace = replace_paths(block, &prior, &planned);
    replace.extend(plan.replace);
    replace
        .retain(|path| !prior.is_null() && (differs(path, &prior, &planned) || is_write_only(block, path)));
    replace = replace.iter().map(Path::addressable).collect();
    replace.sort();
    replace.dedup();

    diagnostics.extend(rules::check_plan(block, &prior, &config, &planned));
    let marker = match kind {
        PlanKind::Create => Marker::create(block, &config, &planned),
        PlanKind::Replace => Marker::Replace,
        PlanKind::Update | PlanKind::Destroy => Marker::Update,
    };
    marker.put(&mut plan.private);
    Planned {
        state: Some(planned),
        replace,
        private: plan.private,
        diagnostics,
    }
}

/// Whether the framework decides about the attribute: it is computed, and neither configuration nor default give it.
fn is_open(attribute: &Attribute, config: &Value) -> bool {
    attribute.computed && attribute.default.is_none() && config.is_null()
}

/// Core's proposal has null for an optional and computed nested attribute that is not configured, wherever arguments in it
/// have values: users may have taken it away. What is to be kept stays all the same.
fn keep_nested(block: &Block, config: &Value, planned: Value, prior: &Value) -> Value {
    let Value::Object(mut object) = planned else {
        return planned;
    };
    let attributes = block
        .attributes
        .iter()
        .filter_map(|attribute| match &attribute.shape {
            Shape::Nested(nesting, inner) => Some((&attribute.name, *nesting, &**inner, Some(attribute))),
            Shape::Plain(_) => None,
        });
    let blocks = block
        .blocks
        .iter()
        .map(|nested| (&nested.name, nested.nesting, &nested.block, None));
    for (name, nesting, inner, attribute) in attributes.chain(blocks) {
        let (config, prior) = (config.get(name), prior.get(name));
        let Some(value) = object.get_mut(name) else {
            continue;
        };
        let kept = attribute.is_some_and(|a| a.keep && is_open(a, config));
        let old = std::mem::replace(value, Value::Null);
        *value = match (nesting, old) {
            (_, Value::Null) if kept => prior.clone(),
            (Nesting::Single, old) => keep_nested(inner, config, old, prior),
            (Nesting::List, Value::List(all)) => {
                let at = |of: &Value, i: usize| of.elements().get(i).cloned().unwrap_or(Value::Null);
                let one = |(i, old)| keep_nested(inner, &at(config, i), old, &at(prior, i));
                Value::List(all.into_iter().enumerate().map(one).collect())
            }
            (Nesting::Map, Value::Map(all)) => {
                let one = |(key, old): (String, Value)| {
                    let kept = keep_nested(inner, config.get(&key), old, prior.get(&key));
                    (key, kept)
                };
                Value::Map(all.into_iter().map(one).collect())
            }
            (_, old) => old,
        };
    }
    Value::Object(object)
}

/// Arguments that are not known yet stay as configured, whatever the resource's step made of them: core would refuse any
/// other value, and a step that tells only known from not known is no reason to refuse a plan. The same holds for elements of
/// nested attributes: a model reads an unknown one as an object of unknown values.
fn hold_unknown(block: &Block, config: &Value, planned: Value) -> Value {
    let planned = walk::change(block, config, planned, &mut |attribute, config, value| {
        let is_open = match attribute.shape {
            Shape::Plain(_) => !config.is_wholly_known(),
            Shape::Nested(..) => config.is_unknown(),
        };
        let is_argument = (attribute.required || attribute.optional) && !attribute.write_only;
        (is_argument && is_open && value != config).then(|| config.clone())
    });
    walk::change(block, config, planned, &mut |attribute, config, value| match (
        &attribute.shape,
        config,
        value,
    ) {
        (Shape::Nested(..), Value::Map(config), Value::Map(all))
            if config.values().any(Value::is_unknown) =>
        {
            let one = |(key, value): (&String, &Value)| {
                let held = config.get(key).filter(|config| config.is_unknown());
                (key.clone(), held.unwrap_or(value).clone())
            };
            Some(Value::Map(all.iter().map(one).collect()))
        }
        (Shape::Nested(..), Value::List(config), Value::List(all))
            if config.iter().any(Value::is_unknown) =>
        {
            let one = |(config, value): (&Value, &Value)| {
                let held = Some(config).filter(|config| config.is_unknown());
                held.unwrap_or(value).clone()
            };
            Some(Value::List(config.iter().zip(all).map(one).collect()))
        }
        _ => None,
    })
}

/// Unknown in place of everything open. What is to be kept, or could not change without replacement, keeps the value that
/// core's proposal carried over from the prior state.
fn mark_unknown(block: &Block, config: &Value, planned: Value, marked: &mut usize) -> Value {
    walk::change(block, config, planned, &mut |attribute, config, value| {
        if !is_open(attribute, config) || ((attribute.keep || attribute.replace) && !value.is_null()) {
            return None;
        }
        *marked += 1;
        Some(Value::UNKNOWN)
    })
}

/// The planned value as it would be had nothing been marked: where the step left unknown what was marked, the prior value
/// stands again.
fn restore_marked(block: &Block, config: &Value, before: &Value, planned: &Value, prior: &Value) -> Value {
    let Value::Object(object) = planned else {
        return planned.clone();
    };
    let mut object = object.clone();
    for attribute in &block.attributes {
        let name = &attribute.name;
        let (config, before, prior) = (config.get(name), before.get(name), prior.get(name));
        let Some(value) = object.get_mut(name) else {
            continue;
        };
        if value.is_unknown() && before.is_unknown() && is_open(attribute, config) {
            *value = prior.clone();
        } else if let Shape::Nested(nesting, inner) = &attribute.shape {
            *value = restore_nested(*nesting, inner, config, before, value, prior);
        }
    }
    for nested in &block.blocks {
        let name = &nested.name;
        let (config, before, prior) = (config.get(name), before.get(name), prior.get(name));
        if let Some(value) = object.get_mut(name) {
            *value = if nested.computed && value.is_unknown() && before.is_unknown() {
                prior.clone()
            } else {
                restore_nested(nested.nesting, &nested.block, config, before, value, prior)
            };
        }
    }
    Value::Object(object)
}

fn restore_nested(
    nesting: Nesting,
    block: &Block,
    config: &Value,
    before: &Value,
    planned: &Value,
    prior: &Value,
) -> Value {
    match (nesting, planned) {
        (Nesting::Single, Value::Object(_)) => restore_marked(block, config, before, planned, prior),
        (Nesting::List, Value::List(all)) => {
            let at = |of: &Value, i: usize| of.elements().get(i).cloned().unwrap_or(Value::Null);
            let one =
                |(i, value)| restore_marked(block, &at(config, i), &at(before, i), value, &at(prior, i));
            Value::List(all.iter().enumerate().map(one).collect())
        }
        (Nesting::Map, Value::Map(all)) => {
            let one = |(key, value): (&String, &Value)| {
                (
                    key.clone(),
                    restore_marked(block, config.get(key), before.get(key), value, prior.get(key)),
                )
            };
            Value::Map(all.iter().map(one).collect())
        }
        (Nesting::Set, Value::Set(all)) => {
            // An element's prior one is the first that agrees with it in everything but what was marked.
            let one = |value: &Value| {
                let config = walk::origin(block, config, value);
                let found = prior
                    .elements()
                    .iter()
                    .find(|p| restore_marked(block, config, value, value, p) == **p);
                found.unwrap_or(value).clone()
            };
            Value::set(all.iter().map(one).collect())
        }
        (_, other) => other.clone(),
    }
}

/// The paths of attributes that force replacement and change.
fn replace_paths(block: &Block, prior: &Value, planned: &Value) -> Vec<Path> {
    let mut out = Vec::new();
    if !prior.is_null() {
        collect_replace(block, prior, planned, &Path::root(), &mut out);
    }
    out
}

fn collect_replace(block: &Block, prior: &Value, planned: &Value, at: &Path, out: &mut Vec<Path>) {
    for attribute in &block.attributes {
        let (prior, planned) = (prior.get(&attribute.name), planned.get(&attribute.name));
        if prior == planned {
            continue;
        }
        let here = at.attribute(&attribute.name);
        if attribute.replace {
            out.push(here);
        } else if let Shape::Nested(nesting, inner) = &attribute.shape {
            collect_nested(*nesting, inner, prior, planned, &here, out);
        }
    }
    for nested in &block.blocks {
        let here = at.attribute(&nested.name);
        collect_nested(
            nested.nesting,
            &nested.block,
            prior.get(&nested.name),
            planned.get(&nested.name),
            &here,
            out,
        );
    }
}

fn collect_nested(
    nesting: Nesting,
    block: &Block,
    prior: &Value,
    planned: &Value,
    at: &Path,
    out: &mut Vec<Path>,
) {
    let null = Value::Null;
    match nesting {
        Nesting::Single => collect_replace(block, prior, planned, at, out),
        Nesting::List => {
            let count = prior.elements().len().max(planned.elements().len());
            for i in 0..count {
                let element = |of: &Value| of.elements().get(i).cloned().unwrap_or(Value::Null);
                collect_replace(block, &element(prior), &element(planned), &at.index(i), out);
            }
        }
        Nesting::Map => {
            let keys = |of: &Value| match of {
                Value::Map(all) => all.keys().cloned().collect::<Vec<_>>(),
                _ => Vec::new(),
            };
            for key in keys(prior).into_iter().chain(keys(planned)) {
                collect_replace(block, prior.get(&key), planned.get(&key), &at.key(&key), out);
            }
        }
        Nesting::Set => {
            // Elements have no place: whatever is new or gone counts, and the set as a whole is named.
            let new = planned
                .elements()
                .iter()
                .filter(|e| !prior.elements().contains(e))
                .map(|e| (&null, e));
            let gone = prior
                .elements()
                .iter()
                .filter(|e| !planned.elements().contains(e))
                .map(|e| (e, &null));
            for (prior, planned) in new.chain(gone).collect::<Vec<_>>() {
                collect_replace(block, prior, planned, &at.element(), out);
            }
        }
    }
}

/// Whether the values differ at the path. A path that leads nowhere in both does not.
fn differs(path: &Path, prior: &Value, planned: &Value) -> bool {
    let (mut prior, mut planned) = (prior, planned);
    for step in &path.0 {
        let (a, b) = match step {
            Step::Attribute(name) | Step::Key(name) => (prior.get(name), planned.get(name)),
            Step::Index(i) => (
                prior.elements().get(*i).unwrap_or(&Value::Null),
                planned.elements().get(*i).unwrap_or(&Value::Null),
            ),
            Step::Element => break,
        };
        if planned.is_unknown() {
            return true;
        }
        (prior, planned) = (a, b);
    }
    prior != planned
}

fn is_write_only(block: &Block, path: &Path) -> bool {
    let mut block = block;
    let mut found = false;
    for step in &path.0 {
        let Step::Attribute(name) = step else { continue };
        if let Some(attribute) = block.attribute(name) {
            found = attribute.write_only;
            match &attribute.shape {
                Shape::Nested(_, inner) => block = inner,
                Shape::Plain(_) => break,
            }
        } else if let Some(nested) = block.nested(name) {
            block = &nested.block;
        }
    }
    found
}
