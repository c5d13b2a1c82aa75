//! Running programs: text in, values out, one top-level item after another.
//!
//! A unit that fails leaves the globals as they were before it. Everything that a program does goes through its
//! context; this file neither prints nor opens files.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::engines::EngineKind;
use super::fault::{Failure, failure};
use super::journal::SharedJournal;
use super::limits::{Clock, LimitedWorld, Limits};
use super::load::Script;
use super::release::{Readers, described};
use super::remember::loops::Stop;
use super::remember::watch::WatchedWorld;
use super::remember::{Memory, Remember};
use super::world::BufferWorld;
use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::span::{FileId, Sources};
use crate::check::{Checker, Loader, Options, Unit, UnitKind};
use crate::exec::{self, Engine, Fault};
use crate::ir::{FuncId, GlobalId, Module, Op, Type};
use crate::pass::{self, Passes};
use crate::rt::account::Account;
use crate::rt::ctx::{Ctx, Reached, World};
use crate::rt::error::{Error, code};
use crate::rt::reach::Reach;
use crate::rt::value::Value;
use crate::syntax::{ast, parse};

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub engine: EngineKind,
    /// `--set name=value`.
    pub overrides: BTreeMap<String, String>,
    pub strict: bool,
    pub check_finite: bool,
    /// What paths of inputs are relative to.
    pub folder: PathBuf,
    /// `--memory`: the most bytes that the process may take.
    pub memory: Option<usize>,
    /// `--disk`: the most bytes that the store of intermediate results may take.
    pub disk: Option<u64>,
    /// What becomes of results of other runs, and of this one.
    pub remember: Remember,
    /// `--profile`: measure where time and memory go.
    pub profile: bool,
    /// `--read`: folders and files beside the script's folder that inputs may lie in.
    pub read: Vec<PathBuf>,
    /// Inputs may lie anywhere: the fence of the kernel alone decides.
    pub reads_everywhere: bool,
    pub limits: Limits,
    /// What the session may take, if it shares the process with others: then `memory` and `disk` mean nothing.
    pub account: Option<Arc<Account>>,
}

/// Where a session's output goes, and how it is stopped.
pub struct Output {
    pub world: Box<dyn World>,
    pub journal: SharedJournal,
    pub interrupt: Arc<AtomicBool>,
    pub stop: Arc<Stop>,
}

impl Output {
    /// Keeps everything in memory.
    pub fn buffer(world: &BufferWorld) -> Output {
        let journal = world.journal.clone();
        Output { world: Box::new(world.clone()), journal, interrupt: Arc::default(), stop: Arc::default() }
    }
}

/// One unit that ran.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub kind: UnitKind,
    /// Names bound, with the type as shown and the globals that hold the leaves.
    pub names: Vec<(String, String, Vec<GlobalId>)>,
    /// Of an expression: its type as shown, and its leaves.
    pub result: Option<(String, Vec<Value>)>,
    /// Of an expression: the type of its value.
    pub ty: Option<Type>,
    pub time: Duration,
}

/// An input that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct InputRead {
    pub name: String,
    pub path: String,
    pub sha256: String,
    pub bytes: u64,
}

pub struct Session {
    pub checker: Checker,
    pub settings: Settings,
    pub journal: SharedJournal,
    passes: Passes,
    /// What the passes made of `checker.module`; function numbers are the same.
    ready: Module,
    engine: Box<dyn Engine>,
    pub globals: Vec<Value>,
    pub memory: Memory,
    pub ctx: Ctx,
    /// The text that was entered last.
    pub file: FileId,
}

/// Gives the passes the `vjp` clauses that the checker knows.
struct Clauses<'a>(&'a mut Checker);

impl pass::Derivatives for Clauses<'_> {
    fn vjp(
        &mut self,
        module: &mut Module,
        name: &str,
        axes: &[Axis],
        args: &[Type],
        result: &Type,
    ) -> Result<Option<pass::Adjoint>, Diagnostic> {
        // The adjoint becomes a function of the module that the pass works on.
        std::mem::swap(module, &mut self.0.module);
        let found = self.0.vjp(name, axes, args, result);
        std::mem::swap(module, &mut self.0.module);
        Ok(found?.map(|adjoint| pass::Adjoint { func: adjoint.func, args: adjoint.args }))
    }
}

