//! A pass over the characters before parsing: brackets, strings, comments and line ends.
//!
//! It finds unclosed and mismatched brackets, cuts a text into top-level items so that each is parsed alone, and
//! tells the prompt whether an entry is complete. It replaces comments, and line ends that do not end a line, by
//! spaces, so that the grammar sees only line ends that mean something. It must never change an offset, and knows no
//! more of the language than its brackets and the tokens after which a line goes on.

use crate::base::diag::Diagnostic;
use crate::base::span::{FileId, Span};

/// How deep brackets may nest, and the syntax tree after them.
pub const MAX_DEPTH: usize = 200;
/// After so many bracket errors the rest of a text is left alone.
const MAX_ERRORS: usize = 20;
/// Words that start an item; one of them in the first column ends whatever was left open above it.
const ITEM_WORDS: &[&str] = &[
    "let", "fn", "pub", "type", "axis", "use", "input", "capture", "fit", "plot", "expect", "experiment", "for",
    "while", "intrinsic",
];
/// Reserved words among them: a line that starts with one, in the first column, continues nothing.
const FRESH_WORDS: &[&str] = &["let", "pub", "type", "axis", "use", "for", "while"];

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

struct Fault {
    diagnostic: Diagnostic,
    /// The scan goes on at the first item after this place.
    at: usize,
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
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\'')).count();
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

    fn line_end(&mut self) -> Result<(), Fault> {
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
    fn line_goes_on(&self) -> bool {
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

    fn comment(&mut self) {
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

    fn unclosed_text(&self) -> Fault {
        // With a hole open, the quote that ended the line is more likely its text's own.
        let hole = self.open.iter().find(|open| open.kind == Kind::Hole);
        match hole.or_else(|| self.open.iter().rfind(|open| open.kind == Kind::Text)) {
            Some(&open) => self.unclosed(open, None),
            None => self.closes_nothing(Kind::Text),
        }
    }

    fn unclosed(&self, open: Open, closer: Option<usize>) -> Fault {
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
            Kind::Text => diagnostic.help("a text ends on the line where it starts; write `\\n` for a line end inside it"),
            Kind::Hole => diagnostic.help("braces in a text hold an expression, `{x:.3}`; write `{{` for a brace itself"),
            _ => diagnostic.here(format!("needs a `{}`", closing(open.kind))),
        };
        if let Some(help) = self.axes_before_call(open) {
            diagnostic = diagnostic.help(help);
        }
        Fault { diagnostic, at }
    }

    /// The innermost bracket that was open where, before `at`, an item seems to start.
    fn left_open(&self, at: usize) -> Option<Open> {
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

    fn closes_nothing(&self, kind: Kind) -> Fault {
        let span = Span::new(self.file, self.at, self.at + 1);
        let message = format!("this `{}` closes nothing", closing(kind));
        let mut diagnostic = Diagnostic::error("E002", span, message);
        if let Some(open) = self.open.last() {
            let inner = Span::new(self.file, open.at, open.at + 1);
            diagnostic = diagnostic.label(inner, format!("the bracket that is open here needs a `{}`", closing(open.kind)));
        }
        Fault { diagnostic, at: self.at }
    }
}

/// The `##` lines above an item.
#[derive(Default)]
struct Docs {
    lines: Vec<String>,
    /// The line that is being read is a doc line, or holds another comment.
    fresh: bool,
    other: bool,
    /// A blank line came after the last doc line.
    closed: bool,
}

impl Docs {
    fn line(&mut self, text: &str) {
        if std::mem::take(&mut self.closed) && !self.lines.is_empty() {
            self.lines.push(String::new());
        }
        self.lines.push(text.strip_prefix(' ').unwrap_or(text).trim_end().to_string());
        self.fresh = true;
    }

    fn line_end(&mut self) {
        let comment = std::mem::take(&mut self.other);
        if !std::mem::take(&mut self.fresh) && !comment && !self.lines.is_empty() {
            self.closed = true;
        }
    }

    fn take_if_closed(&mut self) -> Option<String> {
        if self.closed { self.take() } else { None }
    }

    fn take(&mut self) -> Option<String> {
        let docs = std::mem::take(self);
        if docs.lines.is_empty() { None } else { Some(docs.lines.join("\n")) }
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

pub(super) fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '\''
}

pub(super) fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(is_word_char))
}

pub(super) fn ends_with_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word).is_some_and(|rest| !rest.ends_with(is_word_char))
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

/// The start of the first line after `start` that begins, in the first column, with a word that starts an item.
fn next_item(text: &str, start: usize) -> Option<usize> {
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
