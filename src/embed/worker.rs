//! What runs on the thread of a session: the session of `session`, and the work that the host sends.
//!
//! A piece of work that panics answers with a failure, and the thread goes on to the next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::diagnostic::{Diagnostic, Failure, FailureKind};
use super::function::{Arguments, HostResult, guarded};
use super::interrupt::Interrupter;
use super::listener::Heard;
use super::options::Options;
use super::session::{Bound, Evaluated};
use super::value::Value;
use crate::base::span::Sources;
use crate::check::{Binding, Checker, Length, Loader, UnitKind};
use crate::exec::op;
use crate::ir::{GlobalId, Type};
use crate::rt::account::Account;
use crate::rt::reach::Reach;
use crate::rt::value::Value as Inner;
use crate::session::fence::Enforced;
use crate::session::folder::OutputFolder;
use crate::session::journal::SharedJournal;
use crate::session::limits::Limits;
use crate::session::load::{DiskLoader, read_script};
use crate::session::{self, Outcome, Output, Settings};

/// One session, on its own thread.
pub(super) struct Worker {
    session: session::Session,
    folder: PathBuf,
    /// Where inputs may lie beside it.
    read: Vec<PathBuf>,
    loader: SharedLoader,
    interrupter: Interrupter,
    /// What the kernel enforces around the thread, if it was asked to.
    pub enforced: Option<Enforced>,
    /// Texts that were entered, for their names.
    entered: usize,
}

/// A loader that can be turned to the folder of another script.
#[derive(Clone)]
struct SharedLoader(Arc<Mutex<DiskLoader>>);

impl SharedLoader {
    fn lock(&self) -> MutexGuard<'_, DiskLoader> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Loader for SharedLoader {
    fn std_module(&mut self, name: &str) -> Option<String> {
        self.lock().std_module(name)
    }
    fn neighbour(&mut self, from: &str, path: &str) -> Result<(String, String), String> {
        self.lock().neighbour(from, path)
    }
    fn std_names(&self) -> Vec<String> {
        self.lock().std_names()
    }
}

impl Worker {
    pub fn new(
        options: Options,
        account: Arc<Account>,
        interrupter: Interrupter,
        enforced: Option<Enforced>,
    ) -> Worker {
        let journal = SharedJournal::default();
        let world = Heard {
            listener: options.listener,
            folder: options.output.map(OutputFolder::new),
            journal: journal.clone(),
            interrupter: interrupter.clone(),
            noted: Vec::new(),
        };
        // Results of other runs are neither read nor kept: see `docs/embedding.md`.
        let settings = Settings {
            engine: options.engine.kind(),
            overrides: options.overrides,
            strict: options.strict,
            check_finite: options.check_finite,
            folder: options.folder.clone(),
            read: options.read.clone(),
            limits: Limits { printed: u64::MAX, written: u64::MAX, ..Limits::default() }
                .with_output(options.limits.output),
            account: Some(account),
            ..Settings::default()
        };
        let output =
            Output { world: Box::new(world), journal, interrupt: interrupter.flag.clone(), stop: Arc::default() };
        let loader = SharedLoader(Arc::new(Mutex::new(DiskLoader::new(&options.folder))));
        let session = session::Session::new(Box::new(loader.clone()), settings, output);
        Worker { session, folder: options.folder, read: options.read, loader, interrupter, enforced, entered: 0 }
    }

    /// Runs a text; one that fails leaves names as they were.
    pub fn evaluate(&mut self, name: Option<String>, text: &str) -> Result<Evaluated, Failure> {
        self.entered += 1;
        let name = name.unwrap_or_else(|| format!("<text {}>", self.entered));
        self.session.checker.warnings.clear();
        // A limit that a text reached is no fault of the next.
        self.session.ctx.reached.clear();
        let outcome = self.session.enter(&name, text);
        let reason = self.interrupter.end();
        let sources = &self.session.checker.sources;
        let warnings = self.session.checker.warnings.iter().map(|warning| Diagnostic::new(warning, sources)).collect();
        match outcome {
            Ok(outcomes) => evaluated(&outcomes, warnings),
            Err(failure) => {
                let shown = Failure::of_run(&failure, reason.as_ref(), sources);
                // A text that did not check was forgotten already, and a second time would take back the one before.
                if !matches!(failure, session::Failure::Check(_)) {
                    self.session.checker.forget_last_entry();
                    self.session.release_nameless();
                }
                Err(shown)
            }
        }
    }

    /// Runs a file: what it names is relative to its own folder.
    pub fn run_file(&mut self, path: &Path) -> Result<Evaluated, Failure> {
        let full = if path.is_absolute() { path.to_path_buf() } else { self.folder.join(path) };
        let script =
            read_script(&full).map_err(|fault| Failure::of(FailureKind::Refused, &[fault], &Sources::default()))?;
        self.turn_to(&script.folder());
        let outcome = self.evaluate(Some(script.name.clone()), &script.text);
        self.turn_to(&self.folder.clone());
        outcome
    }

