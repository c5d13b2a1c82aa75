//! Diagnostics as data: everything a message holds, with places as lines and columns, and the text as people see it.

use std::fmt;

use super::interrupt::Reason;
use crate::base::diag::{self, Severity};
use crate::base::render::render;
use crate::base::span::{Sources, Span};
use crate::rt::error::{Error, code};
use crate::session;
use crate::session::fault::plain;

/// Where something stands in a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the text: a path, or what the host called it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Bytes of the text.
    pub bytes: std::ops::Range<usize>,
}

/// A place with a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub place: Place,
    pub text: String,
}

/// One message about a program, or about what the host asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `E...` before anything runs, `R...` while running; `locus explain CODE` shows its page.
    pub code: &'static str,
    pub is_warning: bool,
    /// One sentence that makes sense alone.
    pub message: String,
    /// Where it is wrong, and a few words about that place.
    pub primary: Option<Label>,
    /// Other places that belong to it.
    pub labels: Vec<Label>,
    /// A key such as `found` or `needed`, and the text.
    pub notes: Vec<(String, String)>,
    /// What to do.
    pub help: Option<String>,
    /// The message with the lines of the program, as the command shows it, without colors.
    pub rendered: String,
}

impl Diagnostic {
    pub(super) fn new(diagnostic: &diag::Diagnostic, sources: &Sources) -> Diagnostic {
        let label = |label: &diag::Label| Some(Label { place: place(label.span, sources)?, text: label.text.clone() });
        Diagnostic {
            code: diagnostic.code,
            is_warning: diagnostic.severity == Severity::Warning,
            message: diagnostic.message.clone(),
            primary: diagnostic.primary.as_ref().and_then(label),
            labels: diagnostic.labels.iter().filter_map(label).collect(),
            notes: diagnostic.notes.iter().map(|(key, text)| (key.to_string(), text.clone())).collect(),
            help: diagnostic.help.clone(),
            rendered: render(diagnostic, sources, false),
        }
    }
}

fn place(span: Span, sources: &Sources) -> Option<Place> {
    if span.file.0 as usize >= sources.len() {
        return None;
    }
    let (line, column) = sources.line_column(span);
    let file = sources.get(span.file).name.clone();
    Some(Place { file, line, column, bytes: span.start as usize..span.end as usize })
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rendered)
    }
}

/// Why something did not work, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The program does not check; nothing of it ran.
    Refused,
    /// The program failed while it ran.
    Failed,
    /// The host interrupted it.
    Interrupted,
    /// It ran longer than [`Options::time`](super::Options::time) allows.
    OutOfTime,
    /// What the host asked for makes no sense: an array with too few axis names, a name that no program can bind.
    Usage,
}

/// Why something did not work: one diagnostic or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    pub diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// The code of the first diagnostic.
    pub fn code(&self) -> &'static str {
        self.diagnostics.first().map_or(code::INTERNAL, |diagnostic| diagnostic.code)
    }

    /// The message of the first diagnostic.
    pub fn message(&self) -> &str {
        self.diagnostics.first().map_or("", |diagnostic| &diagnostic.message)
    }

    pub(super) fn usage(message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure::of_error(FailureKind::Usage, Error::new(code::ARGUMENT, message).help(help))
    }

    pub(super) fn of_error(kind: FailureKind, error: Error) -> Failure {
        Failure::of(kind, &[plain(error)], &Sources::default())
    }

    pub(super) fn of(kind: FailureKind, all: &[diag::Diagnostic], sources: &Sources) -> Failure {
        Failure { kind, diagnostics: all.iter().map(|one| Diagnostic::new(one, sources)).collect() }
    }

    /// Of a program that did not run to its end; `reason` says who stopped it, if somebody did.
    pub(super) fn of_run(failure: &session::Failure, reason: Option<&Reason>, sources: &Sources) -> Failure {
        match failure {
            session::Failure::Check(all) => Failure::of(FailureKind::Refused, all, sources),
            session::Failure::Run(one) => Failure::of(FailureKind::Failed, std::slice::from_ref(one), sources),
            session::Failure::Interrupted(one) => {
                let mut one = (**one).clone();
                let (kind, message) = match reason {
                    Some(Reason::Time(most)) => {
                        (FailureKind::OutOfTime, format!("stopped after {most:.1?}: its time is up"))
                    }
                    Some(Reason::Listener(why)) => {
                        (FailureKind::Failed, format!("the host's listener panicked: {why}"))
                    }
                    _ => (FailureKind::Interrupted, "stopped by the host".to_string()),
                };
                one.message = message;
                Failure::of(kind, &[one], sources)
            }
        }
    }

    /// The thread of the session has ended, which nothing should make it do.
    pub(super) fn lost() -> Failure {
        let error = Error::new(code::INTERNAL, "the thread of this session has ended").help("open another session");
        Failure::of_error(FailureKind::Failed, error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::of_error(FailureKind::Failed, error)
    }
}

impl fmt::Display for Failure {
    /// All messages as people see them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.diagnostics.iter().map(|diagnostic| diagnostic.rendered.trim_end()).collect();
        write!(f, "{}", texts.join("\n\n"))
    }
}

impl std::error::Error for Failure {}
