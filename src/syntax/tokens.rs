//! The words and signs of one item, for messages only: the parser proper is pest's.
//!
//! An item that does not parse is cut into tokens so that `slips` can look at what stands around the fault. Any text
//! can be cut; what belongs to no token of the language is a sign of one character.

use super::scan::is_word_char;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Word,
    Number,
    /// A whole text, or the part of one up to a hole or after it.
    Text,
    Sign,
    /// The end of a line, or `;`.
    Line,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Longest first. Some of them are signs of other languages only.
const SIGNS: &[&str] = &[
    "..=", "...", "===", "|>", "->", "=>", "==", "!=", "<=", ">=", "<>", "+-", "**", "//", "&&", "||", ":=", "++",
    "::", "..", "@[", "+=", "-=", "*=", "/=",
];

/// Cuts `text`, in which comments are blank, into tokens; the last one is `End`.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut cutter = Cutter { text, at: 0, found: Vec::new(), open: Vec::new() };
    while cutter.at < text.len() {
        cutter.step();
    }
    cutter.found.push(Token { kind: Kind::End, start: text.len(), end: text.len() });
    cutter.found
}

/// The tokens of a text that may hold comments, which are none.
pub fn code_tokens(text: &str) -> Vec<Token> {
    tokens(&without_comments(text))
}

/// The words of a whole file with the places where they start; comments and the texts of strings have none.
pub fn words(text: &str) -> Vec<(usize, &str)> {
    let words = code_tokens(text).into_iter().filter(|token| token.kind == Kind::Word);
    words.filter_map(|token| Some((token.start, text.get(token.start..token.end)?))).collect()
}

/// The places of comments.
pub fn comments(text: &str) -> Vec<std::ops::Range<usize>> {
    let code = without_comments(text);
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    let mut at = 0;
    for (line, blank) in text.split_inclusive('\n').zip(code.split_inclusive('\n')) {
        if let Some(start) = line.bytes().zip(blank.bytes()).position(|(was, is)| was == b'#' && is == b' ') {
            found.push(at + start..at + line.trim_end().len().max(start));
        }
        at += line.len();
    }
    found
}

/// Comments become spaces, so that places stay what they are.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped, mut comment) = (false, false, false);
    for c in text.chars() {
        match c {
            '\n' => (quoted, comment) = (false, false),
            '"' if !escaped && !comment => quoted = !quoted,
            '#' if !quoted => comment = true,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        if comment { out.extend(std::iter::repeat_n(' ', c.len_utf8())) } else { out.push(c) }
    }
    out
}

struct Cutter<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Token>,
    /// The open curly brackets: is it a hole in a text?
    open: Vec<bool>,
}

impl Cutter<'_> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return };
        if matches!(first, ' ' | '\t' | '\r') {
            self.at += 1;
            return;
        }
        match first {
            '\n' | ';' => self.push(Kind::Line, 1),
            '"' => self.text_part(1),
            '{' => {
                self.open.push(false);
                self.push(Kind::Sign, 1);
            }
            '}' => {
                self.push(Kind::Sign, 1);
                if self.open.pop() == Some(true) {
                    self.text_part(0);
                }
            }
            _ if first.is_ascii_digit() => self.push(Kind::Number, number_length(rest)),
            _ if first.is_ascii_alphabetic() || first == '_' => {
                self.push(Kind::Word, rest.find(|c| !is_word_char(c)).unwrap_or(rest.len()))
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                self.push(Kind::Sign, sign.map_or(first.len_utf8(), |sign| sign.len()));
            }
        }
    }

    /// From here to the closing quote, or through the `{` of the next hole.
    fn text_part(&mut self, skip: usize) {
        let rest = &self.text[self.at..];
        let bytes = rest.as_bytes();
        let mut length = skip;
        while length < bytes.len() {
            match (bytes[length], bytes.get(length + 1)) {
                (b'"', _) => return self.push(Kind::Text, length + 1),
                (b'\\', Some(_)) | (b'{', Some(b'{')) | (b'}', Some(b'}')) => length += 2,
                (b'{', _) => {
                    self.push(Kind::Text, length);
                    self.push(Kind::Sign, 1);
                    self.open.push(true);
                    return;
                }
                _ => length += 1,
            }
        }
        // An escape before a character of several bytes, or no closing quote.
        self.push(Kind::Text, rest.len());
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let start = self.at;
        let mut end = (start + length).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        self.at = end;
        if end > start {
            self.found.push(Token { kind, start, end });
        }
    }
}

pub(super) fn number_length(text: &str) -> usize {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or("");
        from + rest.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(rest.len())
    };
    let is_digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let mut end = digits(0);
    if text[end..].starts_with('.') && is_digit(end + 1) {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        if is_digit(end + 1 + sign) {
            end = digits(end + 1 + sign);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        tokens(text).iter().map(|token| &text[token.start..token.end]).collect()
    }

    #[test]
    fn words_numbers_and_signs() {
        assert_eq!(cut("let x' = 1_0.5e-3 ** y"), ["let", "x'", "=", "1_0.5e-3", "**", "y", ""]);
        assert_eq!(cut("a[1..=b] 2.\nc"), ["a", "[", "1", "..=", "b", "]", "2", ".", "\n", "c", ""]);
    }

    #[test]
    fn texts_are_cut_at_their_holes() {
        assert_eq!(
            cut(r#""a {{b}} {x:.3} \" c" + 1"#),
            ["\"a {{b}} ", "{", "x", ":", ".", "3", "}", " \\\" c\"", "+", "1", ""]
        );
        assert_eq!(cut(r#""{f("{y}")}""#), ["\"", "{", "f", "(", "\"", "{", "y", "}", "\"", ")", "}", "\"", ""]);
    }

    #[test]
    fn anything_can_be_cut() {
        for text in ["\"\\é", "é{", "}", "\"{", "3e", "'", "\"{}", "\u{feff}x"] {
            let found = tokens(text);
            assert_eq!(found.last().map(|token| token.kind), Some(Kind::End), "{text}");
        }
    }

    #[test]
    fn comments_have_places() {
        let text = "let a = 1 # one\nprint(\"# {a}\")\n## two é\n";
        let found: Vec<&str> = comments(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["# one", "## two é"]);
    }

    #[test]
    fn words_are_found_outside_of_comments_and_texts() {
        let found: Vec<&str> =
            words("axis a # b \" c\nprint(\"d {sum[e](x)} # f\") # g").into_iter().map(|(_, word)| word).collect();
        assert_eq!(found, ["axis", "a", "print", "sum", "e", "x"]);
    }
}
