//! What the line editor asks while a person types: is the entry complete, what could this word become, what is the name
//! under the cursor, which colors has the line. Works on copies of names; nothing here runs or checks anything.

mod color;
mod complete;
mod place;
mod words;

use std::borrow::Cow;
use std::cell::Cell;

use rustyline::Context;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Helper, Result};

use crate::session::world::printable;
use crate::syntax::scan::{self, Completeness};
pub use words::{Known, Words};

const KEYWORDS: &[&str] = &[
    "and",
    "as",
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
    "like",
    "match",
    "mut",
    "not",
    "or",
    "plot",
    "print",
    "pub",
    "return",
    "site",
    "true",
    "type",
    "use",
    "while",
    "with",
];
const TYPES: &[&str] = &["bool", "f32", "f64", "file", "float", "int", "key", "list", "str"];

/// The prompt itself takes so many columns.
const PROMPT: usize = 2;
/// A hint that would be shorter says nothing.
const SHORTEST_HINT: usize = 12;

pub struct PromptHelper {
    words: Words,
    color: bool,
    /// Of the terminal; 0 if nobody knows.
    pub columns: Cell<usize>,
    /// The cursor was moved and nothing else.
    moved: Cell<bool>,
}

impl PromptHelper {
    pub fn new(words: Words, color: bool) -> PromptHelper {
        PromptHelper { words, color, columns: Cell::new(0), moved: Cell::new(false) }
    }
}

impl Helper for PromptHelper {}

impl Highlighter for PromptHelper {
    fn highlight<'l>(&self, line: &'l str, cursor: usize) -> Cow<'l, str> {
        let shown = match self.color {
            true => Cow::Owned(color::colored(line, cursor, &self.words.known())),
            false => Cow::Borrowed(line),
        };
        // The editor leaves hints out when the cursor only moves. This one is written behind the line, and the cursor
        // put back where it was.
        match self.hint_at(line, cursor).filter(|_| self.moved.get() && !line.contains('\n')) {
            Some(hint) => Cow::Owned(format!("{shown}\x1b7{}\x1b8", self.highlight_hint(&hint))),
            None => shown,
        }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.color { Cow::Owned(format!("\x1b[90m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _: CompletionType) -> Cow<'c, str> {
        Cow::Borrowed(candidate)
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.moved.set(kind == CmdKind::MoveCursor);
        // Also when the cursor only moves: the matching bracket and the hint follow it.
        true
    }
}

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
        let (start, found) = complete::candidates(&self.words, line.get(..place).unwrap_or(line));
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
        self.hint_at(line, place).map(TypeHint)
    }
}

impl PromptHelper {
    /// What stands behind the line: the type of the name at the cursor, or the signature of the function whose call it
    /// is in.
    fn hint_at(&self, line: &str, place: usize) -> Option<String> {
        let names = place::under_cursor(line, place);
        let path: Vec<&str> = names.iter().map(String::as_str).collect();
        let known = self.words.known();
        // Of what the checker itself knows nobody can say more.
        let shown = printable(&known.shown(&path).filter(|shown| shown != "fn")?);
        let text = if shown.starts_with("fn ") { shown } else { format!(": {shown}") };
        // A hint that wraps would move the lines below with every key.
        let last = line.rsplit('\n').next().unwrap_or(line).chars().count();
        let used = last + 4 + if line.contains('\n') { 0 } else { PROMPT };
        let room = match self.columns.get() {
            0 => usize::MAX,
            columns => columns.checked_sub(used).filter(|room| *room >= SHORTEST_HINT)?,
        };
        let text = if text.chars().count() > room {
            format!("{}..", text.chars().take(room - 2).collect::<String>())
        } else {
            text
        };
        Some(format!("   {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{NameKind, Visible};

    fn words() -> Words {
        let words = Words::default();
        let name = |name: &str, kind, shown: &str| Visible {
            name: name.to_string(),
            kind,
            shown: shown.to_string(),
            own: true,
            members: vec![("encode".to_string(), "fn encode(x: f32[d])".to_string())],
            sites: vec!["resid_pre".to_string()],
        };
        let names = vec![
            name("sae", NameKind::Module, "std.sae"),
            name("weights", NameKind::Value, "{ W: f32[pos, f], deep: { a: int, b: int } }"),
            name("width", NameKind::Value, "float"),
        ];
        let axes = vec!["pos".to_string(), "position".to_string()];
        words.set(Known { names, axes, ..Known::default() });
        words
    }

    #[test]
    fn words_complete_by_place() {
        let words = words();
        let found = |line: &str| complete::candidates(&words, line).1.join(" ");
        assert_eq!(complete::candidates(&words, "let x = we"), (8, vec!["weights".to_string()]));
        assert_eq!(found("mean[po"), "pos position");
        assert_eq!(found("mean[pos](wid"), "width");
        assert_eq!(found("weights."), "W deep");
        assert_eq!(found("weights.deep."), "a b");
        assert_eq!(found("sae.en"), "encode");
        assert_eq!(found("capture weights(1) { a = res"), "resid_pre");
        assert_eq!(found("use std.opt"), "optim");
        assert!(found(":ti").contains("time") && found(":explain E01").contains("E012"));
        assert_eq!(found("print(\"wid"), "");
        assert_eq!(found("x[pos: wid"), "width");
    }

    #[test]
    fn hints_follow_the_cursor_and_fit_the_line() {
        let helper = PromptHelper::new(words(), false);
        let history = rustyline::history::MemHistory::new();
        let context = Context::new(&history);
        let hint = |line: &str, place: usize| helper.hint(line, place, &context).map(|hint| hint.0);
        assert_eq!(hint("width + 1", 3).as_deref(), Some("   : float"));
        assert_eq!(hint("sae.encode(", 11).as_deref(), Some("   fn encode(x: f32[d])"));
        helper.columns.set(30);
        assert_eq!(hint("sae.encode(", 11).as_deref(), Some("   fn encode(x.."));
        assert_eq!(hint("sae.encode(width + width + 1,", 29), None);
    }
}
