//! The call graph, asked one question: can this function call itself?
//!
//! Only then may calls nest deeply, and only then is a large stack worth a thread of its own.

use crate::ir::{Block, FuncId, Module, Op};
use crate::rt::account;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Every function that `func` can reach, itself included, in order of discovery.
pub fn reachable(module: &Module, func: FuncId) -> Vec<FuncId> {
    let mut found = vec![func];
    let mut next = 0;
    while next < found.len() {
        for callee in callees(module, found[next]) {
            if !found.contains(&callee) {
                found.push(callee);
            }
        }
        next += 1;
    }
    found
}

/// Is there a cycle of calls among the functions that `func` reaches?
pub fn is_recursive(module: &Module, func: FuncId) -> bool {
    fn visit(module: &Module, func: FuncId, open: &mut Vec<FuncId>, done: &mut BTreeSet<FuncId>) -> bool {
        if open.contains(&func) {
            return true;
        }
        if !done.insert(func) {
            return false;
        }
        open.push(func);
        let cycle = callees(module, func).into_iter().any(|callee| visit(module, callee, open, done));
        open.pop();
        cycle
    }
    visit(module, func, &mut Vec::new(), &mut BTreeSet::new())
}

fn callees(module: &Module, func: FuncId) -> Vec<FuncId> {
    fn walk(block: &Block, found: &mut Vec<FuncId>) {
        for stmt in &block.stmts {
            if let Op::Call { func, .. } = stmt.op {
                found.push(func);
            }
            stmt.op.blocks().into_iter().for_each(|inner| walk(inner, found));
        }
    }
    let mut found = Vec::new();
    if let Some(function) = module.functions.get(func.0 as usize) {
        walk(&function.body, &mut found);
    }
    found
}

/// Threads of sessions that have an account have twice as much stack, so nothing has to leave them: see
/// `embed::session`. There the thread's pool is found, too.
const ROOMY: usize = 128 << 20;

/// Runs `work` on a thread with that much stack; on this thread if it has that, or if none can be made.
pub fn on_large_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    let account = account::current();
    if account.is_some() && bytes <= ROOMY {
        return work();
    }
    let waiting = Mutex::new(Some(work));
    let start = || waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    let finished = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("locus".into()).stack_size(bytes);
        let run = || {
            let _session = account::enter(account.clone());
            start().map(|work| work())
        };
        let handle = builder.spawn_scoped(scope, run).ok()?;
        Some(handle.join())
    });
    match finished {
        Some(Ok(Some(value))) => return value,
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        Some(Ok(None)) | None => {}
    }
    match start() {
        Some(work) => work(),
        // The thread took the work, so it finished or panicked, and both were handled above.
        None => std::panic::resume_unwind(Box::new("work was lost between two threads")),
    }
}
