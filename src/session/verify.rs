//! Judging a script by its own expectations, and blessing what it found.

use std::path::Path;

use super::bless::{self, Change};
use super::folder::write_atomically;
use super::load::Script;
use super::run::Session;
use crate::base::diag::Diagnostic;
use crate::rt::error::code;

/// How a script fared.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub held: usize,
    pub judged: usize,
    /// One paragraph for each expectation that did not hold.
    pub failures: Vec<Diagnostic>,
}

impl Verdict {
    pub fn is_good(&self) -> bool {
        self.held == self.judged
    }
}

/// The verdict on a script that has run.
pub fn verdict(session: &Session, notes: &[String]) -> Verdict {
    let journal = session.journal.lock();
    let mut failures = Vec::new();
    for outcome in journal.expectations.iter().filter(|outcome| !outcome.held) {
        let message = format!("an expectation does not hold: {}", outcome.shown);
        let mut diagnostic = match session.checker.expectations.get(outcome.number) {
            Some(site) => Diagnostic::error(code::ASSERT, site.span, message),
            None => Diagnostic::plain(code::ASSERT, message),
        };
        for note in notes {
            diagnostic = diagnostic.note("note", note.clone());
        }
        failures.push(diagnostic);
    }
    let judged = journal.expectations.len();
    Verdict { held: judged - failures.len(), judged, failures }
}

/// Rewrites the script's numbers and missing hashes, and says which lines changed.
pub fn bless(session: &Session, script: &Script) -> Result<Vec<Change>, Diagnostic> {
    let file = session.file;
    let own = |span: crate::base::span::Span| span.file == file;
    let checker = &session.checker;
    let outcomes: Vec<_> = {
        let journal = session.journal.lock();
        let known = |number: usize| checker.expectations.get(number).is_some_and(|site| own(site.span));
        journal.expectations.iter().filter(|outcome| known(outcome.number)).cloned().collect()
    };
    let inputs: Vec<_> = checker.inputs.iter().filter(|input| own(input.span)).cloned().collect();
    let hashes: Vec<_> = session.inputs_read().into_iter().map(|input| (input.name, input.sha256)).collect();
    let mut edits = bless::number_edits(&script.text, &checker.expectations, &outcomes);
    edits.extend(bless::hash_edits(&script.text, &inputs, &hashes));
    let (text, changes) = bless::apply(&script.text, edits);
    if !changes.is_empty() {
        replace(&script.path, &text)?;
    }
    Ok(changes)
}

fn replace(path: &Path, text: &str) -> Result<(), Diagnostic> {
    write_atomically(path, text.as_bytes())
        .map_err(|error| Diagnostic::plain(code::FILE, format!("cannot rewrite `{}`: {error}", path.display())))
}
