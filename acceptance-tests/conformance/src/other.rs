//! What is not a managed resource: data sources, functions, ephemeral and list resources, actions.

use framework::{Path, Value};
use proto::tfplugin6 as pb;
use serde_json::Value as Json;

use crate::config;
use crate::core::{Core, capabilities, of};
use crate::error::{Diagnostic, Error};
use crate::plan_rules;
use crate::rule::{Found, Rule};
use crate::wire;

/// An open ephemeral resource.
#[derive(Debug, Clone)]
pub struct Ephemeral {
    /// Its type.
    pub type_name: String,
    /// What it gives.
    pub result: Value,
    /// Seconds since 1970 when it wants to be renewed.
    pub renew_at: Option<i64>,
    private: Option<Vec<u8>>,
}

/// One that a list resource found.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Name for humans.
    pub name: String,
    /// Identity of the managed resource.
    pub identity: Value,
    /// Its state, where that was asked for and given.
    pub object: Option<Value>,
}

impl Core {
    /// Reads a data source. JSON as for [`Core::config`].
    ///
    /// # Errors
    /// Broken rules, errors of the provider.
    pub async fn read_data(&self, type_name: &str, config: &Json) -> Result<Value, Error> {
        const CALL: &str = "ReadDataSource";
        let block = &of(&self.schema().data_sources, "data source", type_name)?.block;
        let ty = block.ty();
        let config = wire::pack(&config::read(block, config)?, &ty)?;
        let type_name = type_name.to_owned();
        let request = pb::validate_data_resource_config::Request {
            type_name: type_name.clone(),
            config: config.clone(),
        };
        let answer = self.rpc().validate_data_resource_config(request).await;
        let answer = self.answer("ValidateDataResourceConfig", answer)?;
        self.said("ValidateDataResourceConfig", &answer.diagnostics)?;
        let request = pb::read_data_source::Request {
            type_name,
            config,
            provider_meta: None,
            client_capabilities: capabilities(),
        };
        let answer = self.rpc().read_data_source(request).await;
        let answer = self.answer(CALL, answer)?;
        let mut found = Found::default();
        let diagnostics = wire::diagnostics(&answer.diagnostics, &mut found);
        if answer.deferred.is_some() {
            found.add(Rule::R5, &Path::root(), "deferred");
        }
        let mut state = Value::Null;
        if !diagnostics.iter().any(|d| d.error)
            && let Some(read) = wire::unpack(answer.state.as_ref(), &ty, Rule::D2, &mut found)
        {
            if read.is_null() {
                found.add(Rule::D1, &Path::root(), "null");
            }
            if !read.is_wholly_known() {
                found.actual(Rule::D3, &Path::root(), "something is unknown", &read);
            }
            state = read;
        }
        self.end(CALL, diagnostics, found)?;
        Ok(state)
    }

    /// Calls a function with arguments in JSON, twice: the results have to be the same.
    ///
    /// # Errors
    /// Broken rules; the function's own error as [`Error::Failed`].
    pub async fn call_function(&self, name: &str, arguments: &[Json]) -> Result<Value, Error> {
        const CALL: &str = "CallFunction";
        let function = self.schema().functions.get(name);
        let function = function.ok_or_else(|| Error::Misuse(format!("no function {name}")))?;
        if arguments.len() < function.parameters.len() {
            return Err(Error::Misuse("too few arguments".to_owned()));
        }
        let mut packed = Vec::new();
        for (i, json) in arguments.iter().enumerate() {
            let parameter = function.parameters.get(i).or(function.variadic.as_ref());
            let parameter = parameter.ok_or_else(|| Error::Misuse("too many arguments".to_owned()))?;
            let value = config::read_value(json, &parameter.ty, &Path::root()).map_err(Error::Misuse)?;
            let refused =
                (value.is_null() && !parameter.null) || (!value.is_wholly_known() && !parameter.unknown);
            if refused {
                return Err(Error::Misuse(format!(
                    "{}: takes no null, or no unknown value",
                    parameter.name
                )));
            }
            packed.extend(wire::pack(&value, &parameter.ty)?);
        }
        let request = pb::call_function::Request {
            name: name.to_owned(),
            arguments: packed,
        };
        let mut found = Found::default();
        let mut results = Vec::new();
        for _ in 0..2 {
            let answer = self.rpc().call_function(request.clone()).await;
            let answer = self.answer(CALL, answer)?;
            if let Some(error) = answer.error {
                let path = error
                    .function_argument
                    .and_then(|i| usize::try_from(i).ok())
                    .map(|i| Path::root().index(i));
                let said = Diagnostic {
                    error: true,
                    summary: error.text,
                    detail: String::new(),
                    path,
                };
                return Err(Error::Failed {
                    call: CALL,
                    diagnostics: vec![said],
                });
            }
            if answer.result.is_none() {
                found.add(Rule::F1, &Path::root(), "neither a result nor an error");
            }
            let result = wire::unpack(answer.result.as_ref(), &function.returns, Rule::F1, &mut found);
            results.push(result.unwrap_or(Value::Null));
        }
        if results[0] != results[1] {
            found.values(
                Rule::F2,
                &Path::root(),
                "two calls, two results",
                &results[0],
                &results[1],
            );
        }
        self.end(CALL, Vec::new(), found)?;
        Ok(results.swap_remove(0))
    }

