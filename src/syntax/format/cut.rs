//! A text as tokens, comments among them, with where each stood. Together the tokens are the whole text but its blanks,
//! so nothing can be lost between this and the end. Only texts that parse are cut.

use crate::base::span::FileId;
use crate::syntax::parse::{Signs, signs};
use crate::syntax::scan::{is_word_char, scan};
use crate::syntax::tokens::number_length;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Word,
    Number,
    /// A whole text with its holes.
    Text,
    Sign,
    /// From `#` to the end of its line.
    Comment,
}

/// What a sign is, where its characters alone do not say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Plain,
    /// `<` and `>` that are brackets.
    AngleOpen,
    AngleClose,
    /// `-` in front of a value.
    Prefix,
    /// `..` between the bounds of an expectation.
    Between,
    /// The `]` of `@[..]`: an operator ends there, not a value.
    ContractClose,
}

/// What stands before a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Break {
    Nothing,
    Line,
    /// An empty line.
    Blank,
}

#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub role: Role,
    pub text: &'a str,
    pub breaks: Break,
    /// The line end before it separates statements, fields or arms.
    pub separates: bool,
    /// It was the first of its line.
    pub first: bool,
    /// Where it stood on its line, in characters, and how many blanks came before it on that line.
    pub column: usize,
    pub gap: usize,
    /// A separator that the line end after it makes needless.
    pub dropped: bool,
}

impl Token<'_> {
    pub fn is(&self, sign: &str) -> bool {
        self.kind != Kind::Text && self.text == sign
    }

    pub fn is_comment(&self) -> bool {
        self.kind == Kind::Comment
    }

    pub fn opens(&self) -> bool {
        self.kind == Kind::Sign && matches!(self.text, "(" | "[" | "{" | "@[")
    }

    pub fn closes(&self) -> bool {
        self.kind == Kind::Sign && matches!(self.text, ")" | "]" | "}")
    }

    /// A comma or a semicolon.
    pub fn separator(&self) -> bool {
        matches!(self.text, "," | ";")
    }

    /// How wide it is where it is printed.
    pub fn width(&self) -> usize {
        if self.dropped { 0 } else { self.text.chars().count() }
    }
}

/// Longest first.
const SIGNS: &[&str] = &["..=", "|>", "->", "=>", "==", "!=", "<=", ">=", "+-", "..", "@[", "+=", "-=", "*=", "/="];

/// All tokens.
pub(super) fn cut(text: &str) -> Vec<Token<'_>> {
    cut_with(text, signs(text))
}

/// The comments alone; what the signs between them mean does not matter.
pub(super) fn comments(text: &str) -> Vec<&str> {
    let tokens = cut_with(text, Signs::default());
    tokens.into_iter().filter(Token::is_comment).map(|token| token.text).collect()
}

fn cut_with(text: &str, signs: Signs) -> Vec<Token<'_>> {
    // The text as the parser sees it: only line ends that mean something.
    let code = scan(FileId(0), text).text;
    let mut cutter = Cutter { text, signs, found: Vec::new(), open: Vec::new(), before: Before::default() };
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match first {
            '\n' => {
                cutter.before.line_end(code.get(at..at + 1) == Some("\n"));
                at += 1;
            }
            ' ' | '\t' | '\r' | '\u{feff}' => {
                cutter.before.gap += 1;
                at += first.len_utf8();
            }
            _ => at += cutter.token(at),
        }
    }
    cutter.found
}

/// What came before the next token.
#[derive(Default)]
struct Before {
    line_ends: usize,
    /// One of them, since the last token that is no comment, is one that the parser sees.
    separates: bool,
    /// Characters of the line up to the last token, and blanks after it.
    column: usize,
    gap: usize,
}

impl Before {
    fn line_end(&mut self, seen: bool) {
        self.line_ends += 1;
        self.separates |= seen;
        (self.column, self.gap) = (0, 0);
    }
}

struct Cutter<'a> {
    text: &'a str,
    signs: Signs,
    found: Vec<Token<'a>>,
    /// The square brackets that are open: does an operator end with it?
    open: Vec<bool>,
    before: Before,
}

