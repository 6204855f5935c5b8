//! Resources, data sources and functions without their types: on values, as the server handles them.

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::action::{Action, Progress};
use crate::attr::{AttributeType, DecodeError};
use crate::context::Context;
use crate::data_source::DataSource;
use crate::diagnostics::Diagnostics;
use crate::ephemeral::{EphemeralResource, Opened, Renewed};
use crate::function::{Arguments, Function, FunctionError, Parameter};

use crate::list::{ListResource, Listing};
use crate::model::Model;
use crate::path::Path;
use crate::private::PrivateState;
use crate::resource::{Applied, Create, Delete, Import, MoveSource, Plan, Read, Resource, Update};
use crate::schema::{Block, Schema};
use crate::value::{Type, Value};

/// A resource on values.
#[async_trait]
pub(crate) trait AnyResource<C>: Send + Sync {
    fn name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    /// Version and attributes of the identity, where there is one.
    fn identity_schema(&self) -> Option<(i64, Block)>;
    fn identity_may_change(&self) -> bool;
    fn validate(&self, config: &Value, out: &mut Diagnostics);
    async fn plan(&self, cx: &Context<C>, plan: &mut Plan<Value>);
    async fn create(&self, cx: &Context<C>, request: Create<Value>) -> Applied<Value>;
    async fn read(&self, cx: &Context<C>, request: Read<Value, Value>) -> Applied<Value>;
    async fn update(&self, cx: &Context<C>, request: Update<Value>) -> Applied<Value>;
    async fn delete(&self, cx: &Context<C>, request: Delete<Value>) -> Applied<Value>;
    async fn import(&self, cx: &Context<C>, from: Import<Value>) -> Applied<Value>;
    fn identity(&self, state: &Value) -> Option<Value>;
    fn upgrade(&self, version: i64, state: Json) -> Result<Json, Diagnostics>;
    fn upgrade_identity(&self, version: i64, identity: Json) -> Result<Json, Diagnostics>;
    fn former_names(&self) -> &'static [&'static str];
    fn move_from(&self, source: &MoveSource) -> Option<Applied<Value>>;
}

/// A data source on values.
#[async_trait]
pub(crate) trait AnyDataSource<C>: Send + Sync {
    fn name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn validate(&self, config: &Value, out: &mut Diagnostics);
    async fn read(
        &self,
        cx: &Context<C>,
        config: Value,
        warnings: &mut Diagnostics,
    ) -> Result<Value, Diagnostics>;
}

/// An ephemeral resource on values.
#[async_trait]
pub(crate) trait AnyEphemeral<C>: Send + Sync {
    fn name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn validate(&self, config: &Value, out: &mut Diagnostics);
    async fn open(
        &self,
        cx: &Context<C>,
        config: Value,
        warnings: &mut Diagnostics,
    ) -> Result<Opened<Value>, Diagnostics>;
    async fn renew(&self, cx: &Context<C>, private: PrivateState) -> Result<Renewed, Diagnostics>;
    async fn close(&self, cx: &Context<C>, private: PrivateState) -> Result<(), Diagnostics>;
}

/// A list resource on values.
#[async_trait]
pub(crate) trait AnyList<C>: Send + Sync {
    fn name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn validate(&self, config: &Value, out: &mut Diagnostics);
    async fn list(&self, cx: &Context<C>, config: Value, found: Listing<(), ()>) -> Result<(), Diagnostics>;
}

/// An action on values.
#[async_trait]
pub(crate) trait AnyAction<C>: Send + Sync {
    fn name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn validate(&self, config: &Value, out: &mut Diagnostics);
    async fn plan(&self, cx: &Context<C>, config: &Value, out: &mut Diagnostics);
    async fn invoke(
        &self,
        cx: &Context<C>,
        config: Value,
        progress: &Progress,
        warnings: &mut Diagnostics,
    ) -> Result<(), Diagnostics>;
}

/// A function on values.
pub(crate) trait AnyFunction: Send + Sync {
    fn name(&self) -> &'static str;
    fn texts(&self) -> FunctionTexts;
    fn parameters(&self) -> Vec<Parameter>;
    fn variadic(&self) -> Option<Parameter>;
    fn returns(&self) -> Type;
    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError>;
}

/// What is said of a function.
pub(crate) struct FunctionTexts {
    pub summary: &'static str,
    pub description: &'static str,
    pub deprecated: &'static str,
}

/// A typed thing seen through one of the traits above.
pub(crate) struct Erased<T>(pub T);

fn decode<M: AttributeType>(value: &Value) -> Result<M, Diagnostics> {
    M::decode(value, &Path::root()).map_err(DecodeError::into_diagnostics)
}

