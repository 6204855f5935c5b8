//! Where a resource is: environment, region, account.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use framework::{Attr, Context, Diagnostic, Diagnostics, Path};

use super::secrets::with_secrets;
use super::state::Handover;
use super::{Common, Declared, Managed, Reconciled, Surroundings, patterns};
use crate::engine::{Engine, Way};
use crate::failure::Failure;
use crate::formerly::owner_type;
use crate::graph::Graph;
use crate::part::Owner;
use crate::report::{Outcome, Report};

impl<D> Reconciled<D> {
    /// What destroying halves of this run have left for creating halves.
    pub(super) fn handover<C: Surroundings>(&self, cx: &Context<C>) -> Arc<Handover<D::Model>>
    where
        D: Declared<C>,
    {
        cx.scratch()
    }

    /// What tells resources of one type apart: region and name.
    pub(super) fn place<C: Surroundings>(&self, model: &D::Model) -> String
    where
        D: Declared<C>,
    {
        let text = |attr: &Attr<String>| attr.known().cloned().unwrap_or_default();
        format!(
            "{}/{}/{}",
            text(&Managed::common(model).region),
            D::NAME,
            text(&self.0.named(model))
        )
    }

    pub(super) fn engine<C: Surroundings>(
        &self,
        cx: &Context<C>,
        context: &C,
        model: &D::Model,
        timeout: Duration,
    ) -> Result<Engine, Diagnostic>
    where
        D: Declared<C>,
    {
        let (common, name) = (Managed::common(model), self.0.named(model));
        let (Some(environment), Some(region), Attr::Known(name)) =
            (common.environment.known(), common.region.known(), &name)
        else {
            return Err(Diagnostic::error(
                "EKB2010",
                format!("The {} has no place", D::TITLE),
                "Its environment, region or name is not known.",
            ));
        };
        if let Some(ours) = context.environment().filter(|ours| ours != environment) {
            return Err(Diagnostic::error(
                "EKB2011",
                "Another environment",
                format!(
                    "The {} {name} belongs to the environment {environment}; the provider is configured for {ours}.",
                    D::TITLE
                ),
            )
            .hint("Set `environment` of the provider block back, or use the state of the other environment."));
        }
        let owner = Owner {
            environment: environment.clone(),
            region: region.clone(),
            resource: format!("{}/{name}", owner_type(D::NAME)),
        };
        let mut engine = Engine::new(owner, self.0.kinds(context, region));
        engine.cancel = cx.cancel().clone();
        engine.locks = context.locks().clone();
        engine.schema = D::SCHEMA;
        engine.formerly = D::FORMERLY;
        engine.ignore_drift = patterns(common);
        engine.adopt = common.adopt.known() == Some(&true);
        engine.adopts_whole = D::ADOPTS_WHOLE;
        engine.timeout = timeout;
        engine.is_patient = Managed::timeouts(model).is_known();
        Ok(engine)
    }

    /// Refuses another account than the state's: an object that is "not there" would be a silent "to add".
    pub(super) async fn same_account<C: Surroundings>(
        &self,
        context: &C,
        model: &D::Model,
    ) -> Result<String, Diagnostic>
    where
        D: Declared<C>,
    {
        let region = Managed::common(model).region.known().map(String::as_str);
        let account = context
            .account(region)
            .await
            .map_err(|failure| failure.diagnostic())?;
        match Managed::common(model).account_id.known() {
            Some(known) if !account.is_empty() && !known.is_empty() && *known != account => {
                Err(Diagnostic::error(
                    "EKB2012",
                    "Another account",
                    format!(
                        "The {} lies in account {known}; the credentials are those of account {account}.",
                        D::TITLE
                    ),
                )
                .hint("Use credentials of that account."))
            }
            _ => Ok(account),
        }
    }

    /// Gets what the graph needs for an apply.
    pub(super) async fn fetch<C: Surroundings>(
        &self,
        cx: &Context<C>,
        config: &D::Model,
        planned: &mut D::Model,
    ) -> Result<(), Diagnostics>
    where
        D: Declared<C>,
    {
        let context = cx.configured()?;
        Ok(self.0.fetch(context, config, planned).await?)
    }