impl<'a> Cutter<'a> {
    /// Takes the token at `at`; gives its length.
    fn token(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        let (kind, length) = self.length(at, rest);
        let whole = &rest[..length];
        let text = if kind == Kind::Comment { whole.trim_end() } else { whole };
        let role = self.role(at, text);
        let Before { line_ends, separates, column, gap } = std::mem::take(&mut self.before);
        let start = self.found.is_empty();
        let breaks = match line_ends {
            _ if start => Break::Nothing,
            0 => Break::Nothing,
            1 => Break::Line,
            _ => Break::Blank,
        };
        let (first, column) = (start || line_ends > 0, column + gap);
        self.found.push(Token { kind, role, text, breaks, separates, first, column, gap, dropped: false });
        self.before.column = column + whole.chars().count();
        self.before.separates = separates && kind == Kind::Comment;
        length
    }

    fn length(&self, at: usize, rest: &str) -> (Kind, usize) {
        let first = rest.chars().next().unwrap_or(' ');
        match first {
            '#' => (Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
            '"' => (Kind::Text, text_length(rest)),
            _ if first.is_ascii_digit() => (Kind::Number, number_length(rest)),
            _ if first.is_ascii_alphabetic() || first == '_' => {
                (Kind::Word, rest.find(|c| !is_word_char(c)).unwrap_or(rest.len()))
            }
            // `let x: list<int>= y` has no `>=`.
            _ if self.signs.closing.contains(&at) || self.signs.opening.contains(&at) => (Kind::Sign, 1),
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                (Kind::Sign, sign.map_or(first.len_utf8(), |sign| sign.len()))
            }
        }
    }

    fn role(&mut self, at: usize, text: &str) -> Role {
        match text {
            "@[" | "[" => self.open.push(text == "@["),
            "]" if self.open.pop() == Some(true) => return Role::ContractClose,
            "<" if self.signs.opening.contains(&at) => return Role::AngleOpen,
            ">" if self.signs.closing.contains(&at) => return Role::AngleClose,
            ".." | "..=" if self.signs.bounds.contains(&at) => return Role::Between,
            "-" if self.signs.prefix.contains(&at) => return Role::Prefix,
            _ => {}
        }
        Role::Plain
    }
}

/// The length of a text with its quotes, and with the texts in its holes.
fn text_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    // What is open: a text (true), or a bracket inside a hole.
    let mut open = vec![true];
    let mut at = 1;
    while let (Some(&in_text), Some(&byte)) = (open.last(), bytes.get(at)) {
        let next = bytes.get(at + 1).copied();
        at += 1;
        match (in_text, byte, next) {
            (true, b'\\', Some(_)) | (true, b'{', Some(b'{')) | (true, b'}', Some(b'}')) => at += 1,
            (true, b'{', _) | (false, b'{', _) => open.push(false),
            (true, b'"', _) | (false, b'}', _) => drop(open.pop()),
            (false, b'"', _) => open.push(true),
            _ => {}
        }
    }
    // Ends after a quote, so at a character; a text that does not end is none that parses.
    at.min(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        cut(text).iter().map(|token| token.text).collect()
    }

    #[test]
    fn texts_are_whole_and_comments_are_tokens() {
        assert_eq!(texts("print(\"a {f(\"}\")} # é\") # é\n"), ["print", "(", "\"a {f(\"}\")} # é\"", ")", "# é"]);
        assert_eq!(texts("let a = \"\\\"{{\""), ["let", "a", "=", "\"\\\"{{\""]);
    }

    #[test]
    fn brackets_and_prefixes_are_told_from_operators() {
        let roles = |text: &str| -> Vec<(String, Role)> {
            let tokens = cut(text).into_iter().filter(|token| token.role != Role::Plain);
            tokens.map(|token| (token.text.to_string(), token.role)).collect()
        };
        let angles = vec![("<".to_string(), Role::AngleOpen), (">".to_string(), Role::AngleClose)];
        assert_eq!(roles("let x: list<int>= y < z"), angles);
        assert_eq!(roles("fn f<d>(x: int) -> bool { x > -1 - 2 }")[2..], [("-".to_string(), Role::Prefix)]);
        assert_eq!(roles("let y = x @[d] w[d: 0]"), [("]".to_string(), Role::ContractClose)]);
    }
}
