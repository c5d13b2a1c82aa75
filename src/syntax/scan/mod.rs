//! A pass over the characters before parsing: brackets, strings, comments and line ends.
//!
//! It finds unclosed and mismatched brackets, cuts a text into top-level items so that each is parsed alone, and
//! tells the prompt whether an entry is complete. It replaces comments, and line ends that do not end a line, by
//! spaces, so that the grammar sees only line ends that mean something. It must never change an offset, and knows no
//! more of the language than its brackets and the tokens after which a line goes on.

mod faults;
mod lines;

pub use faults::too_deep;

use crate::base::diag::Diagnostic;
use crate::base::span::{FileId, Span};
use faults::{Fault, next_item};
use lines::Docs;

/// How deep brackets may nest, and the syntax tree after them.
pub const MAX_DEPTH: usize = 200;
/// After so many bracket errors the rest of a text is left alone.
const MAX_ERRORS: usize = 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completeness {
    /// Can be handed to the parser (which may still refuse it).
    Complete,
    /// Something is open, or the last line goes on.
    Incomplete,
    /// No further text can repair it.
    Invalid,
}

/// One top-level item: a range of the text, and the `##` lines above it.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    pub start: usize,
    pub end: usize,
    pub doc: Option<String>,
}

#[derive(Debug, Default)]
pub struct Scan {
    /// The text with comments and continued line ends as spaces; same length.
    pub text: String,
    pub pieces: Vec<Piece>,
    /// The first doc block, if a blank line follows it.
    pub doc: Option<String>,
    pub errors: Vec<Diagnostic>,
    /// The text ends inside a bracket or after a token that needs more.
    pub open_end: bool,
}

pub fn completeness(text: &str) -> Completeness {
    let scan = scan(FileId(0), text);
    match (scan.open_end, scan.errors.is_empty()) {
        (true, _) => Completeness::Incomplete,
        (false, true) => Completeness::Complete,
        (false, false) => Completeness::Invalid,
    }
}

pub fn scan(file: FileId, text: &str) -> Scan {
    let mut scanner = Scanner {
        file,
        source: text,
        out: text.as_bytes().to_vec(),
        at: 0,
        open: Vec::new(),
        words: 0,
        significant: 0,
        contract_end: usize::MAX,
        next_code: 0,
        piece_start: None,
        docs: Docs::default(),
        found: Scan::default(),
    };
    scanner.run();
    let mut found = scanner.found;
    // Only whole comments, line ends and a byte order mark were overwritten, so this cannot fail.
    found.text = String::from_utf8(scanner.out).unwrap_or_else(|_| text.to_string());
    found
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Round,
    Square,
    Brace,
    Text,
    /// `{` inside a text.
    Hole,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    kind: Kind,
    at: usize,
    /// Opened by `@[`, an operator: its `]` continues the line.
    contract: bool,
    /// Words outside it, in the same statement, that nest what follows without a bracket.
    words: usize,
}

struct Scanner<'a> {
    file: FileId,
    source: &'a str,
    out: Vec<u8>,
    at: usize,
    open: Vec<Open>,
    words: usize,
    /// The end of the last token.
    significant: usize,
    /// The end of the last `@[..]`.
    contract_end: usize,
    next_code: usize,
    piece_start: Option<usize>,
    docs: Docs,
    found: Scan,
}

