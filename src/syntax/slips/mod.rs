//! Words for common mistakes, many of them habits from other languages.
//!
//! When an item does not parse, each entry of the table looks at the tokens around the fault; the first that knows
//! the mistake names it and shows what to write. An entry must never guess: where it is not sure it says nothing, and
//! `parse::report` says what was expected instead. Mistakes that parse (`True`, `x.T`) have their words here as well,
//! for the parser and for the checker.

mod names;
mod shapes;
mod signs;
mod words;

pub use names::{leading_minus, python_loop, reserved_value, unknown_field, unknown_name};

use super::tokens::{Kind, Token};

/// An item that does not parse, and the token at which parsing stopped.
pub(super) struct Fault<'a> {
    pub text: &'a str,
    pub tokens: &'a [Token],
    pub at: usize,
}

/// What went wrong, as words: the tokens `from..=to` are marked.
pub(super) struct Slip {
    pub from: usize,
    pub to: usize,
    pub message: String,
    /// May be empty, where the message says it all.
    pub help: String,
}

type Entry = fn(&Fault) -> Option<Slip>;

/// The first entry that knows the fault wins: exact signs before words, words before shapes.
pub(super) fn find(fault: &Fault) -> Option<Slip> {
    let tables: [&[Entry]; 3] = [signs::TABLE, words::TABLE, shapes::TABLE];
    tables.iter().flat_map(|table| table.iter()).find_map(|entry| entry(fault))
}

impl<'a> Fault<'a> {
    fn slip(&self, from: usize, to: usize, message: impl Into<String>, help: impl Into<String>) -> Option<Slip> {
        Some(Slip { from, to, message: message.into(), help: help.into() })
    }

    /// A slip at the token where parsing stopped.
    fn here(&self, message: impl Into<String>, help: impl Into<String>) -> Option<Slip> {
        self.slip(self.at, self.at, message, help)
    }

    /// The token `offset` places from the fault.
    fn token(&self, offset: isize) -> Option<&Token> {
        self.tokens.get(self.at.checked_add_signed(offset)?)
    }

    fn kind(&self, offset: isize) -> Kind {
        self.token(offset).map_or(Kind::End, |token| token.kind)
    }

