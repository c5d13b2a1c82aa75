//! What is about a dictionary and not of it: where its inputs came from, how often features fire, what position explains of them.
//! A format that has a place for it gets it as it is; what is left out is said.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value};

use super::Format;
use crate::rt::files::short_file;

/// SAELens' settings, where it keeps what it does not know itself.
const SETTINGS: &str = "cfg.json";

/// Settings are small; a file that is not is none.
const LONGEST: u64 = 1 << 24;

/// Files beside the weights, and the formats in whose folders they mean the same: codes keep their units in both, and only SAELens looks
/// for activation frequencies.
const FILES: [(&str, &[Format]); 2] =
    [("position.safetensors", &[Format::SaeLens, Format::Sparsify]), ("sparsity.safetensors", &[Format::SaeLens])];

/// What of `from` goes with a dictionary, and what does not.
#[derive(Default)]
pub struct Beside {
    /// The inside of a JSON record, or nothing.
    pub metadata: String,
    files: Vec<&'static str>,
    /// One line for each thing that `format` has no place for.
    pub left_out: Vec<String>,
}

impl Beside {
    pub fn of(from: &Path, format: Format) -> Beside {
        let mut beside = Beside::default();
        let left_out = |what: &str| format!("left out: {what}");
        if let Some(metadata) = metadata(from) {
            if format == Format::SaeLens {
                let text = Value::Object(metadata).to_string();
                beside.metadata = text[1..text.len() - 1].to_string();
            } else {
                beside.left_out.push(left_out("metadata"));
            }
        }
        for (name, formats) in FILES.iter().filter(|(name, _)| from.join(name).is_file()) {
            if formats.contains(&format) {
                beside.files.push(name);
            } else {
                beside.left_out.push(left_out(name));
            }
        }
        beside
    }

    /// Puts the files into the folder `made`.
    pub fn copy(&self, from: &Path, made: &Path) -> io::Result<()> {
        self.files.iter().try_for_each(|name| fs::copy(from.join(name), made.join(name)).map(|_| ()))
    }
}

/// The metadata of a SAELens folder, without the version of what wrote it: another wrote the result.
fn metadata(from: &Path) -> Option<Map<String, Value>> {
    let settings: Value = serde_json::from_slice(&short_file(&from.join(SETTINGS), LONGEST).ok()?).ok()?;
    let mut metadata = settings.get("metadata")?.as_object()?.clone();
    metadata.shift_remove("sae_lens_version");
    Some(metadata).filter(|metadata| !metadata.is_empty())
}