impl Scanner<'_> {
    fn run(&mut self) {
        if self.source.starts_with('\u{feff}') {
            self.blank(0, 3);
            self.at = 3;
        }
        loop {
            let result = self.to_end();
            let Err(fault) = result else { break };
            self.found.errors.push(fault.diagnostic);
            if self.found.errors.len() >= MAX_ERRORS {
                break;
            }
            self.recover(fault.at);
        }
    }

    fn to_end(&mut self) -> Result<(), Fault> {
        while let Some(&byte) = self.source.as_bytes().get(self.at) {
            if matches!(self.open.last(), Some(Open { kind: Kind::Text, .. })) {
                self.inside_text(byte)?;
            } else {
                self.inside_code(byte)?;
            }
        }
        if let Some(&last) = self.open.last() {
            self.found.open_end |= self.found.errors.is_empty() && !self.in_text();
            return Err(self.unclosed(last, None));
        }
        if self.found.errors.is_empty() {
            self.found.open_end = self.line_goes_on();
        }
        self.end_piece(self.source.len());
        let doc = self.docs.take();
        if self.found.pieces.is_empty() && self.found.doc.is_none() {
            self.found.doc = doc;
        }
        Ok(())
    }

    fn inside_text(&mut self, byte: u8) -> Result<(), Fault> {
        let next = self.source.as_bytes().get(self.at + 1).copied();
        match (byte, next) {
            (b'\n', _) => return Err(self.unclosed_text()),
            (b'\\', Some(after)) if after != b'\n' => self.at += 2,
            (b'{', Some(b'{')) | (b'}', Some(b'}')) => self.at += 2,
            (b'{', _) => self.push(Kind::Hole)?,
            (b'"', _) => self.pop(Kind::Text)?,
            _ => self.at += 1,
        }
        self.significant = self.at;
        Ok(())
    }

    fn inside_code(&mut self, byte: u8) -> Result<(), Fault> {
        match byte {
            b'\n' => return self.line_end(),
            b' ' | b'\t' | b'\r' => {
                self.at += 1;
                return Ok(());
            }
            b'#' if !self.in_text() => {
                self.comment();
                return Ok(());
            }
            _ => self.piece_start = self.piece_start.or(Some(self.at)),
        }
        match byte {
            b'(' => self.push(Kind::Round)?,
            b'[' => self.push(Kind::Square)?,
            b'{' => self.push(Kind::Brace)?,
            b'"' => self.push(Kind::Text)?,
            b')' => self.pop(Kind::Round)?,
            b']' => self.pop(Kind::Square)?,
            b'}' => self.pop(self.nearest_brace())?,
            b';' if self.open.is_empty() => {
                self.end_piece(self.at);
                self.at += 1;
            }
            b',' | b';' => {
                self.words = 0;
                self.at += 1;
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' => self.word()?,
            _ => self.at += 1,
        }
        self.significant = self.at;
        Ok(())
    }

    fn word(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let rest = &self.source.as_bytes()[start..];
        let length =
            rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\'')).count();
        self.at += length;
        let nests = match &self.source[start..self.at] {
            "fn" | "match" | "list" | "if" => true,
            _ => return Ok(()),
        };
        let chained = ends_with_word(&self.source[..self.significant], "else");
        if nests && !chained {
            self.words += 1;
            self.check_depth()?;
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind) -> Result<(), Fault> {
        let contract = kind == Kind::Square && self.source[..self.at].ends_with('@');
        self.open.push(Open { kind, at: self.at, contract, words: self.words });
        self.words = 0;
        self.at += 1;
        self.check_depth()
    }

    fn check_depth(&self) -> Result<(), Fault> {
        let words: usize = self.open.iter().map(|open| open.words).sum();
        if self.open.len() + words + self.words <= MAX_DEPTH {
            return Ok(());
        }
        let at = self.at.saturating_sub(1);
        Err(Fault { diagnostic: too_deep(Span::new(self.file, at, self.at)), at })
    }

    fn pop(&mut self, kind: Kind) -> Result<(), Fault> {
        match self.open.last().copied() {
            Some(open) if open.kind == kind => {
                self.open.pop();
                self.words = open.words;
                self.at += 1;
                if open.contract {
                    self.contract_end = self.at;
                }
                Ok(())
            }
            // The bracket it would close is further out, so the one in between was never closed.
            Some(open) if self.open.iter().any(|other| other.kind == kind) => Err(self.unclosed(open, Some(self.at))),
            _ => match self.left_open(self.at) {
                Some(open) => Err(self.unclosed(open, None)),
                None => Err(self.closes_nothing(kind)),
            },
        }
    }

    /// What a `}` is meant to close.
    fn nearest_brace(&self) -> Kind {
        let braces = self.open.iter().rfind(|open| matches!(open.kind, Kind::Brace | Kind::Hole));
        braces.map_or(Kind::Brace, |open| open.kind)
    }

    fn end_piece(&mut self, end: usize) {
        self.words = 0;
        let Some(start) = self.piece_start.take() else { return };
        let end = self.significant.clamp(start, end);
        let doc = self.docs.take();
        self.found.pieces.push(Piece { start, end, doc });
    }

    fn in_text(&self) -> bool {
        self.open.iter().any(|open| open.kind == Kind::Text)
    }

    fn blank(&mut self, start: usize, end: usize) {
        for byte in &mut self.out[start..end] {
            *byte = b' ';
        }
    }

    /// Drops the faulty item and starts again at the next one.
    fn recover(&mut self, at: usize) {
        let start = self.piece_start.take().unwrap_or(at);
        let next = next_item(self.source, start).unwrap_or(self.source.len());
        // What was read beyond that place is read again.
        let restored = &self.source.as_bytes()[next..];
        self.out[next..].copy_from_slice(restored);
        self.at = next;
        self.significant = next;
        self.next_code = 0;
        self.contract_end = usize::MAX;
        self.open.clear();
        self.words = 0;
        self.docs = Docs::default();
    }
}

