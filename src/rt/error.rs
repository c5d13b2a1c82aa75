//! Faults while a program runs, before they know where in the script they happened.

/// A fault. The engine adds the place; the session renders it.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// `R...`; each has a page in `docs/errors/`.
    pub code: &'static str,
    pub message: String,
    pub notes: Vec<(&'static str, String)>,
    pub help: Option<String>,
}

pub type Result<T> = std::result::Result<T, Error>;

/// The codes, in one place.
pub mod code {
    /// An axis has two lengths.
    pub const SIZE: &str = "R003";
    /// An index lies outside its axis.
    pub const BOUNDS: &str = "R004";
    /// Division by zero, overflow, a conversion that does not fit.
    pub const ARITHMETIC: &str = "R005";
    /// NaN or infinity where a number is needed.
    pub const NOT_FINITE: &str = "R006";
    /// An argument of a builtin makes no sense.
    pub const ARGUMENT: &str = "R007";
    /// A file cannot be read or written, or is not what it says.
    pub const FILE: &str = "R008";
    /// The hash of an input differs.
    pub const HASH: &str = "R009";
    /// Not enough memory, or above a limit.
    pub const MEMORY: &str = "R010";
    /// `assert` failed.
    pub const ASSERT: &str = "R011";
    /// Calls nest too deep.
    pub const DEPTH: &str = "R012";
    /// The person pressed Ctrl-C.
    pub const INTERRUPTED: &str = "R013";
    /// An axis has no size here.
    pub const NO_SIZE: &str = "R014";
    /// A limit of the run was reached: time, or output.
    pub const LIMIT: &str = "R015";
    /// A fault of our own.
    pub const INTERNAL: &str = "R099";
}

impl Error {
    pub fn new(code: &'static str, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), notes: Vec::new(), help: None }
    }

    pub fn note(mut self, key: &'static str, text: impl Into<String>) -> Error {
        self.notes.push((key, text.into()));
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Error {
        self.help = Some(text.into());
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}
