//! The front of a session: a handle that sends work to the session's thread and waits for the answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::diagnostic::{Diagnostic, Failure};
use super::function::{Arguments, HostResult};
use super::interrupt::{Interrupter, Reason};
use super::listener::panic_text;
use super::numeric::NumericClass;
use super::options::Options;
use super::process;
use super::value::Value;
use super::worker::Worker;
use crate::rt::account::{self, Account};
use crate::rt::error::{Error, code};
use crate::rt::kernels;
use crate::session::fence::{self, Enforced};

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// Deeply nested programs recurse in the checker and the engines. Only what is used is ever mapped.
const STACK_BYTES: usize = 256 << 20;

/// A name that is bound, and the type of its value as the language writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub name: String,
    pub type_shown: String,
}

/// What a text did.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The value of the last item, if that is an expression.
    pub value: Option<Value>,
    /// The names that it bound, in order.
    pub bound: Vec<Bound>,
    pub warnings: Vec<Diagnostic>,
    /// How long its items ran, without parsing and checking.
    pub seconds: f64,
}

/// A session: names, values, functions, and a thread on which programs run. Texts continue one another, as at the prompt.
///
/// It is `Send` and `Sync`; what changes it takes `&mut self`, and every call waits until its work is done. Sessions
/// share nothing but what [`process`](super::process) says. When it is dropped, what it runs is stopped and its thread
/// ends; arrays that were taken out of it stay valid.
#[derive(Debug)]
pub struct Session {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    interrupter: Interrupter,
    account: Arc<Account>,
    time: Option<Duration>,
}

impl Session {
    /// A session with the usual options, in the current folder.
    pub fn new() -> Result<Session, Failure> {
        Options::new().open()
    }

    /// What a session can be opened with.
    pub fn options() -> Options {
        Options::new()
    }

    pub(super) fn open(options: Options) -> Result<Session, Failure> {
        process::prepare();
        let account = Account::new(options.limits.memory, options.limits.disk);
        let threads = kernels::usual_threads(options.threads);
        let (interrupter, time) = (Interrupter::default(), options.limits.time);
        let (jobs, work) = channel::<Job>();
        let (own, stop) = (account.clone(), interrupter.clone());
        let run = move || {
            account::own(own.clone());
            // Before the pool is made, whose threads inherit it; the host's do not.
            let enforced = options.fenced.then(|| fence::raise(&options.fence()));
            // Without a pool of its own the session would wait for that of the host, which may wait for the session.
            let helper = own.clone();
            let _pool = kernels::own_pool(threads, move || account::own(helper.clone()));
            let mut worker = Worker::new(options, own, stop, enforced);
            work.into_iter().for_each(|job| job(&mut worker));
        };
        let thread = thread::Builder::new().name("locus session".to_string()).stack_size(STACK_BYTES).spawn(run);
        let thread = thread.map_err(|why| Error::new(code::MEMORY, format!("a session has no thread: {why}")))?;
        let mut session = Session { jobs: Some(jobs), thread: Some(thread), interrupter, account, time };
        // The standard library is read by now, or why not is known.
        session.ask(|_| ())?;
        Ok(session)
    }

    /// Runs a text. What it binds is there for later texts; a text that fails leaves every name as it was.
    pub fn evaluate(&mut self, text: impl Into<String>) -> Result<Evaluated, Failure> {
        let text = text.into();
        self.evaluation(move |worker| worker.evaluate(None, &text))
    }

    /// The same, with a name for the text in diagnostics.
    pub fn evaluate_as(&mut self, name: impl Into<String>, text: impl Into<String>) -> Result<Evaluated, Failure> {
        let (name, text) = (name.into(), text.into());
        self.evaluation(move |worker| worker.evaluate(Some(name), &text))
    }

    /// Runs a file, whose path is relative to the session's folder. The paths in it are relative to its own folder.
    pub fn run_file(&mut self, path: impl AsRef<Path>) -> Result<Evaluated, Failure> {
        let path: PathBuf = path.as_ref().to_path_buf();
        self.evaluation(move |worker| worker.run_file(&path))
    }