    /// The text of the token `offset` places from the fault; empty outside the item.
    fn near(&self, offset: isize) -> &'a str {
        self.token(offset).map_or("", |token| &self.text[token.start..token.end])
    }

    fn nth(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |token| &self.text[token.start..token.end])
    }

    /// Does nothing, not even a space, stand before the token at the fault?
    fn touches_previous(&self) -> bool {
        matches!((self.token(-1), self.token(0)), (Some(before), Some(here)) if before.end == here.start)
    }

    /// The text of the tokens `from..to`.
    fn between(&self, from: usize, to: usize) -> &'a str {
        match (self.tokens.get(from), to.checked_sub(1).and_then(|last| self.tokens.get(last))) {
            (Some(first), Some(last)) if first.start <= last.end => &self.text[first.start..last.end],
            _ => "",
        }
    }

    /// The innermost bracket that is open before token `index`.
    fn open_before(&self, index: usize) -> Option<usize> {
        let mut closed = 0usize;
        for i in (0..index.min(self.tokens.len())).rev() {
            match self.nth(i) {
                ")" | "]" | "}" => closed += 1,
                "(" | "[" | "{" | "@[" if closed == 0 => return Some(i),
                "(" | "[" | "{" | "@[" => closed -= 1,
                _ => {}
            }
        }
        None
    }

    /// The bracket around the fault: its place and its sign.
    fn bracket(&self) -> Option<(usize, &'a str)> {
        self.open_before(self.at).map(|index| (index, self.nth(index)))
    }

    fn inside(&self, sign: &str) -> bool {
        self.bracket().is_some_and(|(_, open)| open == sign)
    }

    /// The tokens before the fault in its line, field or argument, backwards; of brackets only the two ends.
    fn back(&self) -> impl Iterator<Item = usize> + use<'_, 'a> {
        let mut closed = 0usize;
        let outside = move |i: usize| {
            let before = closed;
            match self.nth(i) {
                ")" | "]" | "}" => closed += 1,
                "(" | "[" | "{" | "@[" if closed == 0 => return None,
                "(" | "[" | "{" | "@[" => closed -= 1,
                "," if closed == 0 => return None,
                _ if closed == 0 && self.tokens[i].kind == Kind::Line => return None,
                _ => {}
            }
            Some((before.min(closed) == 0).then_some(i))
        };
        (0..self.at).rev().map_while(outside).flatten()
    }

    /// The first token of the line, field or argument that the fault is in.
    fn start(&self) -> usize {
        self.back().last().unwrap_or(self.at)
    }

    /// Is the fault the first thing of its line or block?
    fn starts_line(&self) -> bool {
        self.at == 0 || self.kind(-1) == Kind::Line || (self.near(-1) == "{" && !self.in_record())
    }

    /// Can a value end with token `index`?
    fn ends_value(&self, index: usize) -> bool {
        let Some(token) = self.tokens.get(index) else { return false };
        match token.kind {
            Kind::Number | Kind::Text => true,
            Kind::Word => !is_reserved(self.nth(index)) || matches!(self.nth(index), "true" | "false"),
            _ => matches!(self.nth(index), ")" | "]" | "}"),
        }
    }

    /// Can a value start with token `index`?
    fn starts_value(&self, index: usize) -> bool {
        let Some(token) = self.tokens.get(index) else { return false };
        match token.kind {
            Kind::Number | Kind::Text => true,
            Kind::Word => {
                !is_reserved(self.nth(index)) || matches!(self.nth(index), "true" | "false" | "fn" | "if" | "match")
            }
            _ => matches!(self.nth(index), "(" | "[" | "{"),
        }
    }

    /// Where the operand that ends before token `end` starts: a name, a number, or brackets with what they follow.
    fn operand_start(&self, end: usize) -> usize {
        let mut i = end;
        while i > 0 {
            match self.nth(i - 1) {
                ")" | "]" | "}" => match self.open_before(i - 1) {
                    Some(open) => i = open,
                    None => return i,
                },
                _ if self.ends_value(i - 1) => i -= 1,
                _ => return i,
            }
            let joined =
                i > 0 && (self.nth(i - 1) == "." || (matches!(self.nth(i), "(" | "[") && self.ends_value(i - 1)));
            if !joined {
                return i;
            }
            if self.nth(i - 1) == "." {
                i -= 1;
            }
        }
        i
    }

    /// The operand before the fault, as written; a stand-in if there is none.
    fn left(&self) -> &'a str {
        match self.between(self.operand_start(self.at), self.at) {
            "" => "a",
            text => text,
        }
    }

    /// The word or number after token `index`, with its calls and fields; a stand-in if it is anything else.
    fn right(&self, index: usize) -> &'a str {
        if !self.starts_value(index + 1) {
            return "b";
        }
        let mut end = index + 2;
        loop {
            match self.nth(end) {
                "." => end += 2,
                "(" | "[" => match self.close_of(end) {
                    Some(close) => end = close + 1,
                    None => return "b",
                },
                _ => return self.between(index + 1, end),
            }
        }
    }

    /// The bracket that closes the one at `open`.
    fn close_of(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for i in open..self.tokens.len() {
            match self.nth(i) {
                "(" | "[" | "{" | "@[" => depth += 1,
                ")" | "]" | "}" => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(i);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Is the bracket at `open` that of a call: `f(`, `f[a](`, `f()(`?
    fn is_call(&self, open: usize) -> bool {
        self.nth(open) == "(" && open > 0 && self.ends_value(open - 1)
    }

    /// Is the fault directly inside braces that hold fields, not statements?
    fn in_record(&self) -> bool {
        let Some((open, "{")) = self.bracket() else { return false };
        let before = open.checked_sub(1).map_or("", |index| self.nth(index));
        let of_item = open >= 2
            && self.tokens[open - 1].kind != Kind::Sign
            && matches!(self.nth(open - 2), "fit" | "plot" | "experiment");
        let fields = self.nth(open + 1 + usize::from(self.tokens.get(open + 1).is_some_and(|t| t.kind == Kind::Line)));
        let has_fields = !fields.is_empty() && self.has_field(open);
        of_item || before == "fit" || has_fields || matches!(before, "(" | "[" | "," | ":")
    }

    /// Does `name:` follow the brace, before the fault?
    fn has_field(&self, open: usize) -> bool {
        let mut i = open + 1;
        while self.tokens.get(i).is_some_and(|token| token.kind == Kind::Line) {
            i += 1;
        }
        i < self.at && self.tokens.get(i).is_some_and(|token| token.kind == Kind::Word) && self.nth(i + 1) == ":"
    }
}

/// The words that cannot be names.
pub(super) fn is_reserved(word: &str) -> bool {
    const RESERVED: &[&str] = &[
        "use", "axis", "type", "pub", "fn", "let", "mut", "for", "in", "while", "return", "if", "else", "match", "and",
        "or", "not", "true", "false",
    ];
    RESERVED.contains(&word)
}
