//! Values that nothing can read any more are given up: in a script after the last item that reads them, at the prompt
//! when no name leads to them. Their memory serves what comes next.
//!
//! An item that waits until somebody reads what it sets still reads its own operands: these stay.

use std::collections::BTreeSet;

use super::run::{InputRead, Session};
use crate::check::Unit;
use crate::ir::{FuncId, GlobalId, Module, Op};
use crate::pass;
use crate::rt::files::FileHandle;
use crate::rt::value::Value;

/// What each item reads, if the program ends with the last of them.
pub(super) struct Readers(Vec<BTreeSet<GlobalId>>);

impl Readers {
    pub(super) fn new(module: &Module, units: &[Unit]) -> Readers {
        Readers(units.iter().map(|unit| read_by(module, unit.func)).collect())
    }
}

impl Session {
    /// Item number `done` of a script has run, or waits until it is needed.
    pub(super) fn release_after(&mut self, readers: &Readers, done: usize) {
        let later = readers.0.iter().skip(done + 1).flatten().copied().collect();
        self.release(later, Vec::new());
    }

    /// Everything entered at the prompt has run.
    pub fn release_nameless(&mut self) {
        let (named, functions) = self.checker.reachable();
        self.release(named, functions);
    }

    /// Gives up every global but those in `kept`, those that `functions` read, and those that a waiting item reads.
    fn release(&mut self, mut kept: BTreeSet<GlobalId>, mut functions: Vec<FuncId>) {
        functions.extend(self.memory.pending.values().map(|pending| pending.unit().func));
        functions.sort_unstable_by_key(|func| func.0);
        functions.dedup();
        // What was checked and not called yet is in no other module.
        let module = &self.checker.module;
        functions.into_iter().for_each(|func| kept.extend(read_by(module, func)));
        for (number, value) in self.globals.iter_mut().enumerate() {
            let global = GlobalId(number as u32);
            if kept.contains(&global) {
                continue;
            }
            if let Value::File(file) = value {
                self.memory.looked_up.entry(global).or_insert_with(|| described(file));
            }
            *value = Value::None;
        }
    }
}

/// What the record of a run says of an input.
pub(super) fn described(file: &FileHandle) -> InputRead {
    InputRead {
        name: file.name.clone(),
        path: file.path.display().to_string(),
        sha256: file.sha256.clone(),
        bytes: file.size(),
    }
}

/// The globals that a function reads, at any depth of calls.
fn read_by(module: &Module, func: FuncId) -> BTreeSet<GlobalId> {
    let (mut pending, mut seen, mut found) = (vec![func], BTreeSet::new(), BTreeSet::new());
    while let Some(func) = pending.pop() {
        if !seen.insert(func.0) {
            continue;
        }
        let function = module.function(func);
        pass::each_stmt(&function.body, &mut |stmt| {
            if let Op::GlobalGet(global) = &stmt.op {
                found.insert(*global);
            }
        });
        pending.extend(pass::callees(function));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::load::{DiskLoader, Script};
    use crate::session::world::BufferWorld;
    use crate::session::{Output, Settings};
    use std::path::{Path, PathBuf};

    fn session(world: &BufferWorld) -> Session {
        let loader = DiskLoader::new(Path::new("."));
        Session::new(Box::new(loader), Settings::default(), Output::buffer(world))
    }

    /// The names whose values are there, each once for each value.
    fn held(session: &Session) -> Vec<&str> {
        let globals = session.checker.module.globals.iter().zip(&session.globals);
        globals.filter(|(_, value)| !matches!(value, Value::None)).map(|(global, _)| global.name.as_str()).collect()
    }

    fn enter(session: &mut Session, text: &str) {
        assert!(session.enter("entry", text).is_ok(), "{text}");
    }

    #[test]
    fn at_the_prompt_what_no_name_leads_to_goes() {
        let world = BufferWorld::default();
        let mut session = session(&world);
        enter(&mut session, "axis m = 3\nlet a = [i in m => 1.0]\nlet b = [i in m => 2.0]");
        assert_eq!(held(&session), ["a", "b"]);
        enter(&mut session, "let a = b + a");
        assert_eq!(held(&session), ["b", "a"]);
        // A record, a function that closes over a value, and the length of an axis lead to what they were made of.
        enter(&mut session, "let n = total(a) > 0.0\nlet f = fn(x) => x + a\nlet r = { w: b }\nlet k = int(total(b))");
        enter(&mut session, "axis long = k\nlet a = 1.0 * k\nlet b = 2.0 * k\nlet k = 0");
        let mut left = held(&session);
        left.sort_unstable();
        assert_eq!(left, ["a", "a", "b", "b", "k", "n"]);
        enter(&mut session, "print(\"{total(f(r.w))} {total([i in long => 1.0])}\")");
        assert_eq!(world.text().trim(), "15.0 6.0");
        enter(&mut session, "let f = 0\nlet r = 0");
        let mut left = held(&session);
        left.sort_unstable();
        assert_eq!(left, ["a", "b", "k", "n"]);
    }

    #[test]
    fn a_function_that_calls_itself_keeps_the_values_that_it_read() {
        let world = BufferWorld::default();
        let mut session = session(&world);
        enter(&mut session, "let w = 2.0 * 3.0\nfn f(n: int) -> float { if n == 0 { w } else { f(n - 1) } }");
        enter(&mut session, "let w = 1.0 + 0.0");
        enter(&mut session, "print(\"{f(2)}\")");
        enter(&mut session, "fn f(n: int) -> float { if n == 0 { 9.0 } else { f(n - 1) } }\nprint(\"{f(2)}\")");
        assert_eq!(world.text(), "6.0\n9.0\n");
    }

    #[test]
    fn what_failed_leaves_the_old_values() {
        let world = BufferWorld::default();
        let mut session = session(&world);
        enter(&mut session, "axis m = 3\nlet i = 7\nlet a = [j in m => 1.0]");
        assert!(session.enter("entry", "let a = [j in m => 2.0]\nlet b = a[m: i]").is_err());
        session.checker.forget_last_entry();
        enter(&mut session, "print(\"{total(a)}\")");
        assert_eq!(world.text().trim(), "3.0");
    }

    #[test]
    fn a_script_keeps_a_value_until_its_last_reader() {
        let world = BufferWorld::default();
        let mut session = session(&world);
        let text = "axis m = 3\nfn twice() { 2.0 * total(a) }\nlet a = [i in m => 1.0]\nlet b = a + 1.0\n\
                    let c = b + 1.0\nlet unread = c + 1.0\nprint(\"{twice()} {total(c)}\")\n";
        let script = Script { name: "s.exp".into(), path: PathBuf::from("s.exp"), text: text.into() };
        assert!(session.run_script(&script).is_ok());
        assert_eq!(world.text().trim(), "6.0 9.0");
        assert_eq!(held(&session), [""; 0]);
    }
}
