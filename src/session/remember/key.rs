//! What a top-level item is, as a hash: equal keys mean equal results.
//!
//! A key is made of the IR of the item's function and of all it calls, without names and places in the text, and of
//! the keys of the globals that these read. No value is ever hashed, so a key is known before anything runs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ir::{Block, FuncId, Function, GlobalId, LocalId, Module, Op, builtin_is_pure, is_host_function};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key(pub [u8; 32]);

impl Key {
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    pub fn of_input(sha256: &str) -> Key {
        Key(*blake3::hash(format!("input {}", sha256.to_ascii_lowercase()).as_bytes()).as_bytes())
    }

    fn leaf(&self, number: usize) -> Key {
        Key(*blake3::keyed_hash(&self.0, &(number as u64).to_le_bytes()).as_bytes())
    }
}

/// One function by itself; what it refers to is numbered in the order of its first mention.
struct Text {
    hash: [u8; 32],
    calls: Vec<FuncId>,
    reads: Vec<GlobalId>,
    sets: Vec<GlobalId>,
    effects: Vec<&'static str>,
    /// Globals that are read for more than the lengths of their axes.
    whole: Vec<GlobalId>,
    /// It calls a function of the host, pure or not: what that is the IR does not say.
    calls_host: bool,
}

/// What is known of an item before it runs.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// `None` if it reads something whose origin has no key, or calls a function of the host.
    pub key: Option<Key>,
    /// The globals that it sets, in order.
    pub sets: Vec<GlobalId>,
    /// The globals that it reads and does not set itself, at any depth of calls.
    pub reads: Vec<GlobalId>,
    /// Those of `reads` of which only the lengths of axes are asked.
    pub lengths: Vec<GlobalId>,
    /// Does it do nothing but compute, print and report?
    pub pure: bool,
}

/// The keys of a session.
pub struct Keys {
    /// What numbers depend on beside the program: version, build, kernels, engine.
    numeric: String,
    texts: HashMap<FuncId, Arc<Text>>,
    globals: HashMap<GlobalId, Key>,
}

/// Effects that are part of a result, or leave no trace.
const HARMLESS: &[&str] =
    &["print", "report", "assert", "check_tensors", "check_shape", "loop_start", "loop_due", "loop_save", "loop_end"];

impl Keys {
    pub fn new(numeric: String) -> Keys {
        Keys { numeric, texts: HashMap::new(), globals: HashMap::new() }
    }

    /// Notes what the globals of an item are.
    pub fn set(&mut self, about: &About) {
        let Some(key) = about.key else { return };
        for (number, &global) in about.sets.iter().enumerate() {
            self.globals.insert(global, key.leaf(number));
        }
    }

    pub fn set_input(&mut self, global: GlobalId, sha256: &str) {
        self.globals.insert(global, Key::of_input(sha256));
    }

    /// What a function and all that it calls does, and its key.
    pub fn about(&mut self, module: &Module, func: FuncId) -> About {
        let own = self.text(module, func).sets.clone();
        let mut about = About { key: None, sets: own, reads: Vec::new(), lengths: Vec::new(), pure: true };
        let mut whole = Vec::new();
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"locus result, version 1\0").update(self.numeric.as_bytes());
        let (mut found, mut next, mut known) = (vec![func], 0, true);
        while let Some(&id) = found.get(next) {
            next += 1;
            let text = self.text(module, id);
            hasher.update(&text.hash);
            whole.extend_from_slice(&text.whole);
            known &= !text.calls_host;
            about.pure &=
                text.effects.iter().all(|name| HARMLESS.contains(name)) && (id == func || text.sets.is_empty());
            for &callee in &text.calls {
                let place = found.iter().position(|&other| other == callee).unwrap_or(found.len());
                if place == found.len() {
                    found.push(callee);
                }
                hasher.update(&(place as u64).to_le_bytes());
            }
            for global in &text.reads {
                if let Some(place) = about.sets.iter().position(|own| own == global) {
                    hasher.update(b"own").update(&(place as u64).to_le_bytes());
                    continue;
                }
                if !about.reads.contains(global) {
                    about.reads.push(*global);
                }
                match self.globals.get(global) {
                    Some(key) => hasher.update(&key.0),
                    None => {
                        known = false;
                        &mut hasher
                    }
                };
            }
        }
        about.lengths = about.reads.iter().copied().filter(|global| !whole.contains(global)).collect();
        about.key = known.then(|| Key(*hasher.finalize().as_bytes()));
        about
    }

    fn text(&mut self, module: &Module, func: FuncId) -> Arc<Text> {
        let made = || Arc::new(Writer::text(module.function(func)));
        self.texts.entry(func).or_insert_with(made).clone()
    }
}

