//! Every tensor of a file is accounted for: those that nobody knows, those that are missing, and those of a wrong shape
//! are errors that name them. A misspelt or forgotten tensor must never pass in silence.

use super::super::super::error::Result;
use super::super::FileHandle;
use super::super::decode::shape_shown;
use super::{archive, find};
use crate::rt::guard::quoted;

/// At most so many names stand in an error.
const SHOWN: usize = 8;

/// The tensors of the file are those that `known` names, all of them, beside those that `ignored` names. In a pattern
/// a `*` stands for one whole number; a pattern with one demands nothing.
pub fn check_tensors(file: &FileHandle, known: &[String], ignored: &[String]) -> Result<()> {
    let entries = &archive(file)?.entries;
    let stray = |name: &&String| !known.iter().chain(ignored).any(|pattern| matches(pattern, name));
    let stray: Vec<&str> = entries.keys().filter(stray).map(String::as_str).collect();
    let missing = |name: &&String| !name.contains('*') && !entries.contains_key(*name);
    let missing: Vec<&str> = known.iter().filter(missing).map(String::as_str).collect();
    if stray.is_empty() && missing.is_empty() {
        return Ok(());
    }
    let message = match (missing.len(), stray.len()) {
        (0, count) => format!("holds {count} {} that nothing here reads", tensors(count)),
        (count, 0) => format!("lacks {count} {} of the model", tensors(count)),
        (lacking, strange) => format!("lacks {lacking} {} of the model and holds {strange} others", tensors(lacking)),
    };
    let mut error = file.fault(message);
    if !missing.is_empty() {
        error = error.note("missing", listed(&missing));
    }
    if !stray.is_empty() {
        error = error.note("unknown", listed(&stray));
    }
    Err(error)
}

fn tensors(count: usize) -> &'static str {
    if count == 1 { "tensor" } else { "tensors" }
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| quoted(&name)).collect();
    let more = names.len() - shown.len();
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{rest}", shown.join(", "))
}

/// Does the pattern say this name, with a whole number for each `*`?
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    for part in parts {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        // Behind a number no further digit can belong to the pattern, so the longest run is the only choice.
        match rest.get(digits..).and_then(|after| after.strip_prefix(part)).filter(|_| digits > 0) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Tensor `name` has these lengths.
pub fn check_shape(file: &FileHandle, name: &str, lengths: &[i64]) -> Result<()> {
    let (name, entry) = find(file, name)?;
    let found: Vec<i64> = entry.shape.iter().map(|&length| length as i64).collect();
    if found == lengths {
        return Ok(());
    }
    let needed: Vec<String> = lengths.iter().map(i64::to_string).collect();
    let needed = if needed.is_empty() { "one number".to_string() } else { needed.join(" x ") };
    let message = format!("has tensor `{name}` in another shape than the model");
    Err(file.fault(message).note("found", shape_shown(&entry.shape)).note("needed", needed))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::tensor::Tensor;
    use super::super::super::super::value::Value;
    use super::super::super::tests::handle;
    use super::super::super::write::safetensors_bytes;
    use super::*;
    use crate::base::axis::Axis;

    fn file(names: &[&str]) -> FileHandle {
        let one = |name: &&str| {
            let zeros = Tensor::from_slice(&[(Axis::named("", "pos"), 2)], &[0f32, 0.0]).unwrap();
            (name.to_string(), Value::Tensor(zeros))
        };
        handle("m", &safetensors_bytes(&names.iter().map(one).collect::<Vec<_>>()).unwrap())
    }

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn a_star_is_one_whole_number() {
        assert!(matches("h.*.w", "h.12.w") && matches("a", "a") && matches("*", "7") && matches("*.*", "1.2"));
        assert!(!matches("h.*.w", "h..w") && !matches("h.*.w", "h.1.2.w") && !matches("h.*.w", "h.x.w"));
        assert!(!matches("h.*", "h.1w") && !matches("a", "ab") && !matches("a*", "a"));
    }

    #[test]
    fn what_is_unknown_or_missing_is_named() {
        let file = file(&["emb", "h.0.w", "h.1.w", "h.1.masked"]);
        let check = |known: &[&str], ignored: &[&str]| check_tensors(&file, &strings(known), &strings(ignored));
        assert!(check(&["emb", "h.*.w"], &["h.*.masked"]).is_ok());
        assert!(check(&["emb", "h.0.w", "h.1.w", "h.1.masked"], &["never.*"]).is_ok());
        let error = check(&["emb", "h.*.w"], &[]).unwrap_err();
        assert_eq!(error.message, "input `m` holds 1 tensor that nothing here reads");
        assert!(error.notes.contains(&("unknown", "h.1.masked".into())));
        let error = check(&["emb", "h.*.w", "h.2.w", "wpe"], &["h.*.masked"]).unwrap_err();
        assert_eq!(error.message, "input `m` lacks 2 tensors of the model");
        assert!(error.notes.contains(&("missing", "h.2.w, wpe".into())));
        let error = check(&["wpe"], &["*"]).unwrap_err();
        assert_eq!(error.message, "input `m` lacks 1 tensor of the model and holds 4 others");
    }

    #[test]
    fn shapes_are_compared() {
        let file = file(&["w"]);
        assert!(check_shape(&file, "w", &[2]).is_ok());
        let error = check_shape(&file, "w", &[2, 3]).unwrap_err();
        assert_eq!(error.message, "input `m` has tensor `w` in another shape than the model");
        assert!(error.notes.contains(&("found", "2".into())) && error.notes.contains(&("needed", "2 x 3".into())));
        assert!(check_shape(&file, "v", &[]).unwrap_err().message.contains("no tensor `v`"));
    }
}
