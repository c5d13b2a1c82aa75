//! Program text in one layout: `locus fmt`. Text in, text out, nothing else.
//!
//! The tokens and comments of a text stay as they are and in their order; only blanks and line ends between them change
//! (and separators at line ends, which braces do not need). Line ends are the author's, so that lists stay in the rows
//! they were written in: one is added only where a line is too wide, and none is taken out but beside empty lines.
//! Whatever this does, the result is compared with the text before it leaves: the same tree, the same comments.

mod align;
mod cut;
mod frames;
mod lines;
mod spacing;
mod split;

use super::parse::{parse_program, same_tree};
use crate::base::diag::Diagnostic;
use crate::base::span::FileId;
use cut::{Token, comments, cut};
use lines::Line;

/// The text as it should be laid out, or what is wrong with it: a text with errors is not touched.
pub fn format(file: FileId, text: &str) -> Result<String, Vec<Diagnostic>> {
    let (_, errors) = parse_program(file, text);
    if !errors.is_empty() {
        return Err(errors);
    }
    let laid_out = settled(text);
    if same_tree(text, &laid_out) && comments(text) == comments(&laid_out) {
        return Ok(laid_out);
    }
    let fault = Diagnostic::plain("R099", "laid out anew this program would mean something else, so it stays as it is")
        .note("note", "this is a fault of locus and not of your program")
        .help("please report it with the program that caused it");
    Err(vec![fault])
}

/// The layout of a text that is its own layout. Columns are chosen by the rows that an author lined up, and a row that
/// was moved in the first pass is not of them any more; so a second pass may move a little again.
fn settled(text: &str) -> String {
    const PASSES: usize = 5;
    let mut laid_out = lay_out(text);
    for _ in 0..PASSES {
        let again = lay_out(&laid_out);
        if again == laid_out {
            break;
        }
        laid_out = again;
    }
    laid_out
}

fn lay_out(text: &str) -> String {
    let mut tokens = cut(text);
    let lines = lines::lines(&mut tokens);
    let spaces = align::spaces(&tokens, &lines);
    let mut out = String::with_capacity(text.len());
    for line in &lines {
        write_line(&tokens, line, &spaces, &mut out);
    }
    out
}

fn write_line(tokens: &[Token], line: &Line, spaces: &[usize], out: &mut String) {
    if line.blank {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n(' ', line.indentation));
    for at in line.tokens.clone().filter(|&at| !tokens[at].dropped) {
        out.extend(std::iter::repeat_n(' ', spaces[at]));
        out.push_str(tokens[at].text);
    }
    out.push('\n');
}
