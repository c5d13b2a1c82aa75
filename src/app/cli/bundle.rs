//! The options of `locus bundle`.

use std::path::PathBuf;

use clap::Args;

use super::Common;
use super::values::{archive, name_and_value, size};
use crate::session::bundle::LARGEST;

#[derive(Args, Clone, Debug)]
pub struct BundleArgs {
    #[command(flatten)]
    pub common: Common,
    /// The archive, a name that ends in .zip [default: FILE.zip in the folder of --out]
    #[arg(long, value_name = "PATH", value_parser = archive)]
    pub to: Option<PathBuf>,
    /// Do not enclose these inputs: their hashes say which files they are
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub without: Vec<String>,
    /// Do not enclose inputs and results with more bytes
    #[arg(long, value_name = "SIZE", value_parser = size, default_value_t = LARGEST)]
    pub largest: u64,
    /// Where an input can be had, for people: nothing is ever fetched
    #[arg(long, value_name = "NAME=URL", value_parser = name_and_value)]
    pub from: Vec<(String, String)>,
    /// Bundle the program without running it first
    #[arg(long)]
    pub no_run: bool,
    /// Take results that an earlier run remembered
    #[arg(long, conflicts_with = "no_run")]
    pub remembered: bool,
    pub file: PathBuf,
}