    /// Opens an ephemeral resource. JSON as for [`Core::config`], without unknown values.
    ///
    /// # Errors
    /// Broken rules, errors of the provider.
    pub async fn open(&self, type_name: &str, config: &Json) -> Result<Ephemeral, Error> {
        const CALL: &str = "OpenEphemeralResource";
        let block = &of(
            &self.schema().ephemeral_resources,
            "ephemeral resource",
            type_name,
        )?
        .block;
        let ty = block.ty();
        let value = config::read(block, config)?;
        let config = wire::pack(&value, &ty)?;
        let request = pb::validate_ephemeral_resource_config::Request {
            type_name: type_name.to_owned(),
            config: config.clone(),
        };
        let answer = self.rpc().validate_ephemeral_resource_config(request).await;
        let answer = self.answer("ValidateEphemeralResourceConfig", answer)?;
        self.said("ValidateEphemeralResourceConfig", &answer.diagnostics)?;
        let request = pb::open_ephemeral_resource::Request {
            type_name: type_name.to_owned(),
            config,
            client_capabilities: capabilities(),
        };
        let answer = self.rpc().open_ephemeral_resource(request).await;
        let answer = self.answer(CALL, answer)?;
        let mut found = Found::default();
        let diagnostics = wire::diagnostics(&answer.diagnostics, &mut found);
        if answer.deferred.is_some() {
            found.add(Rule::R5, &Path::root(), "deferred");
        }
        let mut result = Value::Null;
        if !diagnostics.iter().any(|d| d.error)
            && let Some(given) = wire::unpack(answer.result.as_ref(), &ty, Rule::E1, &mut found)
        {
            let mut as_plan = Found::default();
            plan_rules::check(block, &Value::Null, &value, &given, &mut as_plan);
            for mut violation in as_plan.0 {
                violation.reason = format!("{} ({:?})", violation.reason, violation.rule);
                violation.rule = Rule::E1;
                found.0.push(violation);
            }
            if !given.is_wholly_known() {
                found.actual(Rule::E2, &Path::root(), "something is unknown", &given);
            }
            result = given;
        }
        self.end(CALL, diagnostics, found)?;
        let renew_at = answer.renew_at.map(|at| at.seconds);
        Ok(Ephemeral {
            type_name: type_name.to_owned(),
            result,
            renew_at,
            private: answer.private,
        })
    }

    /// Renews an ephemeral resource.
    ///
    /// # Errors
    /// Errors of the provider.
    pub async fn renew(&self, ephemeral: &mut Ephemeral) -> Result<(), Error> {
        let request = pb::renew_ephemeral_resource::Request {
            type_name: ephemeral.type_name.clone(),
            private: ephemeral.private.clone(),
        };
        let answer = self.rpc().renew_ephemeral_resource(request).await;
        let answer = self.answer("RenewEphemeralResource", answer)?;
        self.said("RenewEphemeralResource", &answer.diagnostics)?;
        ephemeral.renew_at = answer.renew_at.map(|at| at.seconds);
        ephemeral.private = answer.private;
        Ok(())
    }

    /// Closes an ephemeral resource.
    ///
    /// # Errors
    /// Errors of the provider.
    pub async fn close_ephemeral(&self, ephemeral: Ephemeral) -> Result<(), Error> {
        let request = pb::close_ephemeral_resource::Request {
            type_name: ephemeral.type_name,
            private: ephemeral.private,
        };
        let answer = self.rpc().close_ephemeral_resource(request).await;
        let answer = self.answer("CloseEphemeralResource", answer)?;
        self.said("CloseEphemeralResource", &answer.diagnostics)
            .map(|_| ())
    }

