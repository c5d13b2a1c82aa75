//! What is said of brackets and texts that do not close, and where the scan goes on after it.

use super::{Kind, MAX_DEPTH, Open, Scanner, is_word_char, starts_with_word};
use crate::base::diag::Diagnostic;
use crate::base::span::Span;

/// Words that start an item; one of them in the first column ends whatever was left open above it.
const ITEM_WORDS: &[&str] = &[
    "let",
    "fn",
    "pub",
    "type",
    "axis",
    "use",
    "input",
    "capture",
    "fit",
    "plot",
    "expect",
    "experiment",
    "for",
    "while",
    "intrinsic",
];

pub(super) struct Fault {
    pub diagnostic: Diagnostic,
    /// The scan goes on at the first item after this place.
    pub at: usize,
}

impl Scanner<'_> {
    pub(super) fn unclosed_text(&self) -> Fault {
        // With a hole open, the quote that ended the line is more likely its text's own.
        let hole = self.open.iter().find(|open| open.kind == Kind::Hole);
        match hole.or_else(|| self.open.iter().rfind(|open| open.kind == Kind::Text)) {
            Some(&open) => self.unclosed(open, None),
            None => self.closes_nothing(Kind::Text),
        }
    }

    pub(super) fn unclosed(&self, open: Open, closer: Option<usize>) -> Fault {
        let at = closer.unwrap_or(self.at);
        let left_open = self.left_open(at);
        let above = left_open.is_some();
        let open = left_open.unwrap_or(open);
        let span = Span::new(self.file, open.at, open.at + 1);
        let message = match open.kind {
            Kind::Text => "this text is not closed".to_string(),
            Kind::Hole => "this `{` in a text is not closed".to_string(),
            _ => format!("this `{}` is not closed", &self.source[open.at..open.at + 1]),
        };
        let mut diagnostic = Diagnostic::error("E002", span, message);
        if let (Some(closer), false) = (closer, above) {
            let found = &self.source[closer..closer + 1];
            diagnostic = diagnostic.label(
                Span::new(self.file, closer, closer + 1),
                format!("`{found}` comes before `{}`", closing(open.kind)),
            );
        }
        diagnostic = match open.kind {
            Kind::Text => {
                diagnostic.help("a text ends on the line where it starts; write `\\n` for a line end inside it")
            }
            Kind::Hole => {
                diagnostic.help("braces in a text hold an expression, `{x:.3}`; write `{{` for a brace itself")
            }
            _ => diagnostic.here(format!("needs a `{}`", closing(open.kind))),
        };
        if let Some(help) = self.axes_before_call(open) {
            diagnostic = diagnostic.help(help);
        }
        Fault { diagnostic, at }
    }

    /// The innermost bracket that was open where, before `at`, an item seems to start.
    pub(super) fn left_open(&self, at: usize) -> Option<Open> {
        let limit = self.piece_start.and_then(|start| next_item(self.source, start))?;
        self.open.iter().rfind(|open| limit < at && open.at < limit).copied()
    }

    /// `mean[pos(x)`: the axes end before the arguments.
    fn axes_before_call(&self, open: Open) -> Option<String> {
        let inside = &self.source[open.at + 1..];
        let function = self.source[..open.at].rsplit(|c: char| !is_word_char(c)).next()?;
        let axes = &inside[..inside.find(|c: char| !is_word_char(c) && !matches!(c, ',' | ' ' | '.'))?];
        let call = inside[axes.len()..].starts_with('(') && !axes.trim().is_empty() && !function.is_empty();
        if open.kind == Kind::Square && call { Some(format!("{function}[{axes}](...)")) } else { None }
    }

    pub(super) fn closes_nothing(&self, kind: Kind) -> Fault {
        let span = Span::new(self.file, self.at, self.at + 1);
        let message = format!("this `{}` closes nothing", closing(kind));
        let mut diagnostic = Diagnostic::error("E002", span, message);
        if let Some(open) = self.open.last() {
            let inner = Span::new(self.file, open.at, open.at + 1);
            diagnostic =
                diagnostic.label(inner, format!("the bracket that is open here needs a `{}`", closing(open.kind)));
        }
        Fault { diagnostic, at: self.at }
    }
}

pub fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error("E004", span, "this is nested too deeply")
        .here(format!("more than {MAX_DEPTH} levels"))
        .help("give parts of it a name with `let`")
}

fn closing(kind: Kind) -> char {
    match kind {
        Kind::Round => ')',
        Kind::Square => ']',
        Kind::Brace | Kind::Hole => '}',
        Kind::Text => '"',
    }
}

/// The start of the first line after `start` that begins, in the first column, with a word that starts an item.
pub(super) fn next_item(text: &str, start: usize) -> Option<usize> {
    let mut from = start;
    while let Some(end) = text[from..].find('\n') {
        from += end + 1;
        let line = &text[from..];
        if line.starts_with("##") || ITEM_WORDS.iter().any(|word| starts_with_word(line, word)) {
            return Some(from);
        }
    }
    None
}