pub(super) fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '\''
}

pub(super) fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(is_word_char))
}

pub(super) fn ends_with_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word).is_some_and(|rest| !rest.ends_with(is_word_char))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(String, Option<String>)> {
        let scan = scan(FileId(0), text);
        assert_eq!(scan.text.len(), text.len());
        assert!(scan.errors.is_empty(), "{:?}", scan.errors);
        scan.pieces.into_iter().map(|piece| (text[piece.start..piece.end].to_string(), piece.doc)).collect()
    }

    fn texts(text: &str) -> Vec<String> {
        pieces(text).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn a_line_goes_on_inside_brackets_and_after_operators() {
        assert_eq!(texts("a\nb; c"), ["a", "b", "c"]);
        assert_eq!(texts("f(a\n b)\n[1,\n\n2]"), ["f(a\n b)", "[1,\n\n2]"]);
        assert_eq!(texts("a +\n b\nx @[d]\n y\nx[d]\ny"), ["a +\n b", "x @[d]\n y", "x[d]", "y"]);
        assert_eq!(texts("a # not +\n# |> f\n\n |> g\nh"), ["a # not +\n# |> f\n\n |> g", "h"]);
        assert_eq!(texts("if a {\n}\nelse {\n}\nelse_"), ["if a {\n}\nelse {\n}", "else_"]);
        assert_eq!(texts("let t: list<int>\nb\na >\n c"), ["let t: list<int>", "b", "a >\n c"]);
        assert_eq!(
            texts("pub intrinsic fn f(x)\n  vjp(y, dy) {}\nvjp(1)"),
            ["pub intrinsic fn f(x)\n  vjp(y, dy) {}\nvjp(1)"]
        );
        assert_eq!(texts("let a =\nlet b = 1"), ["let a =", "let b = 1"]);
    }

    #[test]
    fn comments_and_continued_line_ends_become_spaces() {
        assert_eq!(scan(FileId(0), "f(a, # é (\n b) # c\nd").text, "f(a,         b)    \nd");
        assert_eq!(scan(FileId(0), "\"# {x} {{\" # y").text, "\"# {x} {{\"    ");
        assert_eq!(scan(FileId(0), "\u{feff}a").text, "   a");
    }

    #[test]
    fn doc_lines_belong_to_the_next_item_or_to_the_file() {
        let scan = scan(
            FileId(0),
            "## File.\n\n## One\n##   two\n# other\nlet a = 1\nlet b = 2 ## no doc\n## C\n\n## D\nlet c = 3",
        );
        let docs: Vec<Option<&str>> = scan.pieces.iter().map(|piece| piece.doc.as_deref()).collect();
        assert_eq!(scan.doc.as_deref(), Some("File."));
        assert_eq!(docs, [Some("One\n  two"), None, Some("C\n\nD")]);
        assert_eq!(pieces("## A\nlet a = 1"), [("let a = 1".to_string(), Some("A".to_string()))]);
    }

    #[test]
    fn windows_line_ends_are_line_ends() {
        assert_eq!(texts("a\r\nb +\r\nc\r\n"), ["a", "b +\r\nc"]);
    }
}
