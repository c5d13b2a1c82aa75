//! Colors of what is typed, from the tokens of the language: keywords, numbers, texts, comments, names of the library,
//! and the bracket that belongs to the one at the cursor. A colored text has the same letters as the plain one.

use std::ops::Range;

use super::words::Known;
use super::{KEYWORDS, TYPES};
use crate::syntax::{Kind, code_tokens, comments};

const KEYWORD: &str = "35";
const NUMBER: &str = "36";
const TEXT: &str = "32";
const COMMENT: &str = "90";
const LIBRARY: &str = "34";
const COMMAND: &str = "1;36";
const BRACKET: &str = "1;33";

/// The text with colors.
pub fn colored(text: &str, cursor: usize, known: &Known) -> String {
    let mut parts: Vec<(Range<usize>, &str)> = Vec::new();
    let start = match command(text) {
        Some(word) => {
            let end = word.end;
            parts.push((word, COMMAND));
            end
        }
        None => 0,
    };
    let pair = brackets(text, cursor);
    for token in code_tokens(text).into_iter().filter(|token| token.start >= start && token.end > token.start) {
        let range = token.start..token.end;
        let Some(word) = text.get(range.clone()) else { continue };
        let color = match token.kind {
            Kind::Number => Some(NUMBER),
            Kind::Text => Some(TEXT),
            Kind::Word if KEYWORDS.contains(&word) || TYPES.contains(&word) => Some(KEYWORD),
            Kind::Word if !text[..token.start].ends_with('.') => {
                known.find(word).filter(|known| !known.own).map(|_| LIBRARY)
            }
            Kind::Sign if pair.is_some_and(|(a, b)| range.contains(&a) || range.contains(&b)) => Some(BRACKET),
            _ => None,
        };
        parts.extend(color.map(|color| (range, color)));
    }
    parts.extend(comments(text).into_iter().map(|range| (range, COMMENT)));
    parts.sort_by_key(|(range, _)| range.start);
    painted(text, &parts)
}

fn painted(text: &str, parts: &[(Range<usize>, &str)]) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for (range, color) in parts {
        let (Some(before), Some(part)) = (text.get(at..range.start), text.get(range.clone())) else { continue };
        out.push_str(before);
        out.push_str(&format!("\x1b[{color}m{part}\x1b[0m"));
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or(""));
    out
}

/// `:time` at the beginning.
fn command(text: &str) -> Option<Range<usize>> {
    let start = text.len() - text.trim_start().len();
    let rest = text[start..].strip_prefix(':')?;
    let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
    Some(start..start + 1 + length)
}

/// The bracket at the cursor, or just before it, with the one that belongs to it.
fn brackets(text: &str, cursor: usize) -> Option<(usize, usize)> {
    let mut open: Vec<(char, usize)> = Vec::new();
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for token in code_tokens(text).into_iter().filter(|token| token.kind == Kind::Sign) {
        // `@[` is one sign, and its bracket is the last letter.
        let at = token.end.saturating_sub(1);
        match text.get(at..token.end)? {
            sign @ ("(" | "[" | "{") => open.push((closing(sign), at)),
            sign @ (")" | "]" | "}") => {
                if open.last().is_some_and(|(close, _)| sign.starts_with(*close)) {
                    pairs.extend(open.pop().map(|(_, from)| (from, at)));
                }
            }
            _ => {}
        }
    }
    let touches = |place: usize| pairs.iter().copied().find(|&(a, b)| a == place || b == place);
    touches(cursor).or_else(|| touches(cursor.checked_sub(1)?))
}

fn closing(open: &str) -> char {
    match open {
        "(" => ')',
        "[" => ']',
        _ => '}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colored_text_has_the_same_letters() {
        let text = "let x = [i in pos => f(\"é {y} # no\") + 1.5] # é";
        let shown = colored(text, 8, &Known::default());
        let mut plain = String::new();
        let mut inside = false;
        for c in shown.chars() {
            match (inside, c) {
                (false, '\x1b') => inside = true,
                (true, 'm') => inside = false,
                (false, c) => plain.push(c),
                _ => {}
            }
        }
        assert_eq!(plain, text);
        assert!(shown.starts_with("\x1b[35mlet\x1b[0m x = \x1b[1;33m[\x1b[0m"), "{shown:?}");
        assert!(shown.ends_with("\x1b[90m# é\x1b[0m"), "{shown:?}");
    }

    #[test]
    fn brackets_find_their_partner() {
        assert_eq!(brackets("f(a[b])", 1), Some((1, 6)));
        assert_eq!(brackets("f(a[b])", 7), Some((1, 6)));
        assert_eq!(brackets("x @[d] y", 3), Some((3, 5)));
        assert_eq!(brackets("f(\")\"", 1), None);
    }
}