impl Session {
    pub fn new(loader: Box<dyn Loader>, settings: Settings, output: Output) -> Session {
        let options = Options { overrides: settings.overrides.clone(), strict: settings.strict };
        let (memory, note) = Memory::new(
            settings.remember,
            settings.engine,
            settings.check_finite,
            output.stop,
            output.interrupt.clone(),
        );
        let reached = Reached::default();
        let limits = settings.limits.clone();
        let inner = LimitedWorld::new(output.world, limits, reached.clone(), output.interrupt.clone());
        let mut ctx = Ctx::new(Box::new(WatchedWorld { inner: Box::new(inner), watch: memory.watch.clone() }));
        if let Some(note) = note {
            ctx.world.note(&note);
        }
        let mut checker = Checker::new(loader, options);
        checker.heed(output.interrupt.clone());
        ctx.interrupt = output.interrupt;
        ctx.reached = reached;
        ctx.reach = reach(&settings);
        ctx.check_finite = settings.check_finite;
        ctx.memory_limit = match &settings.account {
            Some(account) => account.memory(),
            None => super::machine::bound_memory(settings.memory, settings.disk),
        };
        ctx.folder = settings.folder.clone();
        ctx.profile = settings.profile.then(Default::default);
        Session {
            checker,
            engine: settings.engine.start(),
            settings,
            journal: output.journal,
            passes: Passes::heeding(ctx.interrupt.clone()),
            ready: Module::default(),
            globals: Vec::new(),
            memory,
            ctx,
            file: FileId(0),
        }
    }

    /// From here on a program's output goes there.
    pub fn set_world(&mut self, world: Box<dyn World>) {
        self.ctx.world = Box::new(WatchedWorld { inner: world, watch: self.memory.watch.clone() });
    }

    pub fn sources(&self) -> &Sources {
        &self.checker.sources
    }

    /// The module that the engine runs.
    pub fn module(&self) -> &Module {
        if self.settings.engine.runs_optimised() { &self.ready } else { &self.checker.module }
    }

    pub fn optimised(&self) -> &Module {
        &self.ready
    }

    /// Parses, checks and lowers a text; nothing of it runs, and on errors nothing of it remains.
    pub fn prepare(&mut self, name: &str, text: &str) -> Result<Vec<Unit>, Failure> {
        let file = self.checker.add_source(name, text);
        let (program, diagnostics) = parse::parse_program(file, text);
        if !diagnostics.is_empty() {
            self.file = file;
            return Err(Failure::Check(diagnostics));
        }
        self.prepare_tree(file, &program)
    }

    /// The same for a text that was added and parsed without a fault.
    fn prepare_tree(&mut self, file: FileId, program: &ast::Program) -> Result<Vec<Unit>, Failure> {
        self.work_out(file, program, |session, func| {
            session.lower(func)?;
            session.guarded(|session, module| session.passes.optimise(module, func, &mut session.ready))
        })
    }

    /// Finds everything that a text can be wrong about: it is checked, and its gradients are worked out. What makes it
    /// fast is left out, so that nothing of it can run.
    pub fn judge_tree(&mut self, file: FileId, program: &ast::Program) -> Result<(), Failure> {
        self.work_out(file, program, Session::lower).map(drop)
    }

    fn work_out(
        &mut self,
        file: FileId,
        program: &ast::Program,
        mut compile: impl FnMut(&mut Session, FuncId) -> Result<(), Diagnostic>,
    ) -> Result<Vec<Unit>, Failure> {
        self.file = file;
        let checked = self.checker.check_program(file, program);
        let units = checked.map_err(|faults| self.stopped().unwrap_or(Failure::Check(faults)))?;
        for input in &self.checker.inputs {
            self.journal.lock().reads(&self.settings.folder.join(&input.path));
        }
        let mut faults = Vec::new();
        for unit in &units {
            if let Some(stopped) = self.stopped() {
                self.checker.forget_last_entry();
                return Err(stopped);
            }
            if let Err(diagnostic) = compile(self, unit.func) {
                faults.push(diagnostic);
            }
        }
        if faults.is_empty() {
            return Ok(units);
        }
        self.checker.forget_last_entry();
        Err(self.stopped().unwrap_or(Failure::Check(faults)))
    }

    /// Why the program is not to be read on, if it is not: a program can be as long to compile as to run.
    fn stopped(&self) -> Option<Failure> {
        let error = self.ctx.check_interrupt().err()?;
        let interrupted = error.code == code::INTERRUPTED;
        let shown = Box::new(super::fault::plain(error));
        Some(if interrupted { Failure::Interrupted(shown) } else { Failure::Run(shown) })
    }

