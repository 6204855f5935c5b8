//! Patches of the user's on objects of a chart: JSON Patch (RFC 6902).

use serde_json::Value;

/// Carries out the operations on the object, one after the other.
///
/// # Errors
/// The operation that cannot be carried out, and why.
pub fn patch(object: &mut Value, operations: &Value) -> Result<(), String> {
    let operations = operations.as_array().ok_or(
        "it is no list of operations such as `{ op = \"add\", path = \"/spec/replicas\", value = 3 }`",
    )?;
    for operation in operations {
        one(object, operation).map_err(|why| format!("{operation}: {why}"))?;
    }
    Ok(())
}

fn one(object: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |name: &str| operation[name].as_str().ok_or(format!("`{name}` is missing"));
    let value = || {
        operation
            .get("value")
            .cloned()
            .ok_or("`value` is missing".to_owned())
    };
    let path = text("path")?;
    match text("op")? {
        "add" => add(object, path, value()?),
        "remove" => take(object, path).map(|_| ()),
        "replace" => {
            *at(object, path)? = value()?;
            Ok(())
        }
        "move" => {
            let moved = take(object, text("from")?)?;
            add(object, path, moved)
        }
        "copy" => {
            let copied = at(object, text("from")?)?.clone();
            add(object, path, copied)
        }
        "test" if *at(object, path)? == value()? => Ok(()),
        "test" => Err("it is another value".to_owned()),
        other => Err(format!(
            "`{other}` is no operation: add, remove, replace, move, copy, test"
        )),
    }
}

fn at<'a>(object: &'a mut Value, path: &str) -> Result<&'a mut Value, String> {
    object.pointer_mut(path).ok_or(format!("there is no {path}"))
}

/// What is around the place, and its name there.
fn around<'a>(object: &'a mut Value, path: &str) -> Result<(&'a mut Value, String), String> {
    let (around, name) = path.rsplit_once('/').ok_or("`path` begins with `/`")?;
    Ok((at(object, around)?, name.replace("~1", "/").replace("~0", "~")))
}

fn add(object: &mut Value, path: &str, value: Value) -> Result<(), String> {
    match around(object, path)? {
        (Value::Object(map), name) => {
            map.insert(name, value);
            Ok(())
        }
        (Value::Array(list), name) => {
            let index = if name == "-" {
                Some(list.len())
            } else {
                name.parse().ok()
            };
            let index = index.filter(|index| *index <= list.len());
            list.insert(
                index.ok_or(format!("there is no place {name} in the list"))?,
                value,
            );
            Ok(())
        }
        _ => Err(format!("nothing can be added at {path}")),
    }
}

fn take(object: &mut Value, path: &str) -> Result<Value, String> {
    let none = format!("there is no {path}");
    match around(object, path)? {
        (Value::Object(map), name) => map.shift_remove(&name).ok_or(none),
        (Value::Array(list), name) => {
            let index = name.parse().ok().filter(|index| *index < list.len());
            index.map(|index| list.remove(index)).ok_or(none)
        }
        _ => Err(none),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_change_what_they_name() {
        let mut object = json!({"spec": {"replicas": 1, "list": ["a", "c"], "a/b": 1}});
        let operations = json!([
            {"op": "test", "path": "/spec/replicas", "value": 1},
            {"op": "replace", "path": "/spec/replicas", "value": 3},
            {"op": "add", "path": "/spec/list/1", "value": "b"},
            {"op": "add", "path": "/spec/list/-", "value": "d"},
            {"op": "remove", "path": "/spec/list/0"},
            {"op": "move", "from": "/spec/a~1b", "path": "/spec/moved"},
            {"op": "copy", "from": "/spec/moved", "path": "/spec/copied"},
        ]);
        patch(&mut object, &operations).unwrap();
        let expected = json!({"spec": {"replicas": 3, "list": ["b", "c", "d"], "moved": 1, "copied": 1}});
        assert_eq!(object, expected);
    }

    #[test]
    fn what_cannot_be_is_told() {
        let refused = |operations: Value| patch(&mut json!({"a": [1]}), &operations).unwrap_err();
        for (operations, words) in [
            (json!({}), "no list of operations"),
            (json!([{"op": "add"}]), "`path` is missing"),
            (
                json!([{"op": "add", "path": "/b/c", "value": 1}]),
                "there is no /b",
            ),
            (json!([{"op": "add", "path": "/a/7", "value": 1}]), "no place 7"),
            (json!([{"op": "remove", "path": "/b"}]), "there is no /b"),
            (
                json!([{"op": "test", "path": "/a/0", "value": 2}]),
                "another value",
            ),
            (json!([{"op": "merge", "path": "/a"}]), "no operation"),
        ] {
            let told = refused(operations);
            assert!(told.contains(words), "{told}");
        }
    }
}
