//! What the line editor asks while a person types: is the entry complete, what could this word become, what type
//! has the name under the cursor. Works on copies of names, so that the session is never borrowed.

use std::sync::{Arc, Mutex, MutexGuard};

use rustyline::Context;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Helper, Result};

use super::commands::COMMANDS;
use crate::session::embedded::STDLIB;
use crate::syntax::scan::{self, Completeness};

const KEYWORDS: &[&str] = &[
    "and",
    "assert",
    "axis",
    "capture",
    "else",
    "expect",
    "experiment",
    "false",
    "fit",
    "fn",
    "for",
    "grad",
    "if",
    "in",
    "input",
    "let",
    "match",
    "mut",
    "not",
    "or",
    "plot",
    "print",
    "return",
    "true",
    "type",
    "use",
    "while",
    "with",
];
const TYPES: &[&str] = &["bool", "f32", "f64", "file", "float", "int", "key", "list", "str"];

/// The names of a session, shared by the prompt and its helper.
#[derive(Clone, Default)]
pub struct Words(Arc<Mutex<Known>>);

#[derive(Default)]
pub struct Known {
    /// Names with their types as shown.
    names: Vec<(String, String)>,
    axes: Vec<String>,
}

impl Words {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn set(&self, names: Vec<(String, String)>, axes: Vec<String>) {
        *self.lock() = Known { names, axes };
    }

    fn type_of(&self, name: &str) -> Option<String> {
        self.lock().names.iter().find(|(known, _)| known == name).map(|(_, ty)| ty.clone())
    }

    /// What can stand at the end of `line`: the place where the word starts, and the candidates.
    pub fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let start = line
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |place| place + line[place..].chars().next().map_or(1, char::len_utf8));
        let (before, word) = line.split_at(start);
        let mut found = self.in_place(before);
        found.retain(|candidate| candidate.starts_with(word) && candidate != word);
        found.sort();
        found.dedup();
        (start, found)
    }

    fn in_place(&self, before: &str) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
        if before.trim() == ":" {
            return COMMANDS.iter().map(|(name, _)| name.to_string()).collect();
        }
        if before.trim_start().starts_with("use std.") {
            let path = before.trim_start().trim_start_matches("use std.");
            return STDLIB.iter().filter_map(|(name, _)| name.strip_prefix(path)).map(str::to_string).collect();
        }
        if let Some(owner) = before.strip_suffix('.') {
            let start = owner.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |place| place + 1);
            return self.type_of(owner.get(start..).unwrap_or("")).map_or(Vec::new(), |ty| fields(&ty));
        }
        let known = self.lock();
        if inside_brackets(before) {
            // An index may be any expression, but a bracket starts with an axis.
            let after_axis = before.trim_end().ends_with(':');
            if !after_axis {
                return known.axes.clone();
            }
        }
        let mut all: Vec<String> = known.names.iter().map(|(name, _)| name.clone()).collect();
        all.extend(owned(KEYWORDS));
        all.extend(owned(TYPES));
        all
    }
}

/// Is the end of the text directly inside `[ ]`?
fn inside_brackets(text: &str) -> bool {
    let mut open = Vec::new();
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.last() == Some(&'[')
}

/// The fields of a record type as shown: `{ W: f32[d, f], b: { c: int } }` has `W` and `b`.
fn fields(ty: &str) -> Vec<String> {
    let Some(inner) = ty.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return Vec::new();
    };
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (place, c) in inner.char_indices() {
        match c {
            '{' | '[' | '(' | '<' => depth += 1,
            '}' | ']' | ')' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    parts.iter().filter_map(|part| part.split_once(':')).map(|(name, _)| name.trim().to_string()).collect()
}

pub struct PromptHelper {
    words: Words,
}

impl PromptHelper {
    pub fn new(words: Words) -> PromptHelper {
        PromptHelper { words }
    }
}

impl Helper for PromptHelper {}
impl Highlighter for PromptHelper {}

impl Validator for PromptHelper {
    fn validate(&self, context: &mut ValidationContext) -> Result<ValidationResult> {
        let input = context.input();
        let command = input.trim_start().starts_with(':');
        Ok(match scan::completeness(input) {
            Completeness::Incomplete if !command => ValidationResult::Incomplete,
            // What is wrong is said by the parser, with a place and a help.
            _ => ValidationResult::Valid(None),
        })
    }
}

impl Completer for PromptHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, place: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let (start, found) = self.words.candidates(line.get(..place).unwrap_or(line));
        let pair = |word: String| Pair { display: word.clone(), replacement: word };
        Ok((start, found.into_iter().map(pair).collect()))
    }
}

/// A hint that is only looked at.
pub struct TypeHint(String);

impl Hint for TypeHint {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for PromptHelper {
    type Hint = TypeHint;

    fn hint(&self, line: &str, place: usize, _: &Context<'_>) -> Option<TypeHint> {
        if place != line.len() {
            return None;
        }
        let start = line.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |place| place + 1);
        let ty = self.words.type_of(line.get(start..)?)?;
        (ty != "fn").then(|| TypeHint(format!("   : {ty}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let words = Words::default();
        let name = |name: &str, ty: &str| (name.to_string(), ty.to_string());
        let names = vec![name("weights", "{ W: f32[d, f], deep: { a: int, b: int } }"), name("width", "float")];
        words.set(names, vec!["pos".to_string(), "position".to_string()]);
        words
    }

    #[test]
    fn words_complete_by_place() {
        let words = words();
        assert_eq!(words.candidates("let x = we"), (8, vec!["weights".to_string()]));
        assert_eq!(words.candidates("mean[po"), (5, vec!["pos".to_string(), "position".to_string()]));
        assert_eq!(words.candidates("mean[pos](wid"), (10, vec!["width".to_string()]));
        assert_eq!(words.candidates("weights.").1, ["W", "deep"]);
        assert!(words.candidates(":ti").1.contains(&"time".to_string()));
        assert_eq!(words.candidates("x[pos: wid").1, ["width"]);
    }

    #[test]
    fn words_beside_letters_of_several_bytes_do_not_split_them() {
        assert_eq!(words().candidates("\u{3c0}\u{2192}wid"), (5, vec!["width".to_string()]));
    }
}
