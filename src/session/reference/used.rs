//! Who uses what: functions of modules, programs of `examples/`, and the examples of modules.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{Lead, Names, Sort, Target};
use super::read::{Module, Part};

/// A place that uses something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// A public function or type.
    Public(Target),
    /// What is not public, or stands outside of functions: the module's source from this line on.
    Line { module: String, page: String, line: usize },
    /// A program.
    Program(String),
}

#[derive(Default)]
pub struct Used {
    /// By module and name.
    users: BTreeMap<(String, String), BTreeSet<User>>,
    /// The statements of a module's example that use a name, as bytes of its text.
    shown: BTreeMap<(String, String), Vec<(usize, usize)>>,
}

impl Used {
    pub fn new(names: &Names, modules: &[Module], examples: &BTreeMap<String, Module>, programs: &[Module]) -> Used {
        let mut used = Used::default();
        for module in modules {
            each(names.of_module(module), module, |key, part| used.add(key, user(module, part)));
        }
        for program in programs {
            each(&names.of_program(program), program, |key, _| used.add(key, User::Program(program.name.clone())));
        }
        for (module, example) in examples {
            each(&names.of_program(example), example, |key, part| {
                if key.0 == *module && !is_import(example, part) {
                    let places = used.shown.entry(key).or_default();
                    let place = with_output(&example.text, part);
                    if places.last() != Some(&place) {
                        places.push(place);
                    }
                }
            });
        }
        for ((module, name), users) in &mut used.users {
            users.retain(
                |user| !matches!(user, User::Public(target) if target.module == *module && target.name == *name),
            );
        }
        used
    }

    fn add(&mut self, key: (String, String), user: User) {
        self.users.entry(key).or_default().insert(user);
    }

    pub fn users(&self, module: &Module, name: &str) -> impl Iterator<Item = &User> {
        self.users.get(&(module.name.clone(), name.to_string())).into_iter().flatten()
    }

    /// The statements of the module's example that show `name`.
    pub fn shown(&self, module: &Module, name: &str) -> &[(usize, usize)] {
        self.shown.get(&(module.name.clone(), name.to_string())).map_or(&[], Vec::as_slice)
    }
}

/// What programs use, by themselves or through what they use: module and name.
pub fn reached(names: &Names, modules: &[Module], programs: &[&Module]) -> BTreeSet<(String, String)> {
    // What an item leads to, private items of its module too.
    let mut uses: BTreeMap<(String, String), BTreeSet<(String, String)>> = BTreeMap::new();
    for module in modules {
        each(names.of_module(module), module, |key, part| {
            let name = part.declares.clone().unwrap_or_default();
            uses.entry((module.name.clone(), name)).or_default().insert(key);
        });
        for (name, private) in names.private_uses(module) {
            uses.entry((module.name.clone(), name)).or_default().insert((module.name.clone(), private));
        }
    }
    let mut open = Vec::new();
    programs.iter().for_each(|program| each(&names.of_program(program), program, |key, _| open.push(key)));
    let mut found = BTreeSet::new();
    while let Some(key) = open.pop() {
        if found.insert(key.clone()) {
            open.extend(uses.get(&key).into_iter().flatten().cloned());
        }
    }
    found
}

/// Each lead of a module to a function or type, with the item that it stands in.
fn each(leads: &[Lead], module: &Module, mut found: impl FnMut((String, String), &Part)) {
    for lead in leads.iter().filter(|lead| lead.target.sort == Sort::Entry) {
        if let Some(part) = module.items.iter().find(|part| part.start <= lead.start && lead.end <= part.end) {
            found((lead.target.module.clone(), lead.target.name.clone()), part);
        }
    }
}

fn user(module: &Module, part: &Part) -> User {
    let public = part.declares.as_ref().and_then(|name| module.entries.iter().find(|entry| entry.name == *name));
    match public {
        Some(entry) => User::Public(Target::entry(module, &entry.name)),
        None => User::Line { module: module.name.clone(), page: module.source_page(), line: module.line(part.start) },
    }
}

fn is_import(module: &Module, part: &Part) -> bool {
    module.uses.iter().any(|import| import.span.start as usize >= part.start && import.span.end as usize <= part.end)
}

/// A statement with the comment behind it, and the lines below that say what it prints.
fn with_output(text: &str, part: &Part) -> (usize, usize) {
    let mut end = text.get(part.end..).and_then(|rest| rest.find('\n')).map_or(text.len(), |line| part.end + line);
    while let Some(line) =
        text.get(end + 1..).and_then(|rest| rest.lines().next()).filter(|line| line.starts_with("#>"))
    {
        end += 1 + line.len();
    }
    (part.start, end)
}
