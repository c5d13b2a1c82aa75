//! Why an entry did not run to its end, and a fault of a running program as a diagnostic.

use crate::base::diag::Diagnostic;
use crate::base::span::{Sources, Span};
use crate::exec::Fault;
use crate::rt::error::{Error, code};

#[derive(Clone, Debug)]
pub enum Failure {
    /// The program does not check; nothing of it ran.
    Check(Vec<Diagnostic>),
    /// The program failed while it ran.
    Run(Box<Diagnostic>),
    /// The person pressed Ctrl-C, or the reader of the output went away.
    Interrupted(Box<Diagnostic>),
}

impl Failure {
    pub fn diagnostics(&self) -> Vec<&Diagnostic> {
        match self {
            Failure::Check(all) => all.iter().collect(),
            Failure::Run(one) | Failure::Interrupted(one) => vec![one],
        }
    }
}

/// A fault that no program made.
pub fn plain(error: Error) -> Diagnostic {
    let mut diagnostic = Diagnostic::plain(error.code, error.message);
    diagnostic.notes = error.notes;
    diagnostic.help = error.help;
    diagnostic
}

/// How many calls a message names.
const CALLS_SHOWN: usize = 3;

/// A fault at the person's own line: in `statement`, or in the innermost call that lies in the same file.
pub fn failure(fault: Fault, statement: Span, sources: &Sources) -> Failure {
    let known = |span: &Span| (span.file.0 as usize) < sources.len() && span.end > span.start;
    let ours = |span: &Span| known(span) && span.file == statement.file;
    let place = std::iter::once(&fault.span).chain(&fault.trace).find(|span| ours(span)).copied();
    let mut diagnostic = Diagnostic::error(fault.error.code, place.unwrap_or(statement), fault.error.message);
    if place != Some(fault.span) && known(&fault.span) {
        diagnostic = diagnostic.here("in this statement").label(fault.span, "it happened here");
    }
    let calls = fault.trace.iter().filter(|span| ours(span) && Some(**span) != place);
    for span in calls.take(CALLS_SHOWN) {
        diagnostic = diagnostic.label(*span, "called from here");
    }
    diagnostic.notes = fault.error.notes;
    diagnostic.help = fault.error.help;
    match fault.error.code {
        code::INTERRUPTED => Failure::Interrupted(Box::new(diagnostic)),
        _ => Failure::Run(Box::new(diagnostic)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_in_the_library_is_shown_at_the_users_line() {
        let mut sources = Sources::default();
        let library = sources.add("std.core", "pub fn f() { 1 / 0 }");
        let user = sources.add("a.exp", "let x = f()\nlet y = 2");
        let (inside, statement) = (Span::new(library, 13, 18), Span::new(user, 0, 11));
        let call = Span::new(user, 8, 11);
        let fault = Fault { error: Error::new(code::ARITHMETIC, "no"), span: inside, trace: vec![call] };
        let Failure::Run(shown) = failure(fault, statement, &sources) else { panic!("not a run failure") };
        assert_eq!(shown.primary.as_ref().unwrap().span, call);
        assert_eq!(shown.labels[0].span, inside);
    }

    #[test]
    fn a_fault_without_a_place_is_shown_at_its_statement() {
        let mut sources = Sources::default();
        let user = sources.add("a.exp", "let x = f()");
        let statement = Span::new(user, 0, 11);
        let fault = Fault::new(Error::new(code::INTERRUPTED, "stopped"), Span::default());
        let Failure::Interrupted(shown) = failure(fault, statement, &sources) else { panic!("not interrupted") };
        assert_eq!(shown.primary.unwrap().span, statement);
    }
}
