//! A run as one page: what the program says of itself, what it printed and drew, tables that can be sorted and searched, and what
//! it all came from.
//!
//! The page is a single HTML file that asks nothing of a network. What a program wrote stands in it as text, never as markup;
//! what the page does is all in `page.js`, which knows tables, planes and maps, and no statistic. Sections are files that
//! `std.report` writes: `NAME.section.json` says what is shown, safetensors beside it hold the numbers.

mod html;
mod watched;

use std::collections::BTreeMap;

use super::load::Script;
use super::provenance::Record;

pub use html::render;
pub use watched::{PageWorld, Pieces};

/// The end of the name of a file that describes a section.
pub const SECTION: &str = ".section.json";
/// The ends of the names of files with numbers that a page shows.
pub const NUMBERS: [&str; 2] = [".section.safetensors", ".cards.safetensors"];

/// One thing after another, as the program said it.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Lines that follow each other.
    Text(String),
    /// An SVG picture of our own making.
    Figure { title: String, svg: String },
    /// The description of a section, JSON.
    Section { name: String, json: String },
}

/// What a page is made of.
pub struct Page<'a> {
    pub script: &'a Script,
    pub record: &'a Record,
    pub pieces: Vec<Piece>,
    /// Numbers of sections, by the names of their files.
    pub numbers: BTreeMap<String, Vec<u8>>,
}