fn decode_optional<M: AttributeType>(value: Option<&Value>) -> Result<Option<M>, Diagnostics> {
    value.filter(|v| !v.is_null()).map(decode).transpose()
}

/// What the resource made of a value that it was given: where the model is as it was, the value stays *as it was
/// written* (refinements of unknowns, texts that mean the same), so that a model that reads more than one text as the
/// same value loses nothing.
fn overlay(raw: &Value, before: &Value, after: Value) -> Value {
    if *before == after {
        return raw.clone();
    }
    match (raw, before, after) {
        (Value::Object(raw), Value::Object(before), Value::Object(after)) => {
            let one = |(name, after): (String, Value)| match (raw.get(&name), before.get(&name)) {
                (Some(raw), Some(before)) => {
                    let value = overlay(raw, before, after);
                    (name, value)
                }
                _ => (name, after),
            };
            Value::Object(after.into_iter().map(one).collect())
        }
        (Value::Map(raw), Value::Map(before), Value::Map(after)) => {
            let one = |(name, after): (String, Value)| match (raw.get(&name), before.get(&name)) {
                (Some(raw), Some(before)) => {
                    let value = overlay(raw, before, after);
                    (name, value)
                }
                _ => (name, after),
            };
            Value::Map(after.into_iter().map(one).collect())
        }
        (Value::List(raw), Value::List(before), Value::List(after))
            if raw.len() == after.len() && before.len() == after.len() =>
        {
            Value::List(
                raw.iter()
                    .zip(before)
                    .zip(after)
                    .map(|((raw, before), after)| overlay(raw, before, after))
                    .collect(),
            )
        }
        (_, _, after) => after,
    }
}

/// The value of a model, over the raw value that it began as, where there was one. That is read again here, and not kept in
/// between, as it may be large.
fn over<M: AttributeType>(raw: Option<&Value>, after: &M) -> Value {
    match raw.map(|raw| (raw, decode::<M>(raw))) {
        Some((raw, Ok(before))) => overlay(raw, &before.encode(), after.encode()),
        _ => after.encode(),
    }
}

/// The answer of an operation on values.
fn encode<M: Model>(answer: Applied<M>, raw: Option<&Value>) -> Applied<Value> {
    Applied {
        state: answer.state.map(|state| over(raw, &state)),
        private: answer.private,
        diagnostics: answer.diagnostics,
    }
}

