//! Why an item could not be parsed: a frequent slip by name, or what was expected, in words for people.

use super::super::scan::{self, Piece, Scan};
use super::super::slips::{self, Fault, is_reserved};
use super::super::tokens::{Kind, Token, tokens};
use super::{Grammar, Rule};
use crate::base::diag::Diagnostic;
use crate::base::span::{FileId, Span};
use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};
use std::sync::Mutex;

/// What pest knows about a failure.
struct Failure {
    /// Where the last rule started that failed; at most `token`.
    rule: usize,
    /// The rules that failed there.
    rules: Vec<Rule>,
    /// The furthest place where a sign or word was looked for.
    token: usize,
    /// What was looked for there.
    signs: Vec<String>,
}

pub(super) fn explain(file: FileId, scan: &Scan, piece: &Piece) -> Diagnostic {
    let input = &scan.text[piece.start..piece.end];
    let whole = Span::new(file, piece.start, piece.end);
    let Some(mut failure) = failure(input) else {
        // Only the limits on steps and stack stop pest without a place.
        return scan::too_deep(whole);
    };
    let tokens = tokens(input);
    let at = failing_token(input, &tokens, &failure);
    if tokens[at].start < failure.token {
        // What was looked for inside a token says nothing about what could stand in its place.
        failure.token = failure.rule;
        failure.signs.clear();
    }
    let fault = Fault { text: input, tokens: &tokens, at };
    let span = |from: usize, to: usize| {
        let (from, to) = (tokens[from.min(tokens.len() - 1)], tokens[to.min(tokens.len() - 1)]);
        Span::new(file, piece.start + from.start, piece.start + to.end.max(from.end))
    };
    match slips::find(&fault) {
        Some(slip) => {
            let found = Diagnostic::error("E003", span(slip.from, slip.to), slip.message);
            if slip.help.is_empty() { found } else { found.help(slip.help) }
        }
        None => unexpected(input, &tokens, at, span(at, at), &failure),
    }
}

/// Parses again with pest's record of attempts, which would slow down every parse if it were always on.
fn failure(input: &str) -> Option<Failure> {
    // The switch is process-wide: without the lock another thread could turn it off in between.
    static DETAIL: Mutex<()> = Mutex::new(());
    let guard = DETAIL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    pest::set_error_detail(true);
    let result = Grammar::parse(Rule::item, input);
    pest::set_error_detail(false);
    drop(guard);
    result.err().and_then(read)
}

fn read(error: Error<Rule>) -> Option<Failure> {
    let rule = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let attempts = error.parse_attempts();
    let ErrorVariant::ParsingError { positives, .. } = error.variant else { return None };
    let (token, signs) = match attempts {
        Some(attempts) => {
            (attempts.max_position, attempts.expected_tokens().iter().map(|token| token.to_string()).collect())
        }
        None => (rule, Vec::new()),
    };
    Some(Failure { rule, rules: positives, token: token.max(rule), signs })
}

/// The first token that could not be used.
fn failing_token(text: &str, tokens: &[Token], failure: &Failure) -> usize {
    let last = tokens.len() - 1;
    let inside = tokens.iter().position(|token| token.start < failure.token && failure.token < token.end);
    if let Some(inside) = inside {
        return inside;
    }
    // A word of the language where a name should be: pest looked at all of it before it refused.
    let refused = tokens.iter().position(|token| {
        token.kind == Kind::Word
            && token.end == failure.token
            && failure.rule <= token.start
            && is_reserved(&text[token.start..token.end])
    });
    refused.or_else(|| tokens.iter().position(|token| token.start >= failure.token)).unwrap_or(last)
}

fn unexpected(text: &str, tokens: &[Token], at: usize, span: Span, failure: &Failure) -> Diagnostic {
    let token = tokens[at];
    let shown = &text[token.start..token.end];
    let expected = expected(failure);
    let message = match token.kind {
        Kind::Line if shown == ";" => "a `;` was not expected here".to_string(),
        Kind::End | Kind::Line => match at.checked_sub(1).map(|before| tokens[before]) {
            Some(before) => format!("something is missing after `{}`", short(&text[before.start..before.end])),
            None => "something is missing".to_string(),
        },
        Kind::Text => "a text was not expected here".to_string(),
        _ => format!("`{}` was not expected here", short(shown)),
    };
    let label = if expected.is_empty() { String::new() } else { format!("expected {expected}") };
    Diagnostic::error("E001", span, message).here(label)
}

/// A long token would hide the message.
fn short(text: &str) -> String {
    if text.chars().count() <= 24 {
        return text.to_string();
    }
    text.chars().take(20).chain("...".chars()).collect()
}

/// Signs and words worth naming, in the order in which they are named.
const SIGNS: &[&str] = &[
    ")", "]", "}", ",", ":", "=", "=>", "->", "|>", "{", "(", "[", "<", ">", "~", "+-", "..", "in", "like", "as",
    "else", "mut",
];

/// What could have stood there: `a value`, `` `)` or an operator``.
fn expected(failure: &Failure) -> String {
    let looked = |sign: &str| failure.signs.iter().any(|found| found == sign);
    let failed = |rule: Rule| failure.rule == failure.token && failure.rules.contains(&rule);
    let value = looked("\"") && looked("(");
    let operator = looked("*") || failed(Rule::mul_op);
    let mut found: Vec<String> = Vec::new();
    if value {
        found.push("a value".to_string());
    } else if failed(Rule::ty) {
        found.push("a type".to_string());
    } else if failed(Rule::axis_ref) {
        found.push("the name of an axis".to_string());
    } else if failed(Rule::ident) || failed(Rule::pattern) || failed(Rule::generic) || failed(Rule::param) {
        found.push("a name".to_string());
    }
    let value_or_type = value || failed(Rule::ty);
    for sign in SIGNS {
        let part_of_value = value_or_type && matches!(*sign, "{" | "(" | "[" | "..");
        let part_of_operator = operator && matches!(*sign, "(" | "[" | "<" | ">" | ".." | "|>" | "=");
        if looked(sign) && !part_of_value && !part_of_operator {
            found.push(format!("`{sign}`"));
        }
    }
    if operator {
        found.push("an operator".to_string());
    }
    if looked("\n") || failed(Rule::EOI) {
        found.push("the end of the line".to_string());
    }
    listed(&found)
}

fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
