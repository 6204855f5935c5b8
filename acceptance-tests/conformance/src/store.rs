//! Between what is stored and what is sent: every stored object passes through the provider's upgrade before use.

use framework::{Path, Value};
use proto::tfplugin6 as pb;

use crate::core::Core;
use crate::error::Error;
use crate::resource::Instance;
use crate::rule::{Found, Rule};
use crate::schema::{Block, ResourceSchema};
use crate::wire;

/// An object in use.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub value: Value,
    pub private: Vec<u8>,
    pub identity: Option<Value>,
    pub tainted: bool,
}

impl Core {
    /// The stored object, upgraded by the provider to its schema of today.
    pub(crate) async fn object(&self, type_name: &str, instance: &Instance) -> Result<Object, Error> {
        const CALL: &str = "UpgradeResourceState";
        let schema = self.resource_schema(type_name)?;
        let ty = schema.schema.block.ty();
        let request = pb::upgrade_resource_state::Request {
            type_name: type_name.to_owned(),
            version: instance.schema_version,
            raw_state: raw(&instance.attributes),
        };
        let answer = self.rpc().upgrade_resource_state(request).await;
        let answer = self.answer(CALL, answer)?;
        let mut found = Found::default();
        let diagnostics = wire::diagnostics(&answer.diagnostics, &mut found);
        let failed = diagnostics.iter().any(|d| d.error);
        let value = if failed {
            None
        } else {
            wire::unpack(answer.upgraded_state.as_ref(), &ty, Rule::U1, &mut found)
        };
        if let Some(value) = &value {
            upgraded(&schema.schema.block, value, &mut found);
        }
        self.end(CALL, diagnostics, found)?;
        let identity = match (&instance.identity, &schema.identity) {
            (Some((version, json)), Some(_)) => self.identity(type_name, schema, *version, json).await?,
            _ => None,
        };
        Ok(Object {
            value: value.unwrap_or(Value::Null),
            private: instance.private.clone(),
            identity,
            tainted: instance.tainted,
        })
    }

    async fn identity(
        &self,
        type_name: &str,
        schema: &ResourceSchema,
        version: i64,
        json: &serde_json::Value,
    ) -> Result<Option<Value>, Error> {
        const CALL: &str = "UpgradeResourceIdentity";
        let request = pb::upgrade_resource_identity::Request {
            type_name: type_name.to_owned(),
            version,
            raw_identity: raw(json),
        };
        let answer = self.rpc().upgrade_resource_identity(request).await;
        let answer = self.answer(CALL, answer)?;
        let mut found = Found::default();
        let diagnostics = wire::diagnostics(&answer.diagnostics, &mut found);
        let ty = schema.identity.as_ref().map(|i| &i.ty);
        let identity =
            wire::unpack_identity(answer.upgraded_identity.as_ref(), ty, Rule::U4, true, &mut found);
        self.end(CALL, diagnostics, found)?;
        Ok(identity)
    }
}

/// Rules of upgraded and moved states.
pub(crate) fn upgraded(block: &Block, value: &Value, found: &mut Found) {
    if value.is_null() {
        found.add(Rule::U1, &Path::root(), "null");
    }
    if !value.is_wholly_known() {
        found.actual(Rule::U2, &Path::root(), "something is unknown", value);
    }
    for (path, value) in block.write_only_values(value) {
        found.values(
            Rule::U3,
            &path,
            "a write-only attribute has a value",
            &Value::Null,
            &value,
        );
    }
}

pub(crate) fn raw(json: &serde_json::Value) -> Option<pb::RawState> {
    Some(pb::RawState {
        json: json.to_string().into_bytes(),
        flatmap: Default::default(),
    })
}

/// What core writes to the state; `None` for null. What is unknown (a broken rule) is written as null.
pub(crate) fn stored(schema: &ResourceSchema, object: Object) -> Result<Option<Instance>, Error> {
    if object.value.is_null() {
        return Ok(None);
    }
    let unwritable = |e| Error::Misuse(format!("the state cannot be written: {e}"));
    let attributes = object
        .value
        .unknown_as_null()
        .to_json(&schema.schema.block.ty())
        .map_err(unwritable)?;
    let identity = match (&object.identity, &schema.identity) {
        (Some(value), Some(identity)) => {
            let json = value
                .clone()
                .unknown_as_null()
                .to_json(&identity.ty)
                .map_err(unwritable)?;
            Some((identity.version, json))
        }
        _ => None,
    };
    Ok(Some(Instance {
        schema_version: schema.schema.version,
        attributes,
        private: object.private,
        identity,
        tainted: object.tainted,
    }))
}