    pub(super) async fn prepare<'a, C: Surroundings>(
        &'a self,
        cx: &'a Context<C>,
        config: &D::Model,
        planned: &D::Model,
        timeout: Duration,
    ) -> Result<(Engine, Steps<'a, C, D>), Diagnostics>
    where
        D: Declared<C>,
    {
        let context = cx.configured()?;
        self.same_account(&**context, planned).await?;
        let engine = self.engine(cx, context, planned, timeout)?;
        let model = with_secrets(config, planned)?;
        let target = self.graph(Some(&**context), &model).ok_or_else(|| {
            Diagnostic::error(
                "EKB2017",
                "Arguments are not known",
                "An argument that the parts follow from is not known at apply.",
            )
        })?;
        let steps = Steps {
            resource: self,
            context,
            model,
            target,
        };
        Ok((engine, steps))
    }
}

/// The way to what is planned.
pub(super) struct Steps<'a, C: Surroundings, D: Declared<C>> {
    resource: &'a Reconciled<D>,
    context: &'a C,
    model: D::Model,
    pub(super) target: Graph,
}

impl<C: Surroundings, D: Declared<C>> Steps<'_, C, D> {
    /// The outcome with what the resource has to say of its failures.
    pub(super) async fn explained(&self, mut outcome: Outcome) -> Outcome {
        for failure in &mut outcome.errors {
            *failure = self
                .resource
                .0
                .explain(self.context, &self.model, failure.clone())
                .await;
        }
        outcome
    }
}

#[async_trait]
impl<C: Surroundings, D: Declared<C>> Way for Steps<'_, C, D> {
    async fn ahead(&self, _behind: usize, found: &Report) -> Result<Vec<Graph>, Failure> {
        let Self {
            resource,
            context,
            model,
            target,
        } = self;
        let steps = resource.0.steps(context, model, found).await?;
        let steps = steps
            .into_iter()
            .map(|step| resource.with_tags(Some(*context), model, step));
        Ok(steps.chain([target.clone()]).collect())
    }
}

/// The region given, or the provider's.
pub(super) async fn region_or_default<C: Surroundings>(
    context: &C,
    given: Option<String>,
) -> Result<String, Diagnostic> {
    match given {
        Some(region) => checked(context, &region).map(|()| region),
        None => context.region().await.map_err(|failure| failure.diagnostic()),
    }
}

fn checked<C: Surroundings>(context: &C, region: &str) -> Result<(), Diagnostic> {
    let checked = context.check_region(region);
    checked.map_err(|failure| failure.diagnostic().at(Path::from("region")))
}

pub(super) fn no_environment() -> Diagnostic {
    Diagnostic::error("EKB2015", "No environment", "The provider has no `environment`.")
        .hint("Set `environment` in the provider block, or the variable EKB_ENVIRONMENT.")
}

/// Where a new thing will be: environment, account and region of the provider, unknown while that is not configured.
pub(super) async fn settle_place<C: Surroundings>(
    context: Option<&C>,
    common: &mut Common,
) -> Result<(), Diagnostic> {
    let Some(context) = context else {
        common.environment = Attr::Unknown;
        common.account_id = Attr::Unknown;
        if common.region.is_null() {
            common.region = Attr::Unknown;
        }
        return Ok(());
    };
    let environment = context.environment().ok_or_else(no_environment)?;
    common.environment = environment.into();
    match &common.region {
        Attr::Known(region) => checked(context, region)?,
        Attr::Unknown => {}
        Attr::Null => common.region = region_or_default(context, None).await?.into(),
    }
    let region = common.region.known().map(String::as_str);
    let account = match context.account(region).await {
        // Nowhere to ask yet: the resource's region comes from something that is not made.
        Err(_) if common.region.is_unknown() && context.region().await.is_err() => {
            common.account_id = Attr::Unknown;
            return Ok(());
        }
        other => other.map_err(|failure| failure.diagnostic())?,
    };
    common.account_id = Attr::from_option(Some(account).filter(|id| !id.is_empty()));
    Ok(())
}
