//! What a session is opened with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::diagnostic::Failure;
use super::listener::{Listener, Nobody};
use super::session::Session;
use crate::rt::chunked::store;
use crate::session::EngineKind;
use crate::session::fence::Fence;

/// How programs run. Machine code and the interpreter give the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    #[default]
    MachineCode,
    Interpreter,
}

impl Engine {
    pub(super) fn kind(self) -> EngineKind {
        match self {
            Engine::MachineCode => EngineKind::Jit,
            Engine::Interpreter => EngineKind::Interp,
        }
    }
}

/// Options of a session, each with a sensible value unless it is set: `Options::new().memory(1 << 30).open()`.
pub struct Options {
    pub(super) engine: Engine,
    pub(super) folder: PathBuf,
    pub(super) read: Vec<PathBuf>,
    pub(super) output: Option<PathBuf>,
    pub(super) fenced: bool,
    pub(super) overrides: BTreeMap<String, String>,
    pub(super) strict: bool,
    pub(super) check_finite: bool,
    pub(super) threads: Option<usize>,
    pub(super) limits: Limits,
    pub(super) listener: Box<dyn Listener>,
}

/// What a session may take. A limit that a session does not have is one more field here, one more method of `Options`,
/// and, if the runtime keeps to it, one more line where `worker` fills in `session::Settings`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub memory: Option<usize>,
    pub disk: Option<u64>,
    pub time: Option<Duration>,
    pub output: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            engine: Engine::default(),
            folder: PathBuf::from("."),
            read: Vec::new(),
            output: None,
            fenced: false,
            overrides: BTreeMap::new(),
            strict: false,
            check_finite: false,
            threads: None,
            limits: Limits::default(),
            listener: Box::new(Nobody),
        }
    }
}

impl Options {
    pub fn new() -> Options {
        Options::default()
    }

    /// Machine code unless said otherwise.
    pub fn engine(mut self, engine: Engine) -> Options {
        self.engine = engine;
        self
    }

    /// What the paths of inputs, and of files that texts import, are relative to: the current folder unless set. Files
    /// that are imported must lie in it or below it.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Options {
        self.folder = folder.into();
        self
    }

    /// One more folder, or file, that inputs may lie in. Inputs lie in or below the session's folder, the folder of a file
    /// that runs, and these; links are followed first.
    pub fn read(mut self, place: impl Into<PathBuf>) -> Options {
        self.read.push(place.into());
        self
    }

    /// The only folder that programs write to, made by the first file. Without one, writing is refused.
    pub fn output(mut self, folder: impl Into<PathBuf>) -> Options {
        self.output = Some(folder.into());
        self
    }

    /// The kernel, too, keeps the session's threads to its folders, off the network and from starting processes, where it can
    /// (Linux with Landlock and seccomp; [`Session::enforced`] says what holds). Functions of the host run on these threads,
    /// so it holds for them; the host's other threads are free. Files that the session runs must lie in its folders, and
    /// the output folder is made at once.
    pub fn fenced(mut self, fenced: bool) -> Options {
        self.fenced = fenced;
        self
    }

    /// What lies inside of the fence.
    pub(super) fn fence(&self) -> Fence {
        let read = self.read.iter().chain([&self.folder]).cloned().collect();
        let write: Vec<PathBuf> = self.output.iter().cloned().chain([store::folder()]).collect();
        // One that cannot be made is not used, and whoever needs it says so.
        write.iter().for_each(|folder| drop(std::fs::create_dir_all(folder)));
        Fence { read, write, tidy: Vec::new() }
    }

    /// Replaces the value of a top-level `let` of simple type or the length of an axis, as `--set` does. The first text
    /// must have it.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Options {
        self.overrides.insert(name.into(), value.into());
        self
    }

    /// Warns of each operation whose result has more axes than either side.
    pub fn strict(mut self, strict: bool) -> Options {
        self.strict = strict;
        self
    }

    /// A NaN or infinity that an operation, or a function of the host, makes of finite numbers is an error at once.
    pub fn check_finite(mut self, check: bool) -> Options {
        self.check_finite = check;
        self
    }

    /// The threads that the session's work is spread over, its own among them: one for each processor (or as many as the
    /// environment says in `LOCUS_THREADS`) unless set. They change no bit of any result.
    pub fn threads(mut self, threads: usize) -> Options {
        self.threads = Some(threads);
        self
    }

    /// The most bytes that the session's arrays and open files may take together. What the host took out of it counts as
    /// long as the host holds it; arrays that the host made and gave to it are the host's. Arrays below 16 KiB are not
    /// counted.
    pub fn memory(mut self, bytes: usize) -> Options {
        self.limits.memory = Some(bytes);
        self
    }

    /// The most bytes that the session's intermediate results may take on disk.
    pub fn disk(mut self, bytes: u64) -> Options {
        self.limits.disk = Some(bytes);
        self
    }

    /// The most bytes that the session may print, figures included, and the most that it may write to files, each over its
    /// whole life.
    pub fn max_output(mut self, bytes: u64) -> Options {
        self.limits.output = Some(bytes);
        self
    }

    /// The longest that one evaluation may run. A function of the host that runs then is waited for.
    pub fn time(mut self, time: Duration) -> Options {
        self.limits.time = Some(time);
        self
    }

    /// Who hears what programs say; nobody unless set.
    pub fn listener(mut self, listener: impl Listener + 'static) -> Options {
        self.listener = Box::new(listener);
        self
    }

    /// Opens the session.
    pub fn open(self) -> Result<Session, Failure> {
        Session::open(self)
    }
}
