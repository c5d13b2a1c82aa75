//! Line ends, comments and doc lines: what ends an item and what is written above it.

use super::faults::Fault;
use super::{Kind, Scanner, ends_with_word, starts_with_word};

/// Reserved words among them: a line that starts with one, in the first column, continues nothing.
const FRESH_WORDS: &[&str] = &["let", "pub", "type", "axis", "use", "for", "while"];

impl Scanner<'_> {
    pub(super) fn line_end(&mut self) -> Result<(), Fault> {
        if self.in_text() {
            return Err(self.unclosed_text());
        }
        let inner = self.open.last().map(|open| open.kind);
        let bracketed = matches!(inner, Some(Kind::Round | Kind::Square));
        if bracketed || (self.line_goes_on() && !self.fresh_line()) || self.next_line_continues() {
            self.blank(self.at, self.at + 1);
        } else {
            self.words = 0;
            if inner.is_none() {
                self.end_piece(self.at);
            }
        }
        self.at += 1;
        if self.piece_start.is_none() {
            self.docs.line_end();
            if self.found.doc.is_none() && self.found.pieces.is_empty() && self.found.errors.is_empty() {
                self.found.doc = self.docs.take_if_closed();
            }
        }
        Ok(())
    }

    /// Does the last token need something after it?
    pub(super) fn line_goes_on(&self) -> bool {
        if self.piece_start.is_none() {
            return false;
        }
        if self.contract_end == self.significant {
            return true;
        }
        let before = &self.source[..self.significant];
        const TOKENS: &[&str] =
            &["+", "-", "*", "/", "%", "^", "=", "<", ",", ":", "|>", "->", "=>", " >", "~", "±", "≈", "&&", "||"];
        const WORDS: &[&str] = &["and", "or", "not", "in"];
        TOKENS.iter().any(|token| before.ends_with(token)) || WORDS.iter().any(|word| ends_with_word(before, word))
    }

    /// Does the next line with code start an item for certain?
    fn fresh_line(&mut self) -> bool {
        let next = self.next_code();
        self.open.is_empty()
            && self.source[..next].ends_with('\n')
            && FRESH_WORDS.iter().any(|word| starts_with_word(&self.source[next..], word))
    }

    /// Where the next line with code starts; remembered, so that a long comment is passed over once.
    fn next_code(&mut self) -> usize {
        if self.next_code <= self.at {
            self.next_code = self.source.len() - skip_blank(&self.source[self.at..]).len();
        }
        self.next_code
    }

    /// Does the next line with code start with something that continues this one?
    fn next_line_continues(&mut self) -> bool {
        if self.piece_start.is_none() {
            return false;
        }
        let at = self.next_code();
        let next = &self.source[at..];
        if next.starts_with("|>") || starts_with_word(next, "else") {
            return true;
        }
        let adjoint = starts_with_word(next, "vjp") && next[3..].trim_start().starts_with('(');
        adjoint && self.open.is_empty() && self.piece_start.is_some_and(|start| declares_fn(&self.source[start..]))
    }

    pub(super) fn comment(&mut self) {
        let rest = &self.source[self.at..];
        let length = rest.find('\n').unwrap_or(rest.len());
        if self.piece_start.is_none() {
            match rest[..length].strip_prefix("##") {
                Some(line) => self.docs.line(line),
                None => self.docs.other = true,
            }
        }
        self.blank(self.at, self.at + length);
        self.at += length;
    }
}

/// The `##` lines above an item.
#[derive(Default)]
pub(super) struct Docs {
    lines: Vec<String>,
    /// The line that is being read is a doc line, or holds another comment.
    fresh: bool,
    other: bool,
    /// A blank line came after the last doc line.
    closed: bool,
}

impl Docs {
    pub(super) fn line(&mut self, text: &str) {
        if std::mem::take(&mut self.closed) && !self.lines.is_empty() {
            self.lines.push(String::new());
        }
        self.lines.push(text.strip_prefix(' ').unwrap_or(text).trim_end().to_string());
        self.fresh = true;
    }

    pub(super) fn line_end(&mut self) {
        let comment = std::mem::take(&mut self.other);
        if !std::mem::take(&mut self.fresh) && !comment && !self.lines.is_empty() {
            self.closed = true;
        }
    }

    pub(super) fn take_if_closed(&mut self) -> Option<String> {
        if self.closed { self.take() } else { None }
    }

    pub(super) fn take(&mut self) -> Option<String> {
        let docs = std::mem::take(self);
        if docs.lines.is_empty() { None } else { Some(docs.lines.join("\n")) }
    }
}

/// Skips white space, line ends and comments.
fn skip_blank(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with('#') {
        rest = rest.find('\n').map_or("", |end| &rest[end..]).trim_start();
    }
    rest
}

fn declares_fn(text: &str) -> bool {
    ["pub", "intrinsic", "fn"].iter().any(|word| starts_with_word(text, word))
}
