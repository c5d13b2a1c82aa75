//! Diagnostics as data: a code, one sentence that makes sense alone, labels, aligned notes, and at most one help.

use super::span::Span;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    Error,
    Warning,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One message to a person. Build it with the constructors, then render it with `base::render`.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// `E...` before anything runs, `R...` while running. Each has a page in `docs/errors/`.
    pub code: &'static str,
    /// Lower case, no full stop, code in backticks; makes sense alone.
    pub message: String,
    /// Where it is wrong; `None` for a fault that has no place in a script.
    pub primary: Option<Label>,
    pub labels: Vec<Label>,
    /// Printed as `= found   ...`, aligned; the key is `found`, `needed`, `note`.
    pub notes: Vec<(&'static str, String)>,
    /// Code that would compile, or one thing to do.
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            message: message.into(),
            primary: Some(Label { span, text: String::new() }),
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// An error with no place in a script: a missing file, a bad argument.
    pub fn plain(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { primary: None, ..Diagnostic::error(code, Span::default(), message) }
    }

    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// The text under the caret of the primary span.
    pub fn here(mut self, text: impl Into<String>) -> Diagnostic {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    pub fn note(mut self, key: &'static str, text: impl Into<String>) -> Diagnostic {
        self.notes.push((key, text.into()));
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }
}
