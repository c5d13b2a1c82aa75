//! `locus inspect`: what a file or a folder of a model, a dictionary, tokens or a tokenizer holds, or a bundle.

use std::path::Path;

use super::output::{report_plain, say};
use super::{FAILED, OK};
use crate::session::bundle;
use crate::session::fault;
use crate::session::inspect as inspects;

pub fn inspect(path: &Path) -> u8 {
    match if bundle::is_bundle(path) { bundle::text(path) } else { inspects::text(path) } {
        Ok(text) => {
            say(text.trim_end());
            OK
        }
        Err(error) => {
            report_plain(&fault::plain(error));
            FAILED
        }
    }
}
