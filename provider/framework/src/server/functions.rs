//! Functions. They never need the provider to be configured.

use std::collections::HashMap;

use proto::tfplugin6 as pb;

use super::{Server, wire};
use crate::diagnostics::Diagnostics;
use crate::erased::AnyFunction;
use crate::function::{FunctionError, Parameter};
use crate::provider::Provider;

impl<P: Provider> Server<P> {
    pub(super) fn functions(&self) -> HashMap<String, pb::Function> {
        self.catalog()
            .functions
            .iter()
            .map(|(name, f)| ((*name).to_owned(), signature(f.as_ref())))
            .collect()
    }

    pub(super) fn call(&self, request: pb::call_function::Request) -> pb::call_function::Response {
        match self.try_call(&request) {
            Ok(result) => pb::call_function::Response {
                result: Some(result),
                error: None,
            },
            Err(error) => {
                let argument = error.argument.and_then(|i| i64::try_from(i).ok());
                let error = pb::FunctionError {
                    text: error.text,
                    function_argument: argument,
                };
                pb::call_function::Response {
                    result: None,
                    error: Some(error),
                }
            }
        }
    }

    fn try_call(&self, request: &pb::call_function::Request) -> Result<pb::DynamicValue, FunctionError> {
        let function = self.catalog().functions.get(request.name.as_str());
        let function =
            function.ok_or_else(|| FunctionError::new(format!("there is no function `{}`", request.name)))?;
        let parameters = function.parameters();
        let variadic = function.variadic();
        if request.arguments.len() < parameters.len()
            || (variadic.is_none() && request.arguments.len() > parameters.len())
        {
            return Err(FunctionError::new(format!(
                "{} arguments expected, got {}",
                parameters.len(),
                request.arguments.len()
            )));
        }
        let mut arguments = Vec::with_capacity(request.arguments.len());
        for (i, (value, parameter)) in request
            .arguments
            .iter()
            .zip(parameters.iter().chain(variadic.iter().cycle()))
            .enumerate()
        {
            let value = wire::read(Some(value), &parameter.ty)
                .map_err(|e| FunctionError::of_argument(i, e.to_string()))?;
            arguments.push(value);
        }
        let result = function.call(&arguments)?;
        let mut defects = Diagnostics::new();
        let result = wire::write(&result, &function.returns(), &mut defects);
        match (result, defects.is_empty()) {
            (Some(result), true) => Ok(result),
            _ => Err(FunctionError::new(defects.to_string())),
        }
    }
}

fn signature(function: &dyn AnyFunction) -> pb::Function {
    let texts = function.texts();
    pb::Function {
        parameters: function.parameters().iter().map(parameter).collect(),
        variadic_parameter: function.variadic().as_ref().map(parameter),
        r#return: Some(pb::function::Return {
            r#type: function.returns().to_json_bytes(),
        }),
        summary: texts.summary.to_owned(),
        description: if texts.description.is_empty() {
            texts.summary
        } else {
            texts.description
        }
        .to_owned(),
        description_kind: pb::StringKind::Markdown.into(),
        deprecation_message: texts.deprecated.to_owned(),
    }
}

fn parameter(parameter: &Parameter) -> pb::function::Parameter {
    pb::function::Parameter {
        name: parameter.name.clone(),
        r#type: parameter.ty.to_json_bytes(),
        allow_null_value: parameter.allow_null,
        allow_unknown_values: parameter.allow_unknown,
        description: parameter.description.clone(),
        description_kind: pb::StringKind::Markdown.into(),
    }
}
