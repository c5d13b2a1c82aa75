//! Where the cursor stands in what is typed: after a dot, inside `[ ]`, in a path, in the sites of a `capture`.
//!
//! Looks at the tokens before the cursor, so that it also works on lines that are not finished.

use crate::syntax::{Kind, Token, code_tokens};

/// What is wanted at the end of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The name of a command.
    Command,
    /// What a command takes.
    Argument(String),
    /// A path as written so far; after `use` only programs.
    Path {
        written: String,
        programs: bool,
    },
    /// A module of the library: `use std.mo`.
    Module(String),
    /// A name of a module: `use std.optim: ad`.
    Import(String),
    /// A field, or a function of a module, after these names.
    Member(Vec<String>),
    /// An axis, after the name of this value.
    Axis(Option<String>),
    /// A site of this model.
    Site(Vec<String>),
    Type,
    Name,
}

/// What is wanted where a text ends, and where the word starts that is being typed.
pub fn wanted(text: &str) -> (usize, Wanted) {
    if let Some(found) = command(text) {
        return found;
    }
    if let Some(found) = path(text) {
        return found;
    }
    let start = word_start(text);
    let before = &text[..start];
    if let Some(found) = import(before) {
        return (start, found);
    }
    let all: Vec<Token> = code_tokens(before).into_iter().filter(|token| token.kind != Kind::End).collect();
    let sign = |back: usize| all.len().checked_sub(back).and_then(|at| before.get(all[at].start..all[at].end));
    if sign(1) == Some(".") {
        return (start, Wanted::Member(chain(before, &all)));
    }
    if let Some(model) = site_of(before, &all) {
        return (start, Wanted::Site(model));
    }
    if let Some(owner) = axis_of(before, &all) {
        return (start, Wanted::Axis(owner));
    }
    let typed =
        sign(1) == Some(":") && (sign(3) == Some("let") || sign(4) == Some("let")) || in_parameters(before, &all);
    (start, if typed { Wanted::Type } else { Wanted::Name })
}

/// The beginning of the word at the end of a text.
pub fn word_start(text: &str) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '\'';
    text.rfind(|c: char| !word(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8))
}

fn command(text: &str) -> Option<(usize, Wanted)> {
    let start = text.len() - text.trim_start().len();
    let rest = text[start..].strip_prefix(':')?;
    let Some(space) = rest.find(char::is_whitespace) else { return Some((start + 1, Wanted::Command)) };
    let (name, argument) = rest.split_at(space);
    let argument = argument.trim_start();
    match name {
        "load" | "save" | "save!" => {
            let written = argument.to_string();
            let from = text.len() - file_part(&written).len();
            Some((from, Wanted::Path { written, programs: false }))
        }
        "explain" | "help" => Some((text.len() - argument.len(), Wanted::Argument(name.to_string()))),
        // The others take an expression.
        _ => {
            let (at, wanted) = wanted(argument);
            Some((text.len() - argument.len() + at, wanted))
        }
    }
}

/// What follows the last `/` of a path.
pub fn file_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Inside the quotes of `file("`, `folder("` or `use "`.
fn path(text: &str) -> Option<(usize, Wanted)> {
    let token = code_tokens(text).into_iter().rfind(|token| token.kind == Kind::Text)?;
    let open = text.get(token.start..token.end)?.strip_prefix('"')?;
    if token.end != text.len() || open.ends_with('"') {
        return None;
    }
    let before = text[..token.start].trim_end();
    let programs = before.ends_with("use");
    if !programs && !before.ends_with("file(") && !before.ends_with("folder(") {
        // A text is nobody's name.
        return Some((text.len(), Wanted::Argument(String::new())));
    }
    Some((text.len() - file_part(open).len(), Wanted::Path { written: open.to_string(), programs }))
}

/// In the last line, after `use `.
fn import(before: &str) -> Option<Wanted> {
    let line = before.rsplit(['\n', ';']).next().unwrap_or(before).trim_start();
    let rest = line.strip_prefix("use ")?;
    match rest.split_once(':') {
        Some((module, _)) => Some(Wanted::Import(module.trim().to_string())),
        None => Some(Wanted::Module(rest.trim_start().to_string())),
    }
}

/// The names before the last dot: `a.b.` gives `a` and `b`.
fn chain(text: &str, all: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = all.len();
    while at >= 2 && text.get(all[at - 1].start..all[at - 1].end) == Some(".") && all[at - 2].kind == Kind::Word {
        names.push(text[all[at - 2].start..all[at - 2].end].to_string());
        at -= 2;
    }
    names.reverse();
    names
}

/// Brackets that are open at the end, as places among the tokens.
fn open_brackets(text: &str, all: &[Token]) -> Vec<usize> {
    let mut open = Vec::new();
    for (at, token) in all.iter().enumerate().filter(|(_, token)| token.kind == Kind::Sign) {
        match &text[token.start..token.end] {
            "(" | "[" | "{" | "@[" => open.push(at),
            ")" | "]" | "}" => {
                open.pop();
            }
            _ => {}
        }
    }
    open
}

