//! Judging a script by its own expectations, and blessing what it found.

use std::fs;
use std::path::Path;

use super::bless::{self, Change};
use super::explain::{Lines, conditions, found_then};
use super::folder::write_atomically;
use super::load::Script;
use super::provenance::{Judged, Record};
use super::run::Session;
use crate::base::diag::Diagnostic;
use crate::rt::ctx::Expectation;
use crate::rt::error::code;
use crate::rt::files::reason;
use crate::rt::format::significant;

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

/// The verdict on a script that has run: `now` is its record, `recorded` the one that it is held against.
pub fn verdict(session: &Session, now: &Record, recorded: Option<&Record>) -> Verdict {
    let journal = session.journal.lock();
    let mut failures = Vec::new();
    let failed = journal.expectations.iter().enumerate().filter(|(_, outcome)| !outcome.held);
    for (place, outcome) in failed {
        let message = format!("an expectation does not hold: {}", outcome.shown);
        let mut diagnostic = match session.checker.expectations.get(outcome.number) {
            Some(site) => Diagnostic::error(code::ASSERT, site.span, message),
            None => Diagnostic::plain(code::ASSERT, message),
        };
        for (key, words) in numbers(outcome, found_then(now, recorded, place)) {
            diagnostic = diagnostic.note(key, words);
        }
        failures.push(diagnostic);
    }
    // They are the same for every line, so they are said once, where reading ends.
    if let Some(last) = failures.last_mut() {
        last.notes.extend(conditions(now, recorded));
    }
    let judged = journal.expectations.len();
    Verdict { held: judged - failures.len(), judged, failures }
}

/// What was found, in this run and in the recorded one, and how far it is from what was claimed.
fn numbers(outcome: &Expectation, then: Option<&Judged>) -> Lines {
    let mut lines = Lines::new();
    let Some(found) = outcome.found.filter(|found| found.is_finite()) else { return lines };
    lines.push(("found", format!("{found}")));
    if let Some(then) = then.and_then(|then| then.found) {
        lines.push(("then", if then == found { "the same".to_string() } else { format!("{then}") }));
    }
    if let Some(off) = outcome.off {
        let times = match outcome.tolerance {
            Some(tolerance) if tolerance > 0.0 => format!(", {} times the tolerance", significant(off / tolerance, 2)),
            _ => String::new(),
        };
        lines.push(("off by", format!("{}{times}", significant(off, 3))));
    }
    lines
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
    // A link stays, and what it leads to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    write_atomically(&target, text.as_bytes()).map_err(|error| {
        Diagnostic::plain(code::FILE, format!("cannot rewrite `{}`: {}", path.display(), reason(&error)))
            .help("the file is as it was")
    })
}