#[async_trait]
impl<C: Send + Sync + 'static, R: Resource<C>> AnyResource<C> for Erased<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn schema(&self) -> Schema {
        Schema {
            version: R::VERSION,
            block: R::Model::block(),
        }
    }

    fn identity_schema(&self) -> Option<(i64, Block)> {
        let block = R::Identity::block();
        (!block.attributes.is_empty()).then_some((R::IDENTITY_VERSION, block))
    }

    fn identity_may_change(&self) -> bool {
        R::IDENTITY_MAY_CHANGE
    }

    fn validate(&self, config: &Value, out: &mut Diagnostics) {
        match decode::<R::Model>(config) {
            Ok(config) => self.0.validate(&config, out),
            Err(errors) => out.extend(errors),
        }
    }

    async fn plan(&self, cx: &Context<C>, plan: &mut Plan<Value>) {
        let decoded = (|| {
            Ok::<_, Diagnostics>((
                decode_optional::<R::Model>(plan.config.as_ref())?,
                decode_optional::<R::Model>(plan.prior.as_ref())?,
                decode_optional::<R::Model>(plan.planned.as_ref())?,
            ))
        })();
        let (config, prior, planned) = match decoded {
            Ok(decoded) => decoded,
            Err(errors) => return plan.diagnostics.extend(errors),
        };
        let mut typed = Plan {
            kind: plan.kind,
            config,
            prior,
            planned,
            changed: plan.changed,
            replace: std::mem::take(&mut plan.replace),
            private: std::mem::take(&mut plan.private),
            diagnostics: std::mem::take(&mut plan.diagnostics),
        };
        self.0.plan(cx, &mut typed).await;
        plan.replace = typed.replace;
        plan.private = typed.private;
        plan.diagnostics = typed.diagnostics;
        plan.planned = typed.planned.map(|after| over(plan.planned.as_ref(), &after));
    }

    async fn create(&self, cx: &Context<C>, request: Create<Value>) -> Applied<Value> {
        let decoded =
            decode::<R::Model>(&request.config).and_then(|c| Ok((c, decode::<R::Model>(&request.planned)?)));
        match decoded {
            Ok((config, planned)) => {
                let typed = Create {
                    config,
                    planned,
                    private: request.private,
                    marker: request.marker,
                };
                encode(self.0.create(cx, typed).await, Some(&request.planned))
            }
            Err(errors) => Applied::failed(None, request.private, errors),
        }
    }

    async fn read(&self, cx: &Context<C>, request: Read<Value, Value>) -> Applied<Value> {
        let decoded = decode::<R::Model>(&request.state)
            .and_then(|s| Ok((s, decode_optional::<R::Identity>(request.identity.as_ref())?)));
        match decoded {
            Ok((state, identity)) => {
                let typed = Read {
                    state,
                    private: request.private,
                    identity,
                };
                encode(self.0.read(cx, typed).await, Some(&request.state))
            }
            Err(errors) => Applied::failed(Some(request.state), request.private, errors),
        }
    }

    async fn update(&self, cx: &Context<C>, request: Update<Value>) -> Applied<Value> {
        let decoded = (|| {
            Ok::<_, Diagnostics>((
                decode::<R::Model>(&request.config)?,
                decode::<R::Model>(&request.prior)?,
                decode::<R::Model>(&request.planned)?,
            ))
        })();
        match decoded {
            Ok((config, prior, planned)) => {
                let typed = Update {
                    config,
                    prior,
                    planned,
                    private: request.private,
                    marker: request.marker,
                };
                encode(self.0.update(cx, typed).await, Some(&request.planned))
            }
            Err(errors) => Applied::failed(Some(request.prior), request.private, errors),
        }
    }

    async fn delete(&self, cx: &Context<C>, request: Delete<Value>) -> Applied<Value> {
        match decode::<R::Model>(&request.prior) {
            Ok(prior) => {
                let typed = Delete {
                    prior,
                    private: request.private,
                    marker: request.marker,
                };
                encode(self.0.delete(cx, typed).await, Some(&request.prior))
            }
            Err(errors) => Applied::failed(Some(request.prior), request.private, errors),
        }
    }

    async fn import(&self, cx: &Context<C>, from: Import<Value>) -> Applied<Value> {
        let from = match from {
            Import::Id(id) => Ok(Import::Id(id)),
            Import::Identity(identity) => decode(&identity).map(Import::Identity),
        };
        match from {
            Ok(from) => encode(self.0.import(cx, from).await, None),
            Err(errors) => Applied::failed(None, PrivateState::new(), errors),
        }
    }

    fn identity(&self, state: &Value) -> Option<Value> {
        let state = decode::<R::Model>(state).ok()?;
        self.0.identity(&state).map(|identity| identity.encode())
    }

    fn upgrade(&self, version: i64, state: Json) -> Result<Json, Diagnostics> {
        self.0.upgrade(version, state)
    }

    fn upgrade_identity(&self, version: i64, identity: Json) -> Result<Json, Diagnostics> {
        self.0.upgrade_identity(version, identity)
    }

    fn former_names(&self) -> &'static [&'static str] {
        R::FORMER_NAMES
    }

    fn move_from(&self, source: &MoveSource) -> Option<Applied<Value>> {
        self.0.move_from(source).map(|answer| encode(answer, None))
    }
}

#[async_trait]
impl<C: Send + Sync + 'static, D: DataSource<C>> AnyDataSource<C> for Erased<D> {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn schema(&self) -> Schema {
        Schema {
            version: 0,
            block: D::Model::block(),
        }
    }

    fn validate(&self, config: &Value, out: &mut Diagnostics) {
        match decode::<D::Model>(config) {
            Ok(config) => self.0.validate(&config, out),
            Err(errors) => out.extend(errors),
        }
    }

    async fn read(
        &self,
        cx: &Context<C>,
        config: Value,
        warnings: &mut Diagnostics,
    ) -> Result<Value, Diagnostics> {
        let state = self.0.read(cx, decode(&config)?, warnings).await?;
        Ok(over(Some(&config), &state))
    }
}

impl<F: Function> AnyFunction for Erased<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn texts(&self) -> FunctionTexts {
        FunctionTexts {
            summary: F::SUMMARY,
            description: F::DESCRIPTION,
            deprecated: F::DEPRECATED,
        }
    }

    fn parameters(&self) -> Vec<Parameter> {
        F::Arguments::parameters()
    }

    fn variadic(&self) -> Option<Parameter> {
        F::Arguments::variadic()
    }

    fn returns(&self) -> Type {
        F::Return::shape().ty()
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let arguments = F::Arguments::decode(arguments)?;
        self.0.call(arguments).map(|result| result.encode())
    }
}

