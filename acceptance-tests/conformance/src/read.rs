//! Refresh, import and move.

use framework::{Path, Value};
use proto::tfplugin6 as pb;
use serde_json::Value as Json;

use crate::config;
use crate::core::{Core, capabilities};
use crate::error::{Diagnostic, Error};
use crate::resource::{Gone, Instance, Resource};
use crate::rule::{Found, Rule};
use crate::store::{self, Object};
use crate::walk::Walk;
use crate::wire;

impl Core {
    /// Reads the object, and deposed ones, as core does before it plans. What is gone is forgotten; on errors nothing
    /// changes. Gives the warnings.
    ///
    /// # Errors
    /// Broken rules, errors of the provider.
    pub async fn refresh(&self, resource: &mut Resource) -> Result<Vec<Diagnostic>, Error> {
        self.walk(Walk::Refresh, resource).await?;
        let mut warnings = Vec::new();
        if let Some(instance) = &resource.current {
            let (read, said) = self.read(&resource.type_name, instance).await?;
            // Of a tainted object nothing is given to the plan.
            let gone = Gone {
                private: read.private.clone(),
                identity: read.identity.clone(),
            };
            resource.gone = (read.value.is_null() && !read.tainted).then_some(gone);
            resource.current = store::stored(self.resource_schema(&resource.type_name)?, read)?;
            warnings.extend(said);
        }
        let mut deposed = Vec::new();
        for instance in &resource.deposed {
            let (read, said) = self.read(&resource.type_name, instance).await?;
            deposed.extend(store::stored(self.resource_schema(&resource.type_name)?, read)?);
            warnings.extend(said);
        }
        resource.deposed = deposed;
        resource.died_in = None;
        Ok(warnings)
    }

    async fn read(&self, type_name: &str, instance: &Instance) -> Result<(Object, Vec<Diagnostic>), Error> {
        const CALL: &str = "ReadResource";
        let schema = self.resource_schema(type_name)?;
        let (block, ty) = (&schema.schema.block, schema.schema.block.ty());
        let identity_ty = schema.identity.as_ref().map(|i| &i.ty);
        let object = self.object(type_name, instance).await?;
        let request = pb::read_resource::Request {
            type_name: type_name.to_owned(),
            current_state: wire::pack(&object.value, &ty)?,
            private: object.private.clone(),
            provider_meta: None,
            client_capabilities: capabilities(),
            current_identity: wire::pack_identity(object.identity.as_ref(), identity_ty)?,
        };
        let answer = self.rpc().read_resource(request).await;
        let answer = self.answer(CALL, answer)?;
        let mut found = Found::default();
        let diagnostics = wire::diagnostics(&answer.diagnostics, &mut found);
        if answer.deferred.is_some() {
            found.add(Rule::R5, &Path::root(), "deferred");
        }
        let identity = wire::unpack_identity(
            answer.new_identity.as_ref(),
            identity_ty,
            Rule::R4,
            true,
            &mut found,
        );
        let value = if diagnostics.iter().any(|d| d.error) {
            Value::Null
        } else {
            wire::unpack(answer.new_state.as_ref(), &ty, Rule::R1, &mut found).unwrap_or(Value::Null)
        };
        if !value.is_wholly_known() {
            found.actual(Rule::R2, &Path::root(), "something is unknown", &value);
        }
        for (path, value) in block.write_only_values(&value) {
            found.values(
                Rule::R3,
                &path,
                "a write-only attribute has a value",
                &Value::Null,
                &value,
            );
        }
        if !object.private.is_empty() && !value.is_null() && answer.private.is_empty() {
            found.add(Rule::A8, &Path::root(), "the private state was not handed on");
        }
        let warnings = self.end(CALL, diagnostics, found)?;
        let read = Object {
            value,
            private: answer.private,
            identity,
            tainted: object.tainted,
        };
        Ok((read, warnings))
    }

    /// Imports by id, then reads.
    ///
    /// # Errors
    /// Broken rules, errors of the provider; [`Error::Misuse`] where there is nothing after the read, or something was
    /// there already.
    pub async fn import(&self, resource: &mut Resource, id: &str) -> Result<Vec<Diagnostic>, Error> {
        self.import_from(resource, id.to_owned(), None).await
    }

    /// Imports by identity (JSON), then reads.
    ///
    /// # Errors
    /// As [`Core::import`].
    pub async fn import_identity(
        &self,
        resource: &mut Resource,
        identity: &Json,
    ) -> Result<Vec<Diagnostic>, Error> {
        let schema = self.resource_schema(&resource.type_name)?;
        let Some(schema) = &schema.identity else {
            return Err(Error::Misuse(format!("{} has no identity", resource.type_name)));
        };
        let value = config::read_value(identity, &schema.ty, &Path::root()).map_err(Error::Misuse)?;
        self.import_from(
            resource,
            String::new(),
            wire::pack_identity(Some(&value), Some(&schema.ty))?,
        )
        .await
    }

