//! The texts that an editor's questions are about: what is open, neighbours on disk, the standard library.
//!
//! What is open counts more than what lies on disk. Trees of the library are kept from one question to the next:
//! reading them again after each key would take longer than everything else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::members::{Member, members};
use crate::base::diag::Diagnostic;
use crate::base::span::FileId;
use crate::check::Loader;
use crate::session::embedded;
use crate::session::load::DiskLoader;
use crate::syntax::ast::{Program, UseSource};
use crate::syntax::parse;

/// Trees that are kept; a module has one for each number that it was read under.
const MOST_TREES: usize = 500;

/// A module as far as others can see into it.
pub struct Module {
    /// `std.sae`, or the path of a neighbour as messages show it.
    pub name: String,
    /// Where a neighbour lies.
    pub path: Option<PathBuf>,
    pub text: Rc<str>,
    pub doc: Option<String>,
    pub members: Vec<Member>,
}

impl Module {
    fn read(name: &str, path: Option<PathBuf>, text: &str) -> Module {
        let (program, _) = parse::parse_program(FileId(0), text);
        let members = members(&program, text);
        Module { name: name.to_string(), path, text: text.into(), doc: program.doc, members }
    }

    pub fn is_library(&self) -> bool {
        self.path.is_none()
    }

    /// What a program that names the module may use: everything of a neighbour, what is public of the library.
    pub fn visible(&self) -> impl Iterator<Item = &Member> {
        let library = self.is_library();
        self.members.iter().filter(move |member| member.public || !library)
    }

    pub fn find(&self, name: &str) -> Option<&Member> {
        // The last one counts, as it does when the module is read.
        self.members.iter().rev().find(|member| member.name == name)
    }
}

#[derive(Default)]
struct Kept {
    open: HashMap<PathBuf, Rc<str>>,
    modules: HashMap<String, Rc<Module>>,
    trees: HashMap<(FileId, String), Rc<Program>>,
}

/// Shared by everything that one server asks.
#[derive(Clone, Default)]
pub struct Texts(Rc<RefCell<Kept>>);

impl Texts {
    /// From now on `path` has this text, whatever lies on disk.
    pub fn open(&self, path: &Path, text: Rc<str>) {
        self.0.borrow_mut().open.insert(real(path), text);
    }

    pub fn close(&self, path: &Path) {
        self.0.borrow_mut().open.remove(&real(path));
    }

    /// The same texts but one, for a look at what a change would do. Trees of the library stay shared.
    pub fn with(&self, path: &Path, text: &str) -> Texts {
        let kept = self.0.borrow();
        let mut open = kept.open.clone();
        open.insert(real(path), text.into());
        let (modules, trees) = (kept.modules.clone(), kept.trees.clone());
        Texts(Rc::new(RefCell::new(Kept { open, modules, trees })))
    }

    pub fn loader(&self, folder: &Path) -> EditorLoader {
        EditorLoader { disk: DiskLoader::new(folder), texts: self.clone() }
    }

    /// The module that a `use` in a script of `folder` names, if there is one.
    pub fn module(&self, folder: &Path, source: &UseSource) -> Option<Rc<Module>> {
        match source {
            UseSource::Module(name) => self.library(name.strip_prefix("std.")?),
            UseSource::Path(path) => {
                let mut loader = self.loader(folder);
                let (name, text) = loader.neighbour("", path).ok()?;
                let path = loader.disk.path_of(&name).map(Path::to_path_buf);
                Some(Rc::new(Module::read(&name, path, &text)))
            }
        }
    }

    /// `std.NAME`
    pub fn library(&self, name: &str) -> Option<Rc<Module>> {
        let mut kept = self.0.borrow_mut();
        if let Some(known) = kept.modules.get(name) {
            return Some(known.clone());
        }
        let module = Rc::new(Module::read(&format!("std.{name}"), None, embedded::std_module(name)?));
        kept.modules.insert(name.to_string(), module.clone());
        Some(module)
    }
}

/// One name for one file: links are followed where the file exists.
pub fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Gives the checker what is open before what lies on disk.
pub struct EditorLoader {
    disk: DiskLoader,
    texts: Texts,
}

impl Loader for EditorLoader {
    fn std_module(&mut self, name: &str) -> Option<String> {
        self.disk.std_module(name)
    }

    fn neighbour(&mut self, from: &str, path: &str) -> Result<(String, String), String> {
        let (name, text) = self.disk.neighbour(from, path)?;
        let kept = self.texts.0.borrow();
        let open = self.disk.path_of(&name).and_then(|path| kept.open.get(path));
        let text = open.map_or(text, |open| open.to_string());
        Ok((name, text))
    }

    fn std_names(&self) -> Vec<String> {
        self.disk.std_names()
    }

    fn tree(&mut self, file: FileId, name: &str, text: &str) -> (Rc<Program>, Vec<Diagnostic>) {
        if !name.starts_with("std.") {
            let (program, faults) = parse::parse_program(file, text);
            return (Rc::new(program), faults);
        }
        let mut kept = self.texts.0.borrow_mut();
        let key = (file, name.to_string());
        if let Some(known) = kept.trees.get(&key) {
            return (known.clone(), Vec::new());
        }
        let (program, faults) = parse::parse_program(file, text);
        let program = Rc::new(program);
        if faults.is_empty() {
            if kept.trees.len() >= MOST_TREES {
                kept.trees.clear();
            }
            kept.trees.insert(key, program.clone());
        }
        (program, faults)
    }
}
