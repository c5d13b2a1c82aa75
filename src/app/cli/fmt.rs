//! The options of `locus fmt`.

use std::path::PathBuf;

use clap::Args;

/// Lay out programs in one style, in place.
///
/// Spaces, indentation and empty lines become those of the style; line ends stay where they are, and lines over 120
/// columns are broken where that is clear. Words, numbers, texts and comments are never touched, and a file that does not
/// parse is left alone. docs/formatting.md shows the style.
#[derive(Args, Clone, Debug)]
pub struct FmtArgs {
    /// Write nothing: list what would change, and end with 1 if anything would
    #[arg(long)]
    pub check: bool,
    /// Write nothing: show what would change
    #[arg(long)]
    pub diff: bool,
    /// Files, folders (all .exp files below, no hidden folders and no links), or - for standard input to standard output
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
}
