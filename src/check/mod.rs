//! The checker: names, axes, types; and from the syntax tree straight to IR.
//!
//! It is a partial evaluator. Records, functions, models and literals are compile-time values (`value::Val`);
//! calls are inlined with the caller's concrete axes, so the IR that comes out is first order and monomorphic.
//! Errors are collected; an erroneous expression becomes `Val::Error`, which absorbs what follows from it.
//! This layer does no IO (a `Loader` gives it texts) and never sees the runtime.

mod assign;
mod believe;
mod blocks;
mod brackets;
mod budget;
mod builder;
mod call;
mod capture;
mod control;
mod convert;
mod derive;
mod experiment;
mod expr;
mod functions;
mod hooks;
mod host;
mod intrinsics;
mod item;
mod leaves;
mod messages;
mod modules;
mod names;
pub mod notes;
mod obituaries;
mod operators;
mod plots;
mod publish;
mod reach;
mod redefine;
mod refusals;
mod sizes;
mod solve;
mod special;
mod streams;
mod strict;
mod swaps;
mod tiles;
mod types;
mod value;
mod visible;

pub use derive::Adjoint;
pub use host::{Binding, Length};
pub use special::NAMES as FORMS;
pub use visible::{NameKind, Visible};

use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::span::{FileId, Sources, Span};
use crate::ir::{self, FuncId, GlobalId, Type};
use crate::syntax::{ast, parse};
use builder::Builder;
use modules::{ModId, ModuleInfo, UserState};
use names::Frame;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// Where texts come from. The session reads files; tests give strings.
pub trait Loader {
    /// The text of `std.NAME`, or `None`.
    fn std_module(&mut self, name: &str) -> Option<String>;
    /// A neighbour of `from`: its canonical name and text, or why not.
    fn neighbour(&mut self, from: &str, path: &str) -> Result<(String, String), String>;
    /// Names of all std modules, for suggestions.
    fn std_names(&self) -> Vec<String>;
    /// The tree of a module's text. An editor's server, which reads the same modules after each key, keeps some.
    fn tree(&mut self, file: FileId, _name: &str, text: &str) -> (Rc<ast::Program>, Vec<Diagnostic>) {
        let (program, faults) = parse::parse_program(file, text);
        (Rc::new(program), faults)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--set name=value`: replaces the value of a top-level `let` of simple type or the size of an axis.
    pub overrides: BTreeMap<String, String>,
    /// Note each elementwise operation whose result has more axes than either side.
    pub strict: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnitKind {
    Input,
    Let,
    Statement,
    Plot,
    Expect,
    /// Yields its value: what the prompt shows.
    Expression,
}

/// One top-level item, ready to run. Items run in order; later ones read globals that earlier ones set.
#[derive(Clone, Debug)]
pub struct Unit {
    pub func: FuncId,
    pub span: Span,
    pub kind: UnitKind,
    /// Names bound, with the type as shown and the globals that hold the leaves.
    pub names: Vec<(String, String, Vec<GlobalId>)>,
    /// For an expression: the type as shown and the types of the values that the function returns.
    pub shown: Option<String>,
}

/// One line of an `expect` block; its index is the number given to `expect_value`.
#[derive(Clone, Debug)]
pub struct ExpectationSite {
    pub span: Span,
    /// The literal that `bless` may rewrite.
    pub value: Option<Span>,
    /// The literal of the tolerance, which `bless` never touches.
    pub tolerance: Option<Span>,
}

/// An `input` item, for hashes and bundles.
#[derive(Clone, Debug)]
pub struct InputSite {
    pub name: String,
    pub path: String,
    /// `folder(...)`, not `file(...)`.
    pub folder: bool,
    pub sha256: Option<String>,
    pub span: Span,
}

pub struct Checker {
    pub module: ir::Module,
    pub sources: Sources,
    pub warnings: Vec<Diagnostic>,
    pub expectations: Vec<ExpectationSite>,
    pub inputs: Vec<InputSite>,
    /// The header's name and seed.
    pub experiment: Option<(String, u64)>,
    options: Options,
    loader: Box<dyn Loader>,
    errors: Vec<Diagnostic>,
    modules: Vec<ModuleInfo>,
    module_ids: HashMap<String, ModId>,
    builders: Vec<Builder>,
    frames: Vec<Frame>,
    capture: Option<capture::CaptureState>,
    /// The `with` models whose forward passes are being read, outermost first.
    swapping: Vec<swaps::Swapping>,
    units: Vec<Unit>,
    signatures: HashMap<(ModId, String), Rc<functions::Signature>>,
    instances: HashMap<String, functions::Instance>,
    unused_overrides: BTreeSet<String>,
    /// The user's module before the last entry that checked.
    before: Option<UserState>,
    /// Keep what there was before each unit, so that an entry can be taken back from its middle on.
    pub keep_steps: bool,
    step: Option<UserState>,
    steps: Vec<(FuncId, UserState)>,
    /// By the place of a function: the values that it reads whatever their names mean now.
    pins: BTreeMap<Span, Vec<names::Var>>,
    /// Copies of the user's module for function values that call what has been replaced since.
    frozen: Vec<ModId>,
    /// Where the calls being inlined were written, outermost first.
    call_sites: Vec<Span>,
    /// The functions being inlined, to find recursion.
    active: Vec<Rc<ast::FnItem>>,
    /// A function is checked on its own: its axes have no sizes.
    rigid: bool,
    /// Bodies of library functions are not read where it is known what they yield.
    beliefs: Option<believe::Beliefs>,
    obituaries: obituaries::Obituaries,
    /// Axes whose declared length a module of the library asked for.
    asked: BTreeSet<Axis>,
    host: host::Host,
    /// What an editor wants to know; nobody else asks.
    notes: Option<Box<notes::Notes>>,
    budget: budget::Budget,
    /// The declared types that are being read, to find one within itself.
    resolving: Vec<(ModId, String)>,
}

impl Checker {
    pub fn new(loader: Box<dyn Loader>, options: Options) -> Checker {
        let unused_overrides = options.overrides.keys().cloned().collect();
        let mut checker = Checker {
            module: ir::Module::default(),
            sources: Sources::default(),
            warnings: Vec::new(),
            expectations: Vec::new(),
            inputs: Vec::new(),
            experiment: None,
            options,
            loader,
            errors: Vec::new(),
            modules: Vec::new(),
            module_ids: HashMap::new(),
            builders: Vec::new(),
            frames: Vec::new(),
            capture: None,
            swapping: Vec::new(),
            units: Vec::new(),
            signatures: HashMap::new(),
            instances: HashMap::new(),
            unused_overrides,
            before: None,
            keep_steps: false,
            step: None,
            steps: Vec::new(),
            pins: BTreeMap::new(),
            frozen: Vec::new(),
            call_sites: Vec::new(),
            active: Vec::new(),
            rigid: false,
            beliefs: None,
            obituaries: obituaries::Obituaries::default(),
            asked: BTreeSet::new(),
            host: host::Host::default(),
            notes: None,
            budget: budget::Budget::default(),
            resolving: Vec::new(),
        };
        checker.load_prelude();
        checker
    }

    /// Adds a text; the same `Sources` renders its diagnostics.
    pub fn add_source(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.sources.add(name, text)
    }

    /// Checks a file, or the next entry at the prompt: both continue the user's module. On errors nothing
    /// of the entry remains.
    pub fn check_program(&mut self, file: FileId, program: &ast::Program) -> Result<Vec<Unit>, Vec<Diagnostic>> {
        let before = self.user_module_state();
        self.units.clear();
        // A function that was called before may be another one now, or use others and other values.
        self.instances.clear();
        self.steps.clear();
        let fresh = self.keep_old_meanings(program);
        self.budget.renew();
        self.check_items(ModId::USER, file, program);
        if self.errors.is_empty() {
            self.check_users_of(file, &fresh);
        }
        let unused: Vec<String> = self.unused_overrides.iter().cloned().collect();
        for name in unused {
            self.error(messages::unused_override(&name, &item::settable(program)));
        }
        self.unused_overrides.clear();
        self.builders.clear();
        self.frames.clear();
        self.capture = None;
        self.swapping.clear();
        self.call_sites.clear();
        self.active.clear();
        if self.errors.is_empty() {
            self.before = Some(before);
            return Ok(std::mem::take(&mut self.units));
        }
        self.restore_user_module(before);
        Err(std::mem::take(&mut self.errors))
    }

    /// Takes the last entry back that checked, because it failed when it ran: its names mean again what they
    /// meant before. Once for each entry.
    pub fn forget_last_entry(&mut self) {
        if let Some(before) = self.before.take() {
            self.restore_user_module(before);
        }
    }

    /// The names a person can use at the prompt, with their types as shown.
    pub fn visible_names(&self) -> Vec<(String, String)> {
        let mut names: Vec<(String, String)> = Vec::new();
        if let Some(user) = self.modules.get(ModId::USER.0) {
            names.extend(user.top.iter().map(|var| (var.name.clone(), self.type_of(&var.val).to_string())));
            names.extend(user.functions.keys().map(|name| (name.clone(), "fn".to_string())));
            names.extend(user.aliases.keys().map(|name| (name.clone(), "module".to_string())));
        }
        if let Some(core) = self.modules.first() {
            names.extend(core.functions.keys().map(|name| (name.clone(), "fn".to_string())));
        }
        names.sort();
        names.dedup_by(|a, b| a.0 == b.0);
        names
    }

    /// All axis names in scope of the user's module.
    pub fn visible_axes(&self) -> Vec<String> {
        let mut names: Vec<String> = self.modules.iter().take(3).flat_map(|m| m.axes.keys().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Reports an error once. What follows from an error that was reported already never gets here, because
    /// `Val::Error` absorbs it.
    fn error(&mut self, diagnostic: Diagnostic) {
        if self.budget.is_over() {
            return;
        }
        let diagnostic = self.from_users_side(diagnostic);
        let twin =
            |known: &Diagnostic| known.primary.as_ref().map(|l| l.span) == diagnostic.primary.as_ref().map(|l| l.span);
        if diagnostic.primary.is_none() || !self.errors.iter().any(twin) {
            self.errors.push(diagnostic);
            self.budget.faulted(self.errors.len());
        }
    }

    /// A fault inside an inlined library function is shown at the user's call, with the line inside as a label.
    fn from_users_side(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        let (Some(primary), Some(&call)) = (&mut diagnostic.primary, self.call_sites.first()) else {
            return diagnostic;
        };
        if primary.span.file == call.file {
            return diagnostic;
        }
        let inside = primary.clone();
        primary.span = call;
        primary.text = "in this call".to_string();
        let text = if inside.text.is_empty() { "here".to_string() } else { inside.text };
        diagnostic.labels.insert(0, crate::base::diag::Label { span: inside.span, text });
        diagnostic
    }

    pub(crate) fn active_items(&self) -> &[Rc<ast::FnItem>] {
        &self.active
    }

    pub(crate) fn active_push(&mut self, item: &Rc<ast::FnItem>) {
        self.active.push(item.clone());
    }

    pub(crate) fn active_pop(&mut self) {
        self.active.pop();
    }

    /// The type a leaf, record or function value has.
    pub(crate) fn type_of(&self, val: &value::Val) -> Type {
        val.ty()
    }
}

/// The static name of a builtin: names are few, and live as long as the program.
fn builtin_name(name: &str) -> Option<&'static str> {
    use std::sync::{Mutex, OnceLock};
    static NAMES: OnceLock<Mutex<BTreeSet<&'static str>>> = OnceLock::new();
    let mutex = NAMES.get_or_init(|| Mutex::new(BTreeSet::new()));
    let mut names = mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(known) = names.get(name) {
        return Some(known);
    }
    let made: &'static str = Box::leak(name.to_string().into_boxed_str());
    names.insert(made);
    Some(made)
}
