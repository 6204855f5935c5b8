//! Upgrade, import and move of states, and identity schemas.

use proto::tfplugin6 as pb;
use serde_json::Value as Json;

use super::catalog::ResourceEntry;
use super::resource::{identity_of, read_identity, write_identity};
use super::{Server, wire};
use crate::computed_blocks;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::generate;
use crate::path::Path;
use crate::private::PrivateState;
use crate::provider::Provider;
use crate::resource::{Applied, Import, MoveSource};
use crate::rules;
use crate::schema::Block;
use crate::value::{Type, Value, WireError};
use crate::walk;

impl<P: Provider> Server<P> {
    pub(super) fn upgrade(
        &self,
        request: &pb::upgrade_resource_state::Request,
    ) -> pb::upgrade_resource_state::Response {
        let mut diagnostics = Diagnostics::new();
        let state = self.resource(&request.type_name).and_then(|entry| {
            let json = raw_json(request.raw_state.as_ref())?;
            let json = upgraded(
                &request.type_name,
                request.version,
                entry.schema.version,
                json,
                |v, json| entry.any.upgrade(v, json),
            )?;
            let state = stored(entry, json)?;
            Ok(wire::write(&state, &entry.ty, &mut diagnostics))
        });
        let upgraded_state = state.unwrap_or_else(|errors| {
            diagnostics.extend(errors);
            None
        });
        pb::upgrade_resource_state::Response {
            upgraded_state,
            diagnostics: wire::diagnostics(diagnostics),
        }
    }

    pub(super) fn identity_schemas(&self) -> pb::get_resource_identity_schemas::Response {
        use pb::resource_identity_schema::IdentityAttribute;
        let attribute = |a: &crate::schema::Attribute| IdentityAttribute {
            name: a.name.clone(),
            r#type: a.shape.ty().to_json_bytes(),
            required_for_import: !(a.optional || a.optional_for_import),
            optional_for_import: a.optional || a.optional_for_import,
            description: a.description.clone(),
        };
        let identity_schemas = self.catalog().resources.iter().filter_map(|(name, entry)| {
            let identity = entry.identity.as_ref()?;
            let schema = pb::ResourceIdentitySchema {
                version: identity.version,
                identity_attributes: identity.block.attributes.iter().map(attribute).collect(),
            };
            Some(((*name).to_owned(), schema))
        });
        pb::get_resource_identity_schemas::Response {
            identity_schemas: identity_schemas.collect(),
            diagnostics: Vec::new(),
        }
    }

    pub(super) fn upgrade_identity(
        &self,
        request: &pb::upgrade_resource_identity::Request,
    ) -> pb::upgrade_resource_identity::Response {
        let mut diagnostics = Diagnostics::new();
        let identity = self.resource(&request.type_name).and_then(|entry| {
            let identity = entry.identity.as_ref().ok_or_else(|| {
                Diagnostics::from(Diagnostic::error(
                    "F206",
                    "No identity",
                    format!("`{}` has no identity.", request.type_name),
                ))
            })?;
            let json = raw_json(request.raw_identity.as_ref())?;
            let upgrade = |v, json| entry.any.upgrade_identity(v, json);
            let mut json = upgraded(
                &request.type_name,
                request.version,
                identity.version,
                json,
                upgrade,
            )?;
            prune(&mut json, &identity.ty);
            let value = Value::from_json(&json, &identity.ty).map_err(unreadable)?;
            Ok(write_identity(entry, Some(value), &mut diagnostics))
        });
        let upgraded_identity = identity.unwrap_or_else(|errors| {
            diagnostics.extend(errors);
            None
        });
        pb::upgrade_resource_identity::Response {
            upgraded_identity,
            diagnostics: wire::diagnostics(diagnostics),
        }
    }

    pub(super) async fn import(
        &self,
        request: pb::import_resource_state::Request,
    ) -> pb::import_resource_state::Response {
        let mut diagnostics = Diagnostics::new();
        let imported = self
            .try_import(request, &mut diagnostics)
            .await
            .unwrap_or_else(|errors| {
                diagnostics.extend(errors);
                None
            });
        pb::import_resource_state::Response {
            imported_resources: imported.into_iter().collect(),
            diagnostics: wire::diagnostics(diagnostics),
            deferred: None,
        }
    }

