//! The provider in an account, driven without a command line: quick enough for sweeps.

use conformance::{Action, Core, Error, Plan, Resource, Rule, Value};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use crate::account::Account;
use crate::tools;
use crate::workspace::SERVICES;

/// What core does in an account, each command in a provider process of its own, as with the real command lines. Every
/// answer is checked against core's rules. Resources are handles that outlive the processes.
#[derive(Debug)]
pub struct Session {
    account: Account,
    runtime: Runtime,
    provider: Json,
}

impl Session {
    /// In the environment `test` and [`Account::REGION`].
    ///
    /// # Panics
    /// When no threads can be had.
    #[must_use]
    pub fn new(account: &Account) -> Self {
        let endpoints: serde_json::Map<String, Json> = SERVICES
            .iter()
            .map(|service| ((*service).to_owned(), account.url().into()))
            .collect();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        Self {
            account: account.clone(),
            runtime,
            provider: json!({ "environment": "test", "region": Account::REGION, "endpoints": [endpoints] }),
        }
    }

    /// The same with another argument in the provider block.
    #[must_use]
    pub fn provider(mut self, argument: &str, value: Json) -> Self {
        self.provider[argument] = value;
        self
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Runs `command` against a new provider process, which is ended afterwards.
    ///
    /// # Errors
    /// What the command says, and where the provider cannot be started or configured.
    pub fn with<T>(&self, command: impl AsyncFnOnce(&Core) -> Result<T, Error>) -> Result<T, Error> {
        self.runtime.block_on(async {
            let scale = self.account.time_scale().to_string();
            let environment = [
                ("AWS_ACCESS_KEY_ID", self.account.access_key()),
                ("AWS_SECRET_ACCESS_KEY", self.account.secret_key()),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("EKB_TIME_SCALE", &scale),
            ];
            let mut core = Core::start(tools::provider_binary(), &environment).await?;
            // What an import notes for the first read is used up by it, so nothing may be left.
            core.allow(Rule::A8);
            core.configure(&self.provider).await?;
            let done = command(&core).await;
            // After a kill there is nothing to end.
            let _ended = core.close().await;
            done
        })
    }

    /// `apply`: refreshes, plans; applies in another process, as core does.
    ///
    /// # Errors
    /// What the provider says.
    pub fn apply(&self, resource: &mut Resource, config: &Json) -> Result<Plan, Error> {
        let plan = self.plan(resource, config)?;
        self.apply_plan(resource, &plan)?;
        Ok(plan)
    }

    /// `apply -replace`.
    ///
    /// # Errors
    /// What the provider says.
    pub fn replace(&self, resource: &mut Resource, config: &Json) -> Result<Plan, Error> {
        let plan = self.with(async |core| {
            let config = core.config(&resource.type_name, config)?;
            core.refresh(resource).await?;
            core.plan_replace(resource, &config).await
        })?;
        self.apply_plan(resource, &plan)?;
        Ok(plan)
    }

    /// `plan`: refreshes, plans. The handle is what the refresh made of it.
    ///
    /// # Errors
    /// What the provider says.
    pub fn plan(&self, resource: &mut Resource, config: &Json) -> Result<Plan, Error> {
        self.with(async |core| {
            let config = core.config(&resource.type_name, config)?;
            let mut said = core.refresh(resource).await?;
            let mut plan = core.plan(resource, &config).await?;
            said.append(&mut plan.warnings);
            plan.warnings = said;
            Ok(plan)
        })
    }

    /// `apply` of a saved plan.
    ///
    /// # Errors
    /// What the provider says.
    pub fn apply_plan(&self, resource: &mut Resource, plan: &Plan) -> Result<(), Error> {
        self.with(async |core| core.apply(resource, plan).await.map(drop))
    }

    /// `destroy`.
    ///
    /// # Errors
    /// What the provider says.
    pub fn destroy(&self, resource: &mut Resource) -> Result<(), Error> {
        self.with(async |core| core.destroy(resource, None).await.map(drop))
    }

    /// `import`.
    ///
    /// # Errors
    /// What the provider says.
    pub fn import(&self, resource: &mut Resource, id: &str) -> Result<(), Error> {
        self.with(async |core| core.import(resource, id).await.map(drop))
    }

    /// Whether a plan finds nothing to do; else the plan, as text.
    ///
    /// # Errors
    /// The plan, or what the provider says.
    pub fn expect_empty(&self, resource: &mut Resource, config: &Json) -> Result<(), String> {
        let plan = self.plan(resource, config).map_err(|e| format!("plan: {e}"))?;
        match plan.action {
            Action::NoOp if plan.deposed == 0 => Ok(()),
            _ => Err(format!("the plan is not empty: {plan}")),
        }
    }
}

/// A resource with `create_before_destroy`.
#[must_use]
pub fn created_before_destroyed(type_name: &str) -> Resource {
    let mut resource = Resource::new(type_name);
    resource.lifecycle.create_before_destroy = true;
    resource
}

/// A value of a plan by attribute; null where there is none.
#[must_use]
pub fn planned<'a>(plan: &'a Plan, attribute: &str) -> &'a Value {
    plan.planned
        .as_ref()
        .map_or(&Value::Null, |planned| planned.get(attribute))
}