/// Hashes one function.
struct Writer<'a> {
    function: &'a Function,
    hasher: blake3::Hasher,
    text: Text,
    /// The locals that hold globals.
    read: HashMap<LocalId, GlobalId>,
}

impl Writer<'_> {
    fn text(function: &Function) -> Text {
        let text = Text {
            hash: [0; 32],
            calls: Vec::new(),
            reads: Vec::new(),
            sets: Vec::new(),
            effects: Vec::new(),
            whole: Vec::new(),
            calls_host: false,
        };
        let mut writer = Writer { function, hasher: blake3::Hasher::new(), text, read: HashMap::new() };
        writer.line(&format!("{:?} -> {:?}", function.params, function.results));
        for &param in &function.params {
            writer.line(&format!("{:?}", function.ty(param)));
        }
        writer.block(&function.body);
        Text { hash: *writer.hasher.finalize().as_bytes(), ..writer.text }
    }

    fn line(&mut self, text: &str) {
        self.hasher.update(text.as_bytes()).update(b"\n");
    }

    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            for &dest in stmt.dest.iter().chain(&stmt.op.inner_params()) {
                let line = format!("{}: {:?}", dest.0, self.function.ty(dest));
                self.line(&line);
            }
            self.op(&stmt.op);
            match &stmt.op {
                Op::GlobalGet(global) => self.read.extend(stmt.dest.iter().map(|&dest| (dest, *global))),
                Op::SizeOf { .. } => {}
                op => self.used(&op.operands()),
            }
            for inner in stmt.op.blocks() {
                self.line("{");
                self.block(inner);
                self.line("}");
            }
        }
        self.line(&format!("yield {:?}", block.results));
        self.used(&block.results);
    }

    /// These locals are needed with their elements.
    fn used(&mut self, locals: &[LocalId]) {
        for global in locals.iter().filter_map(|local| self.read.get(local)) {
            place(&mut self.text.whole, *global);
        }
    }

    /// The operation with its operands; functions and globals by the order of their mention.
    fn op(&mut self, op: &Op) {
        let line = match op {
            Op::Call { func, args } => format!("call {} {args:?}", place(&mut self.text.calls, *func)),
            Op::Grad { func, args, wrt } => format!("grad {} {args:?} {wrt}", place(&mut self.text.calls, *func)),
            Op::GlobalGet(global) => format!("get {}", place(&mut self.text.reads, *global)),
            Op::GlobalSet(global, value) => format!("set {} {value:?}", place(&mut self.text.sets, *global)),
            other => format!("{:?}", other.clone_shallow()),
        };
        if let Op::Builtin { name, .. } = op
            && !builtin_is_pure(name)
            && !self.text.effects.contains(name)
        {
            self.text.effects.push(name);
        }
        self.text.calls_host |= matches!(op, Op::Builtin { name, .. } if is_host_function(name));
        self.line(&line);
    }
}

fn place<T: PartialEq>(list: &mut Vec<T>, one: T) -> usize {
    list.iter().position(|known| *known == one).unwrap_or_else(|| {
        list.push(one);
        list.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::span::Span;
    use crate::ir::{Global, HOST, Local, PURE_HOST, Stmt, Type};

    /// Sets global `to` to what a builtin gives, or to global 0.
    fn item(builtin: Option<&'static str>, to: u32) -> Function {
        let value = LocalId(0);
        let op = match builtin {
            Some(name) => Op::Builtin { name, axes: Vec::new(), args: Vec::new() },
            None => Op::GlobalGet(GlobalId(0)),
        };
        let stmt = |dest: Vec<LocalId>, op| Stmt { dest, op, span: Span::default() };
        let stmts = vec![stmt(vec![value], op), stmt(Vec::new(), Op::GlobalSet(GlobalId(to), value))];
        let locals = vec![Local { ty: Type::INT, name: None, span: Span::default() }];
        Function { locals, body: Block { stmts, results: Vec::new() }, ..Function::default() }
    }

    #[test]
    fn what_a_host_gave_has_no_key_and_what_follows_from_it_neither() {
        let names = [format!("{HOST}f"), format!("{PURE_HOST}f"), "list_len".to_string()];
        for (name, known) in names.into_iter().zip([false, false, true]) {
            let mut module = Module::default();
            module.globals = vec![Global { name: "x".to_string(), ty: Type::INT }; 2];
            let first = module.add(item(Some(Box::leak(name.into_boxed_str())), 0));
            let second = module.add(item(None, 1));
            let mut keys = Keys::new(String::new());
            for func in [first, second] {
                let about = keys.about(&module, func);
                assert_eq!(about.key.is_some(), known);
                keys.set(&about);
            }
        }
    }
}