    async fn import_from(
        &self,
        resource: &mut Resource,
        id: String,
        identity: Option<pb::ResourceIdentityData>,
    ) -> Result<Vec<Diagnostic>, Error> {
        const CALL: &str = "ImportResourceState";
        if resource.current.is_some() {
            return Err(Error::Misuse("the resource exists already".to_owned()));
        }
        let schema = self.resource_schema(&resource.type_name)?;
        let (block, ty) = (&schema.schema.block, schema.schema.block.ty());
        let request = pb::import_resource_state::Request {
            type_name: resource.type_name.clone(),
            id,
            client_capabilities: capabilities(),
            identity,
        };
        let answer = self.rpc().import_resource_state(request).await;
        let answer = self.answer(CALL, answer)?;
        let mut found = Found::default();
        let diagnostics = wire::diagnostics(&answer.diagnostics, &mut found);
        if diagnostics.iter().any(|d| d.error) {
            return self.end(CALL, diagnostics, found);
        }
        if answer.deferred.is_some() {
            found.add(Rule::R5, &Path::root(), "deferred");
        }
        if answer.imported_resources.len() != 1 {
            found.add(
                Rule::I1,
                &Path::root(),
                format!("{} objects", answer.imported_resources.len()),
            );
        }
        let mut object = None;
        for imported in &answer.imported_resources {
            if imported.type_name != resource.type_name {
                found.add(
                    Rule::I2,
                    &Path::root(),
                    format!("the type {:?}", imported.type_name),
                );
            }
            let Some(value) = wire::unpack(imported.state.as_ref(), &ty, Rule::I2, &mut found) else {
                continue;
            };
            if value.is_null() {
                found.add(Rule::I1, &Path::root(), "null");
            }
            for (path, value) in block.write_only_values(&value) {
                found.values(
                    Rule::I3,
                    &path,
                    "a write-only attribute has a value",
                    &Value::Null,
                    &value,
                );
            }
            let ty = schema.identity.as_ref().map(|i| &i.ty);
            let identity = wire::unpack_identity(imported.identity.as_ref(), ty, Rule::R4, true, &mut found);
            object = Some(Object {
                value,
                private: imported.private.clone(),
                identity,
                tainted: false,
            });
        }
        let mut warnings = self.end(CALL, diagnostics, found)?;
        let imported = object
            .map(|object| store::stored(schema, object))
            .transpose()?
            .flatten();
        let Some(imported) = imported else {
            return Err(Error::Misuse("nothing was imported".to_owned()));
        };
        let (read, said) = self.read(&resource.type_name, &imported).await?;
        warnings.extend(said);
        if read.value.is_null() {
            return Err(Error::Misuse(
                "cannot import non-existent remote object".to_owned(),
            ));
        }
        resource.current = store::stored(schema, read)?;
        Ok(warnings)
    }

    /// Takes over a resource of another type under a `moved` block. `provider` is the source's address.
    ///
    /// # Errors
    /// Broken rules, errors of the provider.
    pub async fn move_from(
        &self,
        resource: &mut Resource,
        source: &Resource,
        provider: &str,
    ) -> Result<Vec<Diagnostic>, Error> {
        const CALL: &str = "MoveResourceState";
        let schema = self.resource_schema(&resource.type_name)?;
        let Some(from) = &source.current else {
            return Err(Error::Misuse("nothing to move".to_owned()));
        };
        if !self.schema().move_state {
            return Err(Error::Misuse("the provider moves no states".to_owned()));
        }
        let request = pb::move_resource_state::Request {
            source_provider_address: provider.to_owned(),
            source_type_name: source.type_name.clone(),
            source_schema_version: from.schema_version,
            source_state: store::raw(&from.attributes),
            target_type_name: resource.type_name.clone(),
            source_private: from.private.clone(),
            source_identity: from.identity.as_ref().and_then(|(_, json)| store::raw(json)),
            source_identity_schema_version: from.identity.as_ref().map_or(0, |(version, _)| *version),
        };
        let answer = self.rpc().move_resource_state(request).await;
        let answer = self.answer(CALL, answer)?;
        let mut found = Found::default();
        let diagnostics = wire::diagnostics(&answer.diagnostics, &mut found);
        if diagnostics.iter().any(|d| d.error) {
            return self.end(CALL, diagnostics, found);
        }
        let block = &schema.schema.block;
        let value = wire::unpack(answer.target_state.as_ref(), &block.ty(), Rule::U1, &mut found)
            .unwrap_or(Value::Null);
        store::upgraded(block, &value, &mut found);
        let ty = schema.identity.as_ref().map(|i| &i.ty);
        let identity = wire::unpack_identity(answer.target_identity.as_ref(), ty, Rule::U4, true, &mut found);
        let warnings = self.end(CALL, diagnostics, found)?;
        let object = Object {
            value,
            private: answer.target_private,
            identity,
            tainted: from.tainted,
        };
        resource.current = store::stored(schema, object)?;
        Ok(warnings)
    }
}
