//! Modules: what each file declares, and what `use` brings into scope.

use super::names::Var;
use super::value::Val;
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::syntax::ast;
use std::collections::BTreeMap;
use std::rc::Rc;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct ModId(pub usize);

impl ModId {
    pub const CORE: ModId = ModId(0);
    pub const AXES: ModId = ModId(1);
    /// The file that runs, or the prompt.
    pub const USER: ModId = ModId(2);
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ModuleInfo {
    /// `std.sae`, a path, or "" for the user's file.
    pub name: String,
    pub functions: BTreeMap<String, Rc<ast::FnItem>>,
    pub types: BTreeMap<String, TypeDecl>,
    pub axes: BTreeMap<String, AxisInfo>,
    /// `sae` for `use std.sae`.
    pub aliases: BTreeMap<String, ModId>,
    /// `adam` for `use std.optim: adam`.
    pub imported: BTreeMap<String, (ModId, String)>,
    /// Values of top-level `let`s, inputs, fits and captures.
    pub top: Vec<Var>,
    /// True while its items are being read, to find import cycles.
    pub loading: bool,
}

/// What an entry of the user may change.
pub(crate) struct UserState {
    pub module: ModuleInfo,
    expectations: usize,
    inputs: usize,
    experiment: Option<(String, u64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct TypeDecl {
    pub generics: Vec<ast::Generic>,
    pub ty: ast::Ty,
    pub public: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct AxisInfo {
    pub axis: Axis,
    /// The declared length, if any.
    pub size: Option<Val>,
    /// `axis qpos like pos`
    pub like: Option<Axis>,
}

impl Checker {
    pub(super) fn load_prelude(&mut self) {
        for (id, name) in [(ModId::CORE, "core"), (ModId::AXES, "axes")] {
            self.modules.push(ModuleInfo { name: format!("std.{name}"), ..ModuleInfo::default() });
            self.module_ids.insert(format!("std.{name}"), id);
        }
        self.modules.push(ModuleInfo::default());
        for (id, name) in [(ModId::AXES, "axes"), (ModId::CORE, "core")] {
            if let Some(text) = self.loader.std_module(name) {
                self.read_module(id, &format!("std.{name}"), text);
            }
        }
    }

    /// The namespace of a module's axes: the user's files and std.axes share one.
    pub(super) fn axis_space(&self, id: ModId) -> String {
        match &self.modules[id.0].name {
            name if name.starts_with("std.") && name != "std.axes" => name.clone(),
            _ => String::new(),
        }
    }

    fn read_module(&mut self, id: ModId, name: &str, text: String) {
        let file = self.sources.add(name, text.clone());
        let (program, diagnostics) = self.loader.tree(file, name, &text);
        self.errors.extend(diagnostics);
        self.modules[id.0].loading = true;
        self.check_items(id, file, &program);
        self.modules[id.0].loading = false;
    }

    /// Loads the module a `use` names, if it is not there yet.
    pub(super) fn module_for(&mut self, source: &ast::UseSource, span: Span) -> Option<ModId> {
        let (name, text) = match source {
            ast::UseSource::Module(path) => {
                if let Some(id) = self.known_module(path, path, span) {
                    return id;
                }
                let short = path.strip_prefix("std.").unwrap_or(path);
                match self.loader.std_module(short).filter(|_| path.starts_with("std.")) {
                    Some(text) => (path.clone(), text),
                    None => {
                        let known: Vec<String> = self.loader.std_names();
                        self.error(messages::unknown_module(span, path, &known));
                        return None;
                    }
                }
            }
            ast::UseSource::Path(path) => {
                let here = self.sources.get(span.file).name.clone();
                match self.loader.neighbour(&here, path) {
                    Ok((name, text)) => {
                        if let Some(id) = self.known_module(&name, path, span) {
                            return id;
                        }
                        (name, text)
                    }
                    Err(why) => {
                        self.error(messages::unreadable_neighbour(span, path, &why));
                        return None;
                    }
                }
            }
        };
        let id = ModId(self.modules.len());
        self.modules.push(ModuleInfo { name: name.clone(), ..ModuleInfo::default() });
        self.module_ids.insert(name.clone(), id);
        self.read_module(id, &name, text);
        Some(id)
    }

    /// `Some(None)` if the module is being loaded: a cycle.
    fn known_module(&mut self, name: &str, written: &str, span: Span) -> Option<Option<ModId>> {
        let id = *self.module_ids.get(name)?;
        if self.modules[id.0].loading {
            self.error(messages::import_cycle(span, written));
            return Some(None);
        }
        Some(Some(id))
    }

    /// A std module that the compiler itself needs (`std.train` for `fit`).
    pub(super) fn std_module(&mut self, name: &str, span: Span) -> Option<ModId> {
        self.module_for(&ast::UseSource::Module(format!("std.{name}")), span)
    }

    pub(super) fn use_item(&mut self, id: ModId, item: &ast::Use) {
        let Some(target) = self.module_for(&item.source, item.span) else { return };
        if item.names.is_empty() {
            let alias = match &item.alias {
                Some(alias) => alias.name.clone(),
                None => last_part(&self.modules[target.0].name),
            };
            self.modules[id.0].aliases.insert(alias, target);
        }
        for name in &item.names {
            let module = &self.modules[target.0];
            let known = module.functions.contains_key(&name.name)
                || module.types.contains_key(&name.name)
                || module.axes.contains_key(&name.name)
                || module.top.iter().any(|var| var.name == name.name);
            if known {
                self.modules[id.0].imported.insert(name.name.clone(), (target, name.name.clone()));
            } else {
                let names: Vec<String> = module.functions.keys().chain(module.types.keys()).cloned().collect();
                let text = module.name.clone();
                self.error(messages::unknown_in_module(name.span, &name.name, &text, &names));
            }
        }
    }

    pub(super) fn axis_info(&self, axis: Axis) -> Option<AxisInfo> {
        let mut found: Option<AxisInfo> = None;
        // A copy of the user's module may know an older length.
        let current = self.modules.iter().enumerate().filter(|(id, _)| !self.frozen.contains(&ModId(*id)));
        for (_, module) in current {
            for info in module.axes.values().filter(|info| info.axis == axis) {
                let known = found.get_or_insert_with(|| info.clone());
                // The user's `axis feature = 64` adds a size to the name that std.axes declares.
                known.size = info.size.clone().or_else(|| known.size.clone());
                known.like = info.like.or(known.like);
            }
        }
        found
    }

    pub(super) fn user_module_state(&self) -> UserState {
        UserState {
            module: self.modules[ModId::USER.0].clone(),
            expectations: self.expectations.len(),
            inputs: self.inputs.len(),
            experiment: self.experiment.clone(),
        }
    }

    pub(super) fn restore_user_module(&mut self, state: UserState) {
        self.modules[ModId::USER.0] = state.module;
        self.expectations.truncate(state.expectations);
        self.inputs.truncate(state.inputs);
        self.experiment = state.experiment;
        self.signatures.retain(|(id, _), _| *id != ModId::USER);
    }
}

/// `gpt2` of `std.models.gpt2`, `neighbour` of `lib/neighbour.exp`.
fn last_part(name: &str) -> String {
    let name = name.strip_suffix(".exp").unwrap_or(name);
    name.rsplit(['.', '/']).next().unwrap_or(name).to_string()
}
