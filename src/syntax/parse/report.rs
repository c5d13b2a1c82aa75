//! Why an item could not be parsed.

use super::super::scan::{Piece, Scan};
use super::{Grammar, Rule};
use crate::base::diag::Diagnostic;
use crate::base::span::{FileId, Span};
use pest::Parser;
use pest::error::InputLocation;

pub(super) fn explain(file: FileId, _text: &str, scan: &Scan, piece: &Piece) -> Diagnostic {
    let input = &scan.text[piece.start..piece.end];
    let at = match Grammar::parse(Rule::item, input) {
        Ok(_) => 0,
        Err(error) => match error.location {
            InputLocation::Pos(at) => at,
            InputLocation::Span((at, _)) => at,
        },
    };
    let at = piece.start + at;
    Diagnostic::error("E001", Span::new(file, at, at + 1), "this was not expected here")
}
