//! A world that passes everything on and keeps what a page shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{NUMBERS, Piece, SECTION};
use crate::rt::ctx::{Expectation, World};
use crate::rt::error::Result;
use crate::session::world::printable;

/// What was kept, shared by the world and whoever makes the page.
#[derive(Clone, Debug, Default)]
pub struct Pieces(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// The line that tells of the file written last; a page does not say where files are on a machine.
    told: String,
    pieces: Vec<Piece>,
    numbers: BTreeMap<String, Vec<u8>>,
}

impl Pieces {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Pieces are only appended, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// All pieces in their order, and the numbers of sections; nothing stays.
    pub fn take(&self) -> (Vec<Piece>, BTreeMap<String, Vec<u8>>) {
        let mut kept = self.lock();
        (std::mem::take(&mut kept.pieces), std::mem::take(&mut kept.numbers))
    }
}

pub struct PageWorld {
    pub inner: Box<dyn World>,
    pub pieces: Pieces,
}

impl World for PageWorld {
    fn print(&mut self, text: &str) {
        let mut kept = self.pieces.lock();
        // An archive's line also says how many tensors there are.
        if kept.told.is_empty() || !text.starts_with(&kept.told) {
            match kept.pieces.last_mut() {
                Some(Piece::Text(lines)) => *lines += &format!("\n{}", printable(text)),
                _ => kept.pieces.push(Piece::Text(printable(text))),
            }
        }
        drop(kept);
        self.inner.print(text);
    }

    fn figure(&mut self, lines: &[String], svg: &str) {
        let title = lines.first().map_or(String::new(), |line| line.trim().to_string());
        self.pieces.lock().pieces.push(Piece::Figure { title, svg: svg.to_string() });
        self.inner.figure(lines, svg);
    }

    fn progress(&mut self, label: &str, done: u64, total: u64, shown: &str, value: f64) {
        self.inner.progress(label, done, total, shown, value);
    }

    fn note(&mut self, text: &str) {
        self.inner.note(text);
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        let shown = self.inner.write(name, bytes)?;
        let mut kept = self.pieces.lock();
        kept.told = format!("wrote {shown}");
        if let Some(section) = name.strip_suffix(SECTION) {
            let json = String::from_utf8_lossy(bytes).into_owned();
            let before = kept.pieces.len();
            kept.pieces.retain(|piece| !matches!(piece, Piece::Section { name, .. } if name == section));
            let twice = kept.pieces.len() < before;
            kept.pieces.push(Piece::Section { name: section.to_string(), json });
            if twice {
                // The numbers of the first are gone: its file was replaced.
                drop(kept);
                self.inner.note(&format!("the section `{section}` was written twice; the page has the later one"));
            }
        } else if NUMBERS.iter().any(|end| name.ends_with(end)) {
            kept.numbers.insert(name.to_string(), bytes.to_vec());
        }
        Ok(shown)
    }

    fn expectation(&mut self, outcome: Expectation) {
        self.inner.expectation(outcome);
    }
}