    /// Gradients, and loops that tell how far they came.
    fn lower(&mut self, func: FuncId) -> Result<(), Diagnostic> {
        self.guarded(|session, module| {
            session.passes.lower(module, func, &mut Clauses(&mut session.checker))?;
            let mut function = std::mem::take(&mut module.functions[func.0 as usize]);
            pass::resume::resumable(module, &mut function);
            module.functions[func.0 as usize] = function;
            Ok(())
        })
    }

    /// Work of a pass on the checker's module, which a fault of the compiler does not lose.
    fn guarded(
        &mut self,
        work: impl FnOnce(&mut Session, &mut Module) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        // The checker writes adjoint functions into the module while the pass that asked for them holds it.
        let mut module = std::mem::take(&mut self.checker.module);
        let outcome = catch_unwind(AssertUnwindSafe(|| work(self, &mut module)));
        self.checker.module = module;
        outcome.unwrap_or_else(|payload| Err(internal("the compiler", &*payload)))
    }

    /// Starts the clock of what runs until the result is dropped, if there is a limit of time.
    pub fn clock(&self) -> Result<Option<Clock>, Failure> {
        let clock = Clock::start(&self.settings.limits, &self.ctx.reached, &self.ctx.interrupt, &self.memory.stop);
        clock.map_err(|error| Failure::Run(Box::new(super::fault::plain(error))))
    }

    /// Runs a text to its end or its first failure. What it bound stays as long as a name leads to it.
    pub fn enter(&mut self, name: &str, text: &str) -> Result<Vec<Outcome>, Failure> {
        let outcomes = self.run_units(name, text, |_, _| None)?;
        self.release_nameless();
        Ok(outcomes)
    }

    /// The same for a text that nothing follows: a value goes after the last item that reads it.
    pub fn run_script(&mut self, script: &Script) -> Result<Vec<Outcome>, Failure> {
        self.run_units(&script.name, &script.text, |module, units| Some(Readers::new(module, units)))
    }

    fn run_units(
        &mut self,
        name: &str,
        text: &str,
        readers: impl FnOnce(&Module, &[Unit]) -> Option<Readers>,
    ) -> Result<Vec<Outcome>, Failure> {
        let _clock = self.clock()?;
        let units = self.prepare(name, text)?;
        let readers = readers(self.module(), &units);
        let folder = self.ctx.folder.clone();
        self.memory.begin_program(&folder, name);
        let mut run = |(number, unit): (usize, &Unit)| {
            let outcome = self.run_unit(unit)?;
            self.said_everything(unit)?;
            if let Some(readers) = &readers {
                self.release_after(readers, number);
            }
            Ok(outcome)
        };
        let outcomes = units.iter().enumerate().map(&mut run).collect();
        self.memory.end_program();
        outcomes
    }

    /// An error if the last thing that an item said was too much to be shown: it had no next step to stop at.
    fn said_everything(&self, unit: &Unit) -> Result<(), Failure> {
        match self.ctx.reached.get() {
            Some(error) => Err(failure(Fault::new(error, unit.span), unit.span, &self.checker.sources)),
            None => Ok(()),
        }
    }

    /// Runs an item, unless its results are known.
    pub fn run_unit(&mut self, unit: &Unit) -> Result<Outcome, Failure> {
        self.globals.resize(self.checker.module.globals.len(), Value::None);
        match self.recall(unit)? {
            Some(outcome) => Ok(outcome),
            None => self.execute(unit, false),
        }
    }