/// After `[`, `,` or `->` directly inside square brackets; the value that is indexed, if it has a name.
fn axis_of(text: &str, all: &[Token]) -> Option<Option<String>> {
    let open = *open_brackets(text, all).last()?;
    let shown = |at: usize| all.get(at).map_or("", |token| &text[token.start..token.end]);
    if !matches!(shown(open), "[" | "@[") {
        return None;
    }
    match shown(all.len() - 1) {
        "[" | "@[" | "," | "->" | ".." => {}
        // `[i in pos => ...]`
        "in" => return Some(None),
        _ => return None,
    }
    let owner = open.checked_sub(1).filter(|&at| all[at].kind == Kind::Word && all[at].end == all[open].start);
    Some(owner.map(|at| shown(at).to_string()))
}

/// After `=` inside the braces of `capture model(...) {`: the model's name.
fn site_of(text: &str, all: &[Token]) -> Option<Vec<String>> {
    let open = *open_brackets(text, all).last()?;
    let shown = |at: usize| all.get(at).map_or("", |token| &text[token.start..token.end]);
    if shown(open) != "{" || shown(all.len() - 1) != "=" {
        return None;
    }
    let capture = all[..open].iter().rposition(|token| matches!(&text[token.start..token.end], "capture" | "{"))?;
    if shown(capture) != "capture" {
        return None;
    }
    let names = all.get(capture + 1..open)?.iter().take_while(|token| &text[token.start..token.end] != "(");
    Some(names.filter(|token| token.kind == Kind::Word).map(|token| text[token.start..token.end].to_string()).collect())
}

/// After the `:` of a parameter of `fn`, or the arrow of its result.
fn in_parameters(text: &str, all: &[Token]) -> bool {
    let shown = |at: usize| all.get(at).map_or("", |token| &text[token.start..token.end]);
    let Some(last) = all.len().checked_sub(1) else { return false };
    let open = open_brackets(text, all);
    let declares =
        |before: usize| all[..before].iter().rev().take(8).any(|token| &text[token.start..token.end] == "fn");
    match shown(last) {
        ":" => open.last().is_some_and(|&at| shown(at) == "(" && declares(at)),
        "->" => shown(last.wrapping_sub(1)) == ")" && text.contains("fn "),
        _ => false,
    }
}

/// The names that the cursor touches: `a.b` in `f(a.b|)`. If it touches none, the function whose call it stands in.
pub fn under_cursor(text: &str, cursor: usize) -> Vec<String> {
    let all: Vec<Token> = code_tokens(text).into_iter().filter(|token| token.kind != Kind::End).collect();
    let touched = all.iter().position(|token| token.kind == Kind::Word && token.start <= cursor && cursor <= token.end);
    let last = touched.or_else(|| {
        let before: Vec<Token> = all.iter().copied().filter(|token| token.end <= cursor).collect();
        let mut open = open_brackets(text, &before);
        let call = open.pop().filter(|&at| &text[before[at].start..before[at].end] == "(")?;
        let mut callee = call.checked_sub(1)?;
        if &text[before[callee].start..before[callee].end] == "]" {
            // `mean[pos](`
            let mut depth = 0;
            callee = (0..=callee).rev().find(|&at| {
                match &text[before[at].start..before[at].end] {
                    "]" => depth += 1,
                    "[" => depth -= 1,
                    _ => {}
                }
                depth == 0
            })?;
            callee = callee.checked_sub(1)?;
        }
        (before[callee].kind == Kind::Word).then_some(callee)
    });
    let Some(last) = last else { return Vec::new() };
    let mut names = chain(text, &all[..last]);
    names.push(text[all[last].start..all[last].end].to_string());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        let path = |written: &str, programs| Wanted::Path { written: written.to_string(), programs };
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let cases = [
            ("let x = we", 8, Wanted::Name),
            (":ti", 1, Wanted::Command),
            (":load ab/c", 9, path("ab/c", false)),
            (":explain E0", 9, Wanted::Argument("explain".to_string())),
            (":time mean[p", 11, Wanted::Axis(Some("mean".to_string()))),
            ("input x = file(\"a/b", 18, path("a/b", false)),
            ("use \"n", 5, path("n", true)),
            ("print(\"hello w", 14, Wanted::Argument(String::new())),
            ("print(\"{x.", 10, Wanted::Member(names(&["x"]))),
            ("use std.mo", 8, Wanted::Module("std.".to_string())),
            ("use std.optim: ad", 15, Wanted::Import("std.optim".to_string())),
            ("a.b.c", 4, Wanted::Member(names(&["a", "b"]))),
            ("x @[d", 4, Wanted::Axis(None)),
            ("x[pos: i", 7, Wanted::Name),
            ("x[pos -> l", 9, Wanted::Axis(Some("x".to_string()))),
            ("[i in p", 6, Wanted::Axis(None)),
            ("let t: f", 7, Wanted::Type),
            ("fn f(x: f", 8, Wanted::Type),
            ("capture m.small(t) { a = r", 25, Wanted::Site(names(&["m", "small"]))),
            ("\u{3c0}\u{2192}wid", 5, Wanted::Name),
        ];
        for (text, start, wanted) in cases {
            assert_eq!(super::wanted(text), (start, wanted), "{text}");
        }
    }

    #[test]
    fn the_name_under_the_cursor() {
        let found = |text: &str| {
            let cursor = text.find('|').unwrap();
            under_cursor(&text.replace('|', ""), cursor).join(".")
        };
        assert_eq!(found("let y = wid|th + 1"), "width");
        assert_eq!(found("sae.encode|(x)"), "sae.encode");
        assert_eq!(found("f(1, |"), "f");
        assert_eq!(found("mean[pos](1 + |)"), "mean");
        assert_eq!(found("1 + |"), "");
    }
}