#[async_trait]
impl<C: Send + Sync + 'static, E: EphemeralResource<C>> AnyEphemeral<C> for Erased<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn schema(&self) -> Schema {
        Schema {
            version: 0,
            block: E::Model::block(),
        }
    }

    fn validate(&self, config: &Value, out: &mut Diagnostics) {
        match decode::<E::Model>(config) {
            Ok(config) => self.0.validate(&config, out),
            Err(errors) => out.extend(errors),
        }
    }

    async fn open(
        &self,
        cx: &Context<C>,
        config: Value,
        warnings: &mut Diagnostics,
    ) -> Result<Opened<Value>, Diagnostics> {
        let Opened {
            result,
            private,
            renew_at,
        } = self.0.open(cx, decode(&config)?, warnings).await?;
        Ok(Opened {
            result: over(Some(&config), &result),
            private,
            renew_at,
        })
    }

    async fn renew(&self, cx: &Context<C>, private: PrivateState) -> Result<Renewed, Diagnostics> {
        self.0.renew(cx, private).await
    }

    async fn close(&self, cx: &Context<C>, private: PrivateState) -> Result<(), Diagnostics> {
        self.0.close(cx, private).await
    }
}

#[async_trait]
impl<C: Send + Sync + 'static, L: ListResource<C>> AnyList<C> for Erased<L> {
    fn name(&self) -> &'static str {
        L::Resource::NAME
    }

    fn schema(&self) -> Schema {
        Schema {
            version: 0,
            block: L::Config::block(),
        }
    }

    fn validate(&self, config: &Value, out: &mut Diagnostics) {
        match decode::<L::Config>(config) {
            Ok(config) => self.0.validate(&config, out),
            Err(errors) => out.extend(errors),
        }
    }

    async fn list(&self, cx: &Context<C>, config: Value, found: Listing<(), ()>) -> Result<(), Diagnostics> {
        let Listing {
            sender,
            left,
            include_resource,
            ..
        } = found;
        let mut found = Listing {
            sender,
            left,
            include_resource,
            types: std::marker::PhantomData,
        };
        self.0.list(cx, decode(&config)?, &mut found).await
    }
}

#[async_trait]
impl<C: Send + Sync + 'static, A: Action<C>> AnyAction<C> for Erased<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn schema(&self) -> Schema {
        Schema {
            version: 0,
            block: A::Config::block(),
        }
    }

    fn validate(&self, config: &Value, out: &mut Diagnostics) {
        match decode::<A::Config>(config) {
            Ok(config) => self.0.validate(&config, out),
            Err(errors) => out.extend(errors),
        }
    }

    async fn plan(&self, cx: &Context<C>, config: &Value, out: &mut Diagnostics) {
        match decode::<A::Config>(config) {
            Ok(config) => self.0.plan(cx, &config, out).await,
            Err(errors) => out.extend(errors),
        }
    }

    async fn invoke(
        &self,
        cx: &Context<C>,
        config: Value,
        progress: &Progress,
        warnings: &mut Diagnostics,
    ) -> Result<(), Diagnostics> {
        self.0.invoke(cx, decode(&config)?, progress, warnings).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The model reads `1h` and `60m` as the same, and writes `1h`.
    #[test]
    fn what_the_resource_left_alone_stays_as_it_was_written() {
        let texts = |texts: &[&str]| texts.iter().copied().map(Value::string).collect::<Vec<_>>();
        let list = |all: &[&str]| Value::list(texts(all));
        let map = |all: &[&str]| Value::map(["a", "b", "c"].into_iter().zip(texts(all)));
        let object = |all: &[&str]| Value::object(["a", "b", "c"].into_iter().zip(texts(all)));
        let (raw, before) = (["60m", "1h"], ["1h", "1h"]);
        for make in [&list as &dyn Fn(&[&str]) -> Value, &map, &object] {
            let over = |after: &[&str]| overlay(&make(&raw), &make(&before), make(after));
            assert_eq!(over(&["1h", "1h"]), make(&["60m", "1h"]));
            assert_eq!(over(&["1h", "2h"]), make(&["60m", "2h"]));
            assert_eq!(over(&["2h", "1h"]), make(&["2h", "1h"]));
        }
        assert_eq!(
            overlay(&map(&raw), &map(&before), map(&["1h", "1h", "1h"])),
            map(&["60m", "1h", "1h"])
        );
        // Which element of a list was left alone cannot be told.
        assert_eq!(overlay(&list(&raw), &list(&before), list(&["1h"])), list(&["1h"]));
        assert_eq!(
            overlay(&list(&["60m"]), &list(&["1h"]), list(&["1h", "1h"])),
            list(&["1h", "1h"])
        );
    }
}