    /// Binds a name, as `let` does. An array keeps its elements where they are; an axis whose length a program declared
    /// must have that length. What was bound to the name before is forgotten.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> Result<(), Failure> {
        let (name, value) = (name.to_string(), value.into());
        self.ask(move |worker| worker.set(&name, value))?
    }

    /// The value of a name. An array shares its elements with the session; a tensor that is kept in tiles, or as its
    /// non-zero entries, is made whole, which takes memory.
    pub fn get(&mut self, name: &str) -> Result<Value, Failure> {
        let name = name.to_string();
        self.ask(move |worker| worker.get(&name))?
    }

    /// The names that have values, in the order in which they were bound, with their types.
    pub fn names(&mut self) -> Result<Vec<Bound>, Failure> {
        self.ask(|worker| worker.names())
    }

    /// Registers a function, which programs import from the module `host`:
    ///
    /// `session.register("fn smooth(x: f32[pos], width: int) -> f32[pos]", |args| ...)`, and then
    /// `use host: smooth` in the text.
    ///
    /// Parameters and the result are numbers, bools, texts, arrays and lists of them; the signature may have parameters
    /// for axes and elements (`fn last<e: number, p, r>(x: e[p, ..r]) -> e[..r]`). It may do anything, so calls are
    /// made exactly where the program says and never remembered. It runs on the session's thread. An error becomes a
    /// diagnostic at the call; a panic does too. Registering a name again replaces it in texts that come later.
    pub fn register(
        &mut self,
        signature: &str,
        function: impl FnMut(&Arguments) -> HostResult + Send + 'static,
    ) -> Result<(), Failure> {
        let signature = signature.to_string();
        self.ask(move |worker| worker.register(&signature, false, function))?
    }

    /// The same for a function that does nothing but compute: equal arguments, equal results. So calls may be left out,
    /// joined, made earlier or made twice, and it can be called in formulas and in what is differentiated.
    pub fn register_pure(
        &mut self,
        signature: &str,
        function: impl FnMut(&Arguments) -> HostResult + Send + 'static,
    ) -> Result<(), Failure> {
        let signature = signature.to_string();
        self.ask(move |worker| worker.register(&signature, true, function))?
    }

    /// What stops an evaluation, from another thread or from a function of the host.
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// Bytes that the session's large arrays and open files take now, what the host holds of them included; arrays that
    /// the host made are its own.
    pub fn memory_in_use(&self) -> usize {
        self.account.live()
    }

    /// What the kernel enforces around the session; `None` unless it was opened with [`Options::fenced`].
    pub fn enforced(&mut self) -> Result<Option<Enforced>, Failure> {
        self.ask(|worker| worker.enforced.clone())
    }

    /// The numeric class of the process: see [`NumericClass`].
    pub fn numeric_class(&self) -> NumericClass {
        NumericClass::here()
    }

    /// Sends work that runs a program, and waits as long as its time allows.
    fn evaluation<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Worker) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.interrupter.begin();
        let answer = self.send(work);
        let answer = answer.and_then(|answer| match self.time {
            Some(most) => match answer.recv_timeout(most) {
                Err(RecvTimeoutError::Timeout) => {
                    self.interrupter.stop(Reason::Time(most));
                    answer.recv().map_err(|_| Failure::lost())
                }
                done => done.map_err(|_| Failure::lost()),
            },
            None => answer.recv().map_err(|_| Failure::lost()),
        });
        self.interrupter.end();
        answer?.map_err(Failure::from)?
    }

    fn ask<T: Send + 'static>(&mut self, work: impl FnOnce(&mut Worker) -> T + Send + 'static) -> Result<T, Failure> {
        let answer = self.send(work)?.recv().map_err(|_| Failure::lost())?;
        Ok(answer?)
    }

    fn send<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<Receiver<Result<T, Error>>, Failure> {
        let (reply, answer) = channel();
        let job: Job = Box::new(move |worker| {
            let done = catch_unwind(AssertUnwindSafe(|| work(worker)));
            // Nobody waits any more if the host's thread is gone.
            let fault = |panic: Box<dyn Any + Send>| {
                Error::new(code::INTERNAL, format!("a fault of the session: {}", panic_text(&*panic)))
            };
            let _ = reply.send(done.map_err(fault));
        });
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if sent { Ok(answer) } else { Err(Failure::lost()) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.interrupter.interrupt();
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // It has nothing to say: what it was asked was answered.
            let _ = thread.join();
        }
    }
}
