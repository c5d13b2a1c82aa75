//! `locus convert`: a dictionary in the files of another program.

use std::sync::Arc;

use super::cli::ConvertArgs;
use super::output::{report_plain, say};
use super::{FAILED, INTERRUPTED, OK, interrupt};
use crate::rt::error::code;
use crate::session::convert as converts;

pub fn convert(args: &ConvertArgs) -> u8 {
    let (interrupted, stop) = (Arc::default(), Arc::default());
    interrupt::listen(&interrupted, &stop);
    let format = args.to_format.map_or_else(|| converts::Format::of(&args.to), converts::Format::from);
    match converts::convert(&args.from, &args.to, format, &interrupted) {
        Ok(lines) => {
            lines.iter().for_each(|line| say(line));
            say(&format!("wrote {}", args.to.display()));
            OK
        }
        Err(diagnostic) => {
            report_plain(&diagnostic);
            if diagnostic.code == code::INTERRUPTED { INTERRUPTED } else { FAILED }
        }
    }
}