    fn turn_to(&mut self, folder: &Path) {
        *self.loader.lock() = DiskLoader::new(folder);
        self.session.settings.folder = folder.to_path_buf();
        self.session.ctx.folder = folder.to_path_buf();
        let places = [folder, &self.folder].into_iter().chain(self.read.iter().map(PathBuf::as_path));
        self.session.ctx.reach = Reach::below(places);
    }

    /// Binds a name to a value of the host.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), Failure> {
        if !Checker::is_bindable(name) {
            let message = format!("`{}` cannot be the name of a value", name.escape_debug());
            return Err(Failure::usage(
                message,
                "a name is letters, digits and underscores, and no word of the language",
            ));
        }
        let ty = value.ty()?;
        let leaves = value.leaves(&format!("`{name}`, given by the host"));
        leaves.iter().try_for_each(|leaf| self.keeps_lengths(name, leaf))?;
        let globals = self.session.checker.give(name, &ty);
        self.session.globals.resize(self.session.checker.module.globals.len(), Inner::None);
        for (global, leaf) in globals.iter().zip(leaves) {
            if let Some(place) = self.session.globals.get_mut(global.0 as usize) {
                *place = leaf;
            }
        }
        self.session.release_nameless();
        Ok(())
    }

    /// An axis whose length a program declared has that length in every value.
    fn keeps_lengths(&self, name: &str, value: &Inner) -> Result<(), Failure> {
        let items = match value {
            Inner::Tensor(tensor) => {
                let other = |dim: &&crate::rt::tensor::Dim| {
                    self.declared(dim.axis).is_some_and(|len| usize::try_from(len).ok() != Some(dim.len))
                };
                return match tensor.dims.iter().find(other) {
                    None => Ok(()),
                    Some(dim) => Err(Failure::usage(
                        format!("`{name}` has {} along `{}`, whose length is declared", dim.len, dim.axis),
                        format!("the declared length is {}", self.declared(dim.axis).unwrap_or(0)),
                    )),
                };
            }
            Inner::List(items) | Inner::Record(items) => items,
            _ => return Ok(()),
        };
        items.iter().try_for_each(|item| self.keeps_lengths(name, item))
    }

    fn declared(&self, axis: crate::base::axis::Axis) -> Option<i64> {
        match self.session.checker.stated_length(axis)? {
            Length::Known(len) => Some(len),
            Length::Held(global) => match self.value(global) {
                Inner::Int(len) => Some(*len),
                _ => None,
            },
        }
    }

    fn value(&self, global: GlobalId) -> &Inner {
        self.session.globals.get(global.0 as usize).unwrap_or(&Inner::None)
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Result<Value, Failure> {
        match self.session.checker.binding(name) {
            Some(binding) => self.taken(&binding),
            None => {
                let names: Vec<String> = self.names().into_iter().map(|bound| bound.name).collect();
                Err(Failure::usage(
                    format!("no value is called `{}`", name.escape_debug()),
                    format!("there are: {}", names.join(", ")),
                ))
            }
        }
    }

    fn taken(&self, binding: &Binding) -> Result<Value, Failure> {
        Ok(match binding {
            Binding::Value(global, ty) => Value::of(self.value(*global), ty)?,
            Binding::Constant(constant) => Value::of(&op::constant(constant), &Type::Unit)?,
            Binding::Record(fields) => {
                let field = |(name, binding): &(String, Binding)| Ok((name.clone(), self.taken(binding)?));
                Value::Record(fields.iter().map(field).collect::<Result<_, Failure>>()?)
            }
            Binding::Other(ty) => Value::Other(ty.to_string()),
        })
    }

    /// The values that programs have bound, and the host.
    pub fn names(&self) -> Vec<Bound> {
        let bound = |(name, type_shown)| Bound { name, type_shown };
        self.session.checker.bound_names().into_iter().map(bound).collect()
    }

    pub fn register(
        &mut self,
        signature: &str,
        pure: bool,
        function: impl FnMut(&Arguments) -> HostResult + Send + 'static,
    ) -> Result<(), Failure> {
        let checker = &mut self.session.checker;
        let (name, in_ir) = checker
            .add_host_function(signature, pure)
            .map_err(|faults| Failure::of(FailureKind::Usage, &faults, &checker.sources))?;
        self.session.ctx.host.register(in_ir, guarded(name, function));
        Ok(())
    }
}

fn evaluated(outcomes: &[Outcome], warnings: Vec<Diagnostic>) -> Result<Evaluated, Failure> {
    let last = outcomes.last().filter(|outcome| outcome.kind == UnitKind::Expression);
    let value = match last.and_then(|outcome| Some((outcome.result.as_ref()?.1.first()?, outcome.ty.as_ref()?))) {
        Some((value, ty)) => Some(Value::of(value, ty)?),
        None => None,
    };
    let names = outcomes.iter().flat_map(|outcome| &outcome.names);
    let bound = names.map(|(name, ty, _)| Bound { name: name.clone(), type_shown: ty.clone() }).collect();
    let seconds = outcomes.iter().map(|outcome| outcome.time.as_secs_f64()).sum();
    Ok(Evaluated { value, bound, warnings, seconds })
}
