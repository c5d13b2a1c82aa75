//! Code in color, cut by the language's own lexer. What carries meaning is bold or slanted too, for those who see no colors.

use std::fmt::Write;

use super::names::Lead;
use crate::base::markup::escaped;
use crate::syntax::tokens::{Kind, Token, tokens};

/// The words that are reserved everywhere.
const RESERVED: &[&str] = &[
    "use", "axis", "type", "pub", "fn", "let", "mut", "for", "in", "while", "return", "if", "else", "match", "and",
    "or", "not", "true", "false",
];
/// Words only where an item or a clause starts.
const CLAUSES: &[&str] =
    &["experiment", "input", "intrinsic", "vjp", "site", "expect", "with", "capture", "fit", "plot", "like", "as"];

/// An element around some tokens: a link, or a place that links lead to.
pub struct Mark {
    pub start: usize,
    pub end: usize,
    pub opens: String,
    pub closes: &'static str,
}

/// The links of some code on `page`.
pub fn links(leads: &[Lead], page: &str) -> Vec<Mark> {
    let link = |lead: &Lead| {
        let opens = format!("<a href=\"{}\">", escaped(&lead.target.address(page)));
        Mark { start: lead.start, end: lead.end, opens, closes: "</a>" }
    };
    leads.iter().map(link).collect()
}

/// Bytes `start..end` of a text; `code` is the same text with comments as spaces.
pub fn part(text: &str, code: &str, (start, end): (usize, usize), marks: &[Mark]) -> String {
    let (text, code) = (text.get(start..end).unwrap_or(""), code.get(start..end).unwrap_or(""));
    let cut = tokens(code);
    let mut marks: Vec<&Mark> = marks.iter().filter(|mark| mark.start >= start && mark.end <= end).collect();
    marks.sort_by_key(|mark| mark.start);
    let mut marks = marks.into_iter().peekable();
    let mut closing: Option<&Mark> = None;
    let (mut out, mut at) = (String::new(), 0);
    for (number, token) in cut.iter().enumerate().filter(|(_, token)| token.kind != Kind::End) {
        between(&mut out, text.get(at..token.start).unwrap_or(""));
        let shown = escaped(text.get(token.start..token.end).unwrap_or(""));
        // Of marks on the same word the first counts: elements do not stand in each other.
        while let Some(mark) = marks.next_if(|mark| mark.start <= start + token.start) {
            if closing.is_none() && mark.start == start + token.start {
                out.push_str(&mark.opens);
                closing = Some(mark);
            }
        }
        match class(code, &cut, number) {
            Some(class) => drop(write!(out, "<span class=\"{class}\">{shown}</span>")),
            None => out.push_str(&shown),
        }
        if let Some(mark) = closing.take_if(|mark| mark.end <= start + token.end) {
            out.push_str(mark.closes);
        }
        at = token.end;
    }
    out.push_str(closing.map_or("", |mark| mark.closes));
    between(&mut out, text.get(at..).unwrap_or(""));
    out
}

/// White space and comments.
fn between(out: &mut String, text: &str) {
    for piece in text.split_inclusive('\n') {
        let (space, comment) = piece.find('#').map_or((piece, ""), |at| piece.split_at(at));
        out.push_str(&escaped(space));
        let (comment, end) = comment.strip_suffix('\n').map_or((comment, ""), |comment| (comment, "\n"));
        if !comment.is_empty() {
            let class = if comment.starts_with("##") { "d" } else { "c" };
            let _ = write!(out, "<span class=\"{class}\">{}</span>", escaped(comment));
        }
        out.push_str(end);
    }
}

fn class(code: &str, cut: &[Token], at: usize) -> Option<&'static str> {
    let text = |at: Option<usize>| at.and_then(|at| cut.get(at)).and_then(|t| code.get(t.start..t.end)).unwrap_or("");
    match cut.get(at)?.kind {
        Kind::Text => Some("t"),
        Kind::Number => Some("n"),
        Kind::Word => {
            let (word, before, after) = (text(Some(at)), text(at.checked_sub(1)), text(Some(at + 1)));
            let next = cut.get(at + 1).map_or(Kind::End, |token| token.kind);
            let clause = matches!(next, Kind::Word | Kind::Text)
                || (after == "{" && word != "with")
                || (word == "vjp" && after == "(");
            let keyword = RESERVED.contains(&word) || (CLAUSES.contains(&word) && clause);
            (keyword && before != ".").then_some("k")
        }
        Kind::Sign | Kind::Line | Kind::End => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::span::FileId;
    use crate::syntax::scan;

    fn snippet(text: &str) -> String {
        part(text, &scan::scan(FileId(0), text).text, (0, text.len()), &[])
    }

    #[test]
    fn words_texts_numbers_and_comments_are_told_apart() {
        let shown = snippet("let fit = f(\"a {x:.1} < b\") # <b>\n## more\nfit p { k: 1.5 }");
        let expected = "<span class=\"k\">let</span> fit = f(<span class=\"t\">&quot;a </span>{x:.<span class=\"n\">1</span>}<span class=\"t\"> &lt; b&quot;</span>) <span class=\"c\"># &lt;b&gt;</span>\n<span class=\"d\">## more</span>\n<span class=\"k\">fit</span> p { k: <span class=\"n\">1.5</span> }";
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_text_is_what_it_was() {
        let text = "f(x,\n  # why\n  y) |> g # \u{e9} & \"q\"\n";
        let plain: String =
            snippet(text).split('<').map(|part| part.split_once('>').map_or(part, |(_, rest)| rest)).collect();
        assert_eq!(plain, escaped(text));
    }
}
