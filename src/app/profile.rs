//! `locus run --profile`: the table on standard error, so that it never mixes with what the program prints; or JSON in
//! a file.

use std::path::Path;

use super::output::complain;
use crate::rt::files::reason;
use crate::session::folder::write_atomically;
use crate::session::{Session, profile};

/// Where nothing tells how wide the terminal is.
const WIDTH: usize = 100;

/// Shows what was measured, or writes it to `file` unless it is `-`.
pub fn show(session: &Session, seconds: f64, file: &Path) -> Result<(), String> {
    let Some(report) = profile::report(session, seconds) else { return Ok(()) };
    if file != Path::new("-") {
        return write_atomically(file, report.json()?.as_bytes()).map_err(|error| reason(&error));
    }
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    complain(&format!("\n{}", report.text(told.unwrap_or(WIDTH))));
    Ok(())
}
