//! Write-only values: core gives them with the configuration of an apply, and never with what is planned.

use framework::schema::{Block, Shape};
use framework::{Diagnostics, Model, Path, Value};

/// The planned model, with the write-only values of the configuration in it: what the parts of an apply follow from.
pub(super) fn with_secrets<M: Model>(config: &M, planned: &M) -> Result<M, Diagnostics> {
    let value = merged(&M::block(), &config.encode(), planned.encode());
    M::decode(&value, &Path::root()).map_err(|error| error.into_diagnostics())
}

fn merged(block: &Block, config: &Value, planned: Value) -> Value {
    let Value::Object(mut fields) = planned else {
        return planned;
    };
    for attribute in &block.attributes {
        let Some(field) = fields.get_mut(&attribute.name) else {
            continue;
        };
        let given = config.get(&attribute.name);
        if attribute.write_only {
            *field = given.clone();
        } else if let Shape::Nested(_, inner) = &attribute.shape {
            *field = each(inner, given, std::mem::replace(field, Value::Null));
        }
    }
    for nested in &block.blocks {
        if let Some(field) = fields.get_mut(&nested.name) {
            *field = each(
                &nested.block,
                config.get(&nested.name),
                std::mem::replace(field, Value::Null),
            );
        }
    }
    Value::Object(fields)
}

/// The same for one of something or many; the elements of sets cannot hold write-only values.
fn each(block: &Block, config: &Value, planned: Value) -> Value {
    match (config, planned) {
        (Value::List(config), Value::List(planned)) if config.len() == planned.len() => Value::List(
            config
                .iter()
                .zip(planned)
                .map(|(config, planned)| merged(block, config, planned))
                .collect(),
        ),
        (Value::Map(config), Value::Map(planned)) => Value::Map(
            planned
                .into_iter()
                .map(|(key, planned)| {
                    let config = config.get(&key).unwrap_or(&Value::Null);
                    let value = merged(block, config, planned);
                    (key, value)
                })
                .collect(),
        ),
        (config @ Value::Object(_), planned) => merged(block, config, planned),
        (_, planned) => planned,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use framework::{Attr, AttributeType, Secret};

    use super::*;

    /// A user.
    #[derive(Debug, Clone, Default, Model)]
    struct User {
        /// Name.
        #[attribute(optional)]
        name: Attr<String>,
        /// Password.
        #[attribute(optional, write_only)]
        password: Attr<Secret<String>>,
    }

    /// A broker.
    #[derive(Debug, Clone, Default, Model)]
    struct Broker {
        /// Name.
        #[attribute(optional, computed)]
        name: Attr<String>,
        /// Password.
        #[attribute(optional, write_only)]
        password: Attr<Secret<String>>,
        /// Who may enter.
        #[attribute(optional)]
        users: Attr<BTreeMap<String, User>>,
        /// Who may enter, in order.
        #[attribute(optional)]
        listed: Attr<Vec<User>>,
        /// Who may change.
        #[block]
        admin: Attr<User>,
    }

    fn user(name: &str, password: Option<&str>) -> User {
        User {
            name: name.to_owned().into(),
            password: Attr::from_option(password.map(|text| text.to_owned().into())),
        }
    }

    fn broker(name: &str, password: Option<&'static str>) -> Broker {
        Broker {
            name: name.to_owned().into(),
            password: Attr::from_option(password.map(|text| text.to_owned().into())),
            users: BTreeMap::from([("a".to_owned(), user(name, password))]).into(),
            listed: vec![user(name, password)].into(),
            admin: user(name, password).into(),
        }
    }

    #[test]
    fn the_plan_stays_and_secrets_come_from_the_configuration() {
        let both = with_secrets(&broker("given", Some("s")), &broker("planned", None)).unwrap();
        let expected = broker("planned", Some("s"));
        assert_eq!(both.encode(), expected.encode());
        assert!(!format!("{both:?}").contains("\"s\""));
        let none = with_secrets(&broker("given", None), &broker("planned", None)).unwrap();
        assert_eq!(none.encode(), broker("planned", None).encode());
    }
}
