//! Settings by path: `json_int(config, "model.layers.0.size")`. They are those of a JSON file, of a model's file that
//! tells some beside its tensors, or of a folder's `config.json` or `cfg.json`.

use super::super::error::{Error, Result};
use super::sniff::{self, Format};
use super::{FileHandle, archive, with_candidates};
use crate::rt::guard::{quoted, short};
use serde_json::Value;

/// A configuration is small; a data set is not read this way.
const MAX_BYTES: u64 = 64 << 20;

/// Where a folder's settings are: a model's, and a dictionary's.
const SETTINGS: &[&str] = &["config.json", "cfg.json"];

pub fn json_int(file: &FileHandle, path: &str) -> Result<i64> {
    let found = find(file, path)?;
    found.as_i64().ok_or_else(|| wrong_kind(file, path, found, "a whole number"))
}

pub fn json_float(file: &FileHandle, path: &str) -> Result<f64> {
    let found = find(file, path)?;
    found.as_f64().ok_or_else(|| wrong_kind(file, path, found, "a number"))
}

pub fn json_bool(file: &FileHandle, path: &str) -> Result<bool> {
    let found = find(file, path)?;
    found.as_bool().ok_or_else(|| wrong_kind(file, path, found, "true or false"))
}

pub fn json_str(file: &FileHandle, path: &str) -> Result<String> {
    let found = find(file, path)?;
    found.as_str().map(str::to_string).ok_or_else(|| wrong_kind(file, path, found, "a string"))
}

/// Is anything there? `null` is how settings say that nothing is.
pub fn json_has(file: &FileHandle, path: &str) -> Result<bool> {
    Ok(walk(document(file)?, path).is_ok_and(|found| !found.is_null()))
}

/// What is at a path: "null", "bool", "number", "text", "list" or "record"; "" if nothing is, or the file has no settings.
pub fn json_kind(file: &FileHandle, path: &str) -> Result<&'static str> {
    let silent = match sniff::format(file) {
        Format::Gguf | Format::Llama2c | Format::Zip => archive::archive(file)?.settings.is_none(),
        Format::Folder => SETTINGS.iter().all(|name| file.member(name).is_none()),
        _ => false,
    };
    if silent {
        return Ok("");
    }
    Ok(match walk(document(file)?, path) {
        Err(_) => "",
        Ok(Value::Null) => "null",
        Ok(Value::Bool(_)) => "bool",
        Ok(Value::Number(_)) => "number",
        Ok(Value::String(_)) => "text",
        Ok(Value::Array(_)) => "list",
        Ok(Value::Object(_)) => "record",
    })
}

/// How many items a list has.
pub fn json_len(file: &FileHandle, path: &str) -> Result<i64> {
    let found = find(file, path)?;
    found.as_array().map(|items| items.len() as i64).ok_or_else(|| wrong_kind(file, path, found, "a list"))
}

/// The settings of a file: a JSON file's text, what GGUF, PyTorch and llama2.c files tell beside their tensors, a
/// folder's `config.json`, or `cfg.json` where dictionaries are.
pub fn document(file: &FileHandle) -> Result<&Value> {
    match sniff::format(file) {
        Format::Gguf | Format::Llama2c | Format::Zip => {
            let settings = archive::archive(file)?.settings.as_ref();
            settings.ok_or_else(|| file.fault("tells nothing beside its tensors"))
        }
        Format::Folder => match SETTINGS.iter().find_map(|name| file.member(name)) {
            Some(config) => document(config),
            None => {
                let names = file.members.iter().filter_map(|member| member.path.file_name()?.to_str());
                Err(with_candidates(file.fault("has no `config.json`"), "config.json", names))
            }
        },
        _ => parsed(file),
    }
}

fn parsed(file: &FileHandle) -> Result<&Value> {
    let parse = || {
        if file.length > MAX_BYTES {
            return Err(file.fault(format!("is too large for a JSON file: {} bytes", file.length)));
        }
        serde_json::from_slice(&file.bytes).map_err(|cause| file.fault(format!("is not JSON: {}", short(&cause))))
    };
    file.json.get_or_init(parse).as_ref().map_err(Clone::clone)
}

fn find<'a>(file: &'a FileHandle, path: &'a str) -> Result<&'a Value> {
    walk(document(file)?, path).map_err(|missing| absent(file, &missing))
}

/// Where a path ends: what is there, and the rest of the path that is not.
struct Missing<'a> {
    parent: &'a str,
    step: &'a str,
    value: &'a Value,
}