    /// Lists at most `limit` resources of the type, with their objects.
    ///
    /// # Errors
    /// Broken rules, errors of the provider.
    pub async fn list(&self, type_name: &str, config: &Json, limit: i64) -> Result<Vec<Listed>, Error> {
        const CALL: &str = "ListResource";
        let block = &of(&self.schema().list_resources, "list resource", type_name)?.block;
        let resource = self.resource_schema(type_name)?;
        let config = wire::pack(&config::read(block, config)?, &block.ty())?;
        let request = pb::validate_list_resource_config::Request {
            type_name: type_name.to_owned(),
            config: config.clone(),
            include_resource_object: wire::pack(&Value::Bool(true), &framework::Type::Bool)?,
            limit: wire::pack(&limit.into(), &framework::Type::Number)?,
        };
        let answer = self.rpc().validate_list_resource_config(request).await;
        let answer = self.answer("ValidateListResourceConfig", answer)?;
        self.said("ValidateListResourceConfig", &answer.diagnostics)?;
        let request = pb::list_resource::Request {
            type_name: type_name.to_owned(),
            config,
            include_resource_object: true,
            limit,
        };
        let stream = self.rpc().list_resource(request).await;
        let mut stream = self.answer(CALL, stream)?;
        let (mut found, mut diagnostics, mut out) = (Found::default(), Vec::new(), Vec::new());
        while let Some(event) = self.answer(CALL, stream.message().await.map(tonic::Response::new))? {
            let said = wire::diagnostics(&event.diagnostic, &mut found);
            let failed = said.iter().any(|d| d.error);
            diagnostics.extend(said);
            if failed {
                continue;
            }
            let at = Path::root().index(out.len());
            let ty = resource.identity.as_ref().map(|i| &i.ty);
            let Some(identity) =
                wire::unpack_identity(event.identity.as_ref(), ty, Rule::L1, true, &mut found)
            else {
                found.add(Rule::L1, &at, "no identity");
                continue;
            };
            let ty = resource.schema.block.ty();
            let object = match &event.resource_object {
                Some(object) => wire::unpack(Some(object), &ty, Rule::L3, &mut found),
                None => {
                    found.add(Rule::L3, &at, "no object, though asked for");
                    None
                }
            };
            if let Some(object) = object.as_ref().filter(|object| !object.is_wholly_known()) {
                found.actual(Rule::L3, &at, "something is unknown", object);
            }
            out.push(Listed {
                name: event.display_name,
                identity,
                object,
            });
        }
        if i64::try_from(out.len()).is_ok_and(|count| count > limit) {
            found.add(
                Rule::L2,
                &Path::root(),
                format!("{} of at most {limit}", out.len()),
            );
        }
        self.end(CALL, diagnostics, found)?;
        Ok(out)
    }

    /// Plans and invokes an action. Gives what it said on its way.
    ///
    /// # Errors
    /// Broken rules, errors of the provider.
    pub async fn invoke(&self, type_name: &str, config: &Json) -> Result<Vec<String>, Error> {
        use pb::invoke_action::event::Type as Event;
        const CALL: &str = "InvokeAction";
        let block = &of(&self.schema().actions, "action", type_name)?.block;
        let config = wire::pack(&config::read(block, config)?, &block.ty())?;
        let action_type = type_name.to_owned();
        let request = pb::validate_action_config::Request {
            type_name: action_type.clone(),
            config: config.clone(),
        };
        let answer = self.rpc().validate_action_config(request).await;
        let answer = self.answer("ValidateActionConfig", answer)?;
        self.said("ValidateActionConfig", &answer.diagnostics)?;
        let request = pb::plan_action::Request {
            action_type: action_type.clone(),
            config: config.clone(),
            client_capabilities: capabilities(),
        };
        let answer = self.rpc().plan_action(request).await;
        let answer = self.answer("PlanAction", answer)?;
        let mut found = Found::default();
        if answer.deferred.is_some() {
            found.add(Rule::P9, &Path::root(), "deferred");
        }
        self.end(
            "PlanAction",
            wire::diagnostics(&answer.diagnostics, &mut Found::default()),
            found,
        )?;
        let request = pb::invoke_action::Request {
            action_type,
            config,
            client_capabilities: capabilities(),
        };
        let stream = self.rpc().invoke_action(request).await;
        let mut stream = self.answer(CALL, stream)?;
        let (mut found, mut diagnostics, mut said) = (Found::default(), Vec::new(), Vec::new());
        let mut completed = false;
        while let Some(event) = self.answer(CALL, stream.message().await.map(tonic::Response::new))? {
            match event.r#type {
                Some(Event::Progress(progress)) => said.push(progress.message),
                Some(Event::Completed(end)) => {
                    completed = true;
                    diagnostics.extend(wire::diagnostics(&end.diagnostics, &mut found));
                }
                None => found.add(Rule::C1, &Path::root(), "an event that says nothing"),
            }
        }
        if !completed {
            found.add(Rule::C1, &Path::root(), "the stream ended without completion");
        }
        self.end(CALL, diagnostics, found)?;
        Ok(said)
    }
}
