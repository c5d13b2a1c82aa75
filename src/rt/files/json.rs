//! Settings in JSON files, by path: `json_int(config, "model.layers.0.size")`.

use super::super::error::{Error, Result};
use super::{FileHandle, with_candidates};
use serde_json::Value;

/// A configuration is small; a data set is not read this way.
const MAX_BYTES: u64 = 64 << 20;

pub fn json_int(file: &FileHandle, path: &str) -> Result<i64> {
    let found = find(file, path)?;
    found.as_i64().ok_or_else(|| wrong_kind(file, path, found, "a whole number"))
}

pub fn json_float(file: &FileHandle, path: &str) -> Result<f64> {
    let found = find(file, path)?;
    found.as_f64().ok_or_else(|| wrong_kind(file, path, found, "a number"))
}

pub fn json_str(file: &FileHandle, path: &str) -> Result<String> {
    let found = find(file, path)?;
    found.as_str().map(str::to_string).ok_or_else(|| wrong_kind(file, path, found, "a string"))
}

fn parsed(file: &FileHandle) -> Result<&Value> {
    let parse = || {
        if file.length > MAX_BYTES {
            return Err(file.fault(format!("is too large for a JSON file: {} bytes", file.length)));
        }
        serde_json::from_slice(&file.bytes).map_err(|cause| file.fault(format!("is not JSON: {cause}")))
    };
    file.json.get_or_init(parse).as_ref().map_err(Clone::clone)
}

fn find<'a>(file: &'a FileHandle, path: &str) -> Result<&'a Value> {
    let mut value = parsed(file)?;
    let mut so_far: Vec<&str> = Vec::new();
    for step in path.split('.') {
        let next = match value {
            Value::Object(fields) => fields.get(step),
            Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        value = next.ok_or_else(|| absent(file, &so_far.join("."), step, value))?;
        so_far.push(step);
    }
    Ok(value)
}

fn absent(file: &FileHandle, parent: &str, step: &str, value: &Value) -> Error {
    let inside = if parent.is_empty() { String::new() } else { format!(" in `{parent}`") };
    let error = file.fault(format!("has no `{}`{inside}", step.escape_debug()));
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
        Value::String(text) => format!("\"{}\"", text.chars().take(60).collect::<String>().escape_debug()),
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
    fn bombs_and_rubbish_are_errors() {
        for bytes in [&b"{"[..], &[0xff; 9], &vec![b'['; 200_000]] {
            assert_eq!(json_int(&handle("config", bytes), "n").unwrap_err().code, "R008");
        }
    }
}