    /// Runs an item; `muted` if all but its values is known.
    pub(super) fn execute(&mut self, unit: &Unit, muted: bool) -> Result<Outcome, Failure> {
        let watched = self.begin_unit(unit, muted)?;
        let before = self.globals.clone();
        let start = Instant::now();
        if let Some(profile) = &self.ctx.profile {
            profile.begin_unit(unit.span);
        }
        let outcome = match self.unset_global(unit.func) {
            Some(fault) => Err(fault),
            None => self.call(unit.func),
        };
        if let Some(profile) = &self.ctx.profile {
            profile.end_unit();
        }
        let time = start.elapsed();
        if outcome.is_err() {
            self.globals = before;
        }
        self.stand_back(&watched);
        let values = outcome.map_err(|fault| {
            self.ctx.depth = 0;
            let mut failure = failure(fault, unit.span, &self.checker.sources);
            self.failed_unit(&mut failure);
            failure
        })?;
        if self.ctx.interrupt.load(Ordering::Relaxed) && self.journal.lock().closed.is_some() {
            let stop = Diagnostic::plain(code::INTERRUPTED, "standard output takes no more");
            return Err(Failure::Interrupted(Box::new(stop)));
        }
        self.finished_unit(unit, watched);
        let result = unit.shown.clone().filter(|_| unit.kind == UnitKind::Expression).map(|shown| (shown, values));
        let ty = self.checker.module.function(unit.func).results.first().cloned();
        Ok(Outcome { kind: unit.kind, names: unit.names.clone(), result, ty, time })
    }

    fn call(&mut self, func: FuncId) -> Result<Vec<Value>, Fault> {
        let module = if self.settings.engine.runs_optimised() { &self.ready } else { &self.checker.module };
        let (engine, globals, ctx) = (&mut self.engine, &mut self.globals, &mut self.ctx);
        let run = AssertUnwindSafe(|| engine.call(module, func, Vec::new(), globals, ctx));
        catch_unwind(run).unwrap_or_else(|payload| {
            let message = internal("the engine", &*payload).message;
            Err(Fault::new(Error::new(code::INTERNAL, message), Default::default()))
        })
    }

    /// At the prompt a statement that failed leaves names without values; using one says so.
    fn unset_global(&self, func: FuncId) -> Option<Fault> {
        let module = self.module();
        let (mut pending, mut seen) = (vec![func], Vec::new());
        while let Some(func) = pending.pop() {
            if seen.contains(&func) {
                continue;
            }
            seen.push(func);
            let function = module.function(func);
            let mut blocks = vec![&function.body];
            // A unit may set a global before it reads it.
            let mut set: Vec<GlobalId> = Vec::new();
            while let Some(block) = blocks.pop() {
                for stmt in &block.stmts {
                    match &stmt.op {
                        Op::GlobalSet(global, _) => set.push(*global),
                        Op::GlobalGet(global) if !set.contains(global) && self.is_unset(*global) => {
                            let name = &module.globals[global.0 as usize].name;
                            let error = Error::new(code::ARGUMENT, format!("`{name}` has no value"))
                                .note("note", "the statement that should have set it failed");
                            return Some(Fault::new(error, stmt.span));
                        }
                        op => blocks.extend(op.blocks()),
                    }
                }
            }
            pending.extend(pass::callees(function));
        }
        None
    }

    fn is_unset(&self, global: GlobalId) -> bool {
        matches!(self.globals.get(global.0 as usize), Some(Value::None) | None)
    }

    /// The leaves of a name, with their types.
    pub fn leaves(&self, globals: &[GlobalId]) -> Vec<(Type, Value)> {
        let module = &self.checker.module;
        let leaf = |&id: &GlobalId| {
            let value = self.globals.get(id.0 as usize).cloned().unwrap_or_default();
            // What does not fit into memory whole is shown by its type alone.
            let value = value.plain().unwrap_or_default();
            Some((module.globals.get(id.0 as usize)?.ty.clone(), value))
        };
        globals.iter().filter_map(leaf).collect()
    }

    /// What was read, from the inputs that are or were open.
    pub fn inputs_read(&self) -> Vec<InputRead> {
        let mut found: Vec<InputRead> = Vec::new();
        for (number, value) in self.globals.iter().enumerate() {
            let read = match (self.memory.looked_up.get(&GlobalId(number as u32)), value) {
                (Some(read), _) => read.clone(),
                (None, Value::File(file)) => described(file),
                _ => continue,
            };
            if !found.contains(&read) {
                found.push(read);
            }
        }
        found
    }
}

/// Where inputs may lie: below the folder of the script, and where the person said.
fn reach(settings: &Settings) -> Reach {
    if settings.reads_everywhere {
        return Reach::everywhere();
    }
    Reach::below(std::iter::once(&settings.folder).chain(&settings.read).map(PathBuf::as_path))
}

fn internal(who: &str, payload: &(dyn std::any::Any + Send)) -> Diagnostic {
    let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
    let fault = exec::internal(format!("{who} failed: {}", text.unwrap_or("no reason given")));
    Diagnostic::plain(fault.code, fault.message)
}
