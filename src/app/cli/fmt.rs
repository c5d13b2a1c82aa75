//! The options of `locus fmt`.

use std::path::PathBuf;

use clap::Args;

/// What to lay out, and what to do with the result.
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