    async fn try_import(
        &self,
        request: pb::import_resource_state::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<pb::import_resource_state::ImportedResource>, Diagnostics> {
        let entry = self.resource(&request.type_name)?;
        let given = read_identity(entry, request.identity.as_ref())?;
        let from = match &given {
            Some(identity) => Import::Identity(identity.clone()),
            None => Import::Id(request.id),
        };
        let answer = entry.any.import(&self.context(), from).await;
        let failed = answer.diagnostics.has_errors();
        diagnostics.extend(answer.diagnostics);
        let Some(state) = answer.state.filter(|_| !failed) else {
            if !failed {
                diagnostics.push(Diagnostic::error(
                    "F207",
                    "Nothing to import",
                    "Nothing was found under this id or identity.",
                ));
            }
            return Ok(None);
        };
        let block = &entry.schema.block;
        let mut state = walk::without_write_only(block, filled(block, state).unknown_as_null());
        if !computed_blocks::allowed(request.client_capabilities.as_ref()) {
            state = computed_blocks::without(block, state);
        }
        let identity = identity_of(entry, &state).or(given);
        Ok(Some(pb::import_resource_state::ImportedResource {
            type_name: request.type_name,
            state: wire::write(&state, &entry.ty, diagnostics),
            private: answer.private.without_own().to_wire(),
            identity: write_identity(entry, identity, diagnostics),
        }))
    }

    pub(super) fn move_state(
        &self,
        request: pb::move_resource_state::Request,
    ) -> pb::move_resource_state::Response {
        let mut diagnostics = Diagnostics::new();
        let answer = self.try_move(request, &mut diagnostics);
        let mut answer = answer.unwrap_or_else(|errors| {
            diagnostics.extend(errors);
            pb::move_resource_state::Response::default()
        });
        answer.diagnostics = wire::diagnostics(diagnostics);
        answer
    }

    fn try_move(
        &self,
        request: pb::move_resource_state::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::move_resource_state::Response, Diagnostics> {
        let entry = self.resource(&request.target_type_name)?;
        let source = MoveSource {
            provider: request.source_provider_address,
            type_name: request.source_type_name,
            version: request.source_schema_version,
            state: raw_json(request.source_state.as_ref())?,
            private: request.source_private,
            identity: request
                .source_identity
                .as_ref()
                .and_then(|raw| serde_json::from_slice(&raw.json).ok()),
        };
        let renamed = entry.any.former_names().contains(&source.type_name.as_str());
        let moved = if renamed {
            Some(renamed_from(entry, &source)?)
        } else {
            entry.any.move_from(&source)
        };
        let Some(Applied {
            state,
            private,
            diagnostics: said,
        }) = moved
        else {
            let text = format!(
                "`{}` of {} cannot become `{}`.",
                source.type_name, source.provider, request.target_type_name
            );
            return Err(Diagnostic::error("F208", "Move is not supported", text)
                .hint("Use `removed` and `import` blocks instead.")
                .into());
        };
        diagnostics.extend(said);
        let Some(state) = state.filter(|_| !diagnostics.has_errors()) else {
            return Ok(pb::move_resource_state::Response::default());
        };
        let state = walk::without_write_only(
            &entry.schema.block,
            filled(&entry.schema.block, state).unknown_as_null(),
        );
        let identity = identity_of(entry, &state);
        Ok(pb::move_resource_state::Response {
            target_state: wire::write(&state, &entry.ty, diagnostics),
            target_private: private.without_own().to_wire(),
            target_identity: write_identity(entry, identity, diagnostics),
            diagnostics: Vec::new(),
        })
    }

    /// The configuration that would give a state.
    pub(super) fn generate_config(
        &self,
        request: &pb::generate_resource_config::Request,
    ) -> pb::generate_resource_config::Response {
        let mut diagnostics = Diagnostics::new();
        let config = self.resource(&request.type_name).and_then(|entry| {
            let state = wire::read(request.state.as_ref(), &entry.ty)?;
            Ok(wire::write(
                &generate::configuration(&entry.schema.block, &state),
                &entry.ty,
                &mut diagnostics,
            ))
        });
        let config = config.unwrap_or_else(|errors| {
            diagnostics.extend(errors);
            None
        });
        pb::generate_resource_config::Response {
            config,
            diagnostics: wire::diagnostics(diagnostics),
        }
    }
}

/// The state of a resource whose type had another name, in the form of today.
fn renamed_from<C>(entry: &ResourceEntry<C>, source: &MoveSource) -> Result<Applied<Value>, Diagnostics> {
    let (name, state) = (&source.type_name, source.state.clone());
    let json = upgraded(name, source.version, entry.schema.version, state, |v, json| {
        entry.any.upgrade(v, json)
    })?;
    let private = PrivateState::from_wire(&source.private).unwrap_or_default();
    Ok(Applied::done(stored(entry, json)?, private))
}

fn unreadable(error: WireError) -> Diagnostics {
    Diagnostic::error(
        "F205",
        "Unreadable state",
        format!("The stored state cannot be read: {error}."),
    )
    .at(error.path)
    .into()
}

fn raw_json(raw: Option<&pb::RawState>) -> Result<Json, Diagnostics> {
    let bytes = raw.map(|raw| raw.json.as_slice()).unwrap_or_default();
    if bytes.is_empty() {
        let text = "The state was written by a version of Terraform before 0.12, or is empty.";
        return Err(Diagnostic::error("F205", "Unreadable state", text).into());
    }
    serde_json::from_slice(bytes)
        .map_err(|error| Diagnostic::error("F205", "Unreadable state", format!("{error}.")).into())
}

/// Brings JSON from one version to another, one version at a time.
fn upgraded(
    name: &str,
    from: i64,
    to: i64,
    mut json: Json,
    upgrade: impl Fn(i64, Json) -> Result<Json, Diagnostics>,
) -> Result<Json, Diagnostics> {
    if from > to {
        let text = format!(
            "`{name}` was last written by a newer version of the provider (version {from} of its form, this one knows {to})."
        );
        return Err(Diagnostic::error("F209", "State of a newer provider", text)
            .hint("Use that version of the provider, or a newer one.")
            .into());
    }
    for version in from..to {
        json = upgrade(version, json)?;
    }
    Ok(json)
}

/// A stored state as a value of the schema of today: attributes that are gone are dropped, new ones are null.
fn stored<C>(entry: &ResourceEntry<C>, mut json: Json) -> Result<Value, Diagnostics> {
    prune(&mut json, &entry.ty);
    let value = Value::from_json(&json, &entry.ty).map_err(unreadable)?;
    let value = walk::without_write_only(&entry.schema.block, filled(&entry.schema.block, value));
    match value.conformance(&entry.ty).first() {
        None => Ok(value),
        Some(wrong) => Err(rules::defect(
            &Path::root(),
            format!("an upgraded state of the wrong form: {wrong}"),
        )
        .into()),
    }
}

fn prune(json: &mut Json, ty: &Type) {
    match (json, ty) {
        (Json::Object(all), Type::Object(of)) => {
            all.retain(|name, _| of.contains_key(name));
            all.iter_mut().for_each(|(name, json)| {
                if let Some(ty) = of.get(name) {
                    prune(json, ty);
                }
            });
        }
        (Json::Object(all), Type::Map(of)) => all.values_mut().for_each(|json| prune(json, of)),
        (Json::Array(all), Type::List(of) | Type::Set(of)) => all.iter_mut().for_each(|json| prune(json, of)),
        _ => {}
    }
}

/// Blocks are empty where a state has null for them.
fn filled(block: &Block, value: Value) -> Value {
    let Value::Object(mut object) = value else {
        return value;
    };
    for nested in &block.blocks {
        let Some(value) = object.get_mut(&nested.name) else {
            continue;
        };
        if value.is_null() {
            *value = nested.nesting.nothing();
        }
    }
    Value::Object(object)
}

/// The value of a block in which nothing is set.
pub(super) fn empty(block: &Block) -> Value {
    let Type::Object(attributes) = block.ty() else {
        return Value::Null;
    };
    filled(
        block,
        Value::Object(attributes.into_keys().map(|name| (name, Value::Null)).collect()),
    )
}