/// Follows a path. A key may hold dots itself: the longest key that is there counts.
fn walk<'a>(document: &'a Value, path: &'a str) -> std::result::Result<&'a Value, Missing<'a>> {
    let (mut value, mut at) = (document, 0);
    loop {
        let rest = &path[at..];
        let ends = std::iter::once(rest.len()).chain(rest.rmatch_indices('.').map(|(dot, _)| dot));
        let found = ends.into_iter().find_map(|end| Some((field(value, &rest[..end])?, end)));
        match found {
            Some((inner, end)) if end == rest.len() => return Ok(inner),
            Some((inner, end)) => (value, at) = (inner, at + end + 1),
            None => {
                let whole = value.as_object().is_some_and(|fields| fields.keys().any(|key| key.contains('.')));
                let step = if whole { rest } else { rest.split('.').next().unwrap_or(rest) };
                return Err(Missing { parent: path[..at].trim_end_matches('.'), step, value });
            }
        }
    }
}

fn field<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    }
}

fn absent(file: &FileHandle, missing: &Missing) -> Error {
    let Missing { parent, step, value } = *missing;
    let inside = if parent.is_empty() { String::new() } else { format!(" in `{parent}`") };
    let error = file.fault(format!("has no `{}`{inside}", quoted(&step)));
    match value {
        Value::Object(fields) => with_candidates(error, step, fields.keys().map(String::as_str)),
        Value::Array(items) => error.note("found", format!("a list of {}", items.len())),
        other => error.note("found", shown(other)),
    }
}

fn wrong_kind(file: &FileHandle, path: &str, found: &Value, needed: &str) -> Error {
    file.fault(format!("has no {} at `{path}`", needed.trim_start_matches("a ")))
        .note("found", shown(found))
        .note("needed", needed.to_string())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Object(fields) => format!("an object of {} fields", fields.len()),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::String(text) => format!("\"{}\"", quoted(text)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::handle;
    use super::*;

    #[test]
    fn paths() {
        let file = handle("config", br#"{"n": 4, "e": 1e-5, "a": {"b": [{"c": "gelu"}]}}"#);
        assert_eq!(json_int(&file, "n").unwrap(), 4);
        assert_eq!(json_float(&file, "n").unwrap(), 4.0);
        assert_eq!(json_float(&file, "e").unwrap(), 1e-5);
        assert_eq!(json_str(&file, "a.b.0.c").unwrap(), "gelu");
        let error = json_str(&file, "a.b.1.c").unwrap_err();
        assert_eq!(error.message, "input `config` has no `1` in `a.b`");
        let error = json_int(&file, "e").unwrap_err();
        assert_eq!(error.message, "input `config` has no whole number at `e`");
        assert_eq!(json_int(&file, "A").unwrap_err().help.as_deref(), Some("did you mean `a`?"));
        assert!(json_int(&file, "m").unwrap_err().notes.contains(&("found", "n, e, a".into())));
    }

    #[test]
    fn keys_with_dots() {
        let file = handle("m", br#"{"a.b": 1, "a": {"b": 2, "c.d": [3, true]}, "a.b.c": 4, "none": null}"#);
        assert_eq!(json_int(&file, "a.b").unwrap(), 1);
        assert_eq!(json_int(&file, "a.b.c").unwrap(), 4);
        assert_eq!(json_int(&file, "a.c.d.0").unwrap(), 3);
        assert!(json_bool(&file, "a.c.d.1").unwrap());
        assert_eq!(json_len(&file, "a.c.d").unwrap(), 2);
        assert_eq!(
            [json_kind(&file, "a.c.d"), json_kind(&file, "a.b"), json_kind(&file, "none")].map(Result::unwrap),
            ["list", "number", "null"]
        );
        assert!(json_has(&file, "a.c.d.1").unwrap() && !json_has(&file, "a.c.d.2").unwrap());
        assert!(
            !json_has(&file, "none").unwrap() && !json_has(&file, "").unwrap() && !json_has(&file, "a..b").unwrap()
        );
        let error = json_int(&file, "a.d.b").unwrap_err();
        assert_eq!(error.message, "input `m` has no `d.b` in `a`");
        assert_eq!(json_int(&file, "a.b.d").unwrap_err().message, "input `m` has no `d` in `a.b`");
    }

    #[test]
    fn bombs_and_rubbish_are_errors() {
        for bytes in [&b"{"[..], &[0xff; 9], &vec![b'['; 200_000]] {
            assert_eq!(json_int(&handle("config", bytes), "n").unwrap_err().code, "R008");
        }
    }
}
