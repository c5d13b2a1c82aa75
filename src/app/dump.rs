//! `locus dump`: a program at one stage of the compiler.

use super::cli::{DumpArgs, Stage};
use super::output::{complain, report_all, report_plain, say};
use super::run::prepared;
use super::{FAILED, OK, REFUSED};
use crate::base::span::Sources;
use crate::check::Unit;
use crate::ir::{FuncId, Module, print};
use crate::jit;
use crate::pass;
use crate::session::load::{Script, read_script};
use crate::syntax::parse;

pub fn dump(args: &DumpArgs) -> u8 {
    let script = match read_script(&args.file) {
        Ok(script) => script,
        Err(diagnostic) => {
            report_plain(&diagnostic);
            return REFUSED;
        }
    };
    if args.stage == Stage::Ast {
        return dump_tree(&script);
    }
    let (session, units) = match prepared(&script, &[], &[]) {
        Ok(ready) => ready,
        Err(code) => return code,
    };
    let module = if args.stage == Stage::IrBefore { &session.checker.module } else { session.optimised() };
    let mut wanted = reachable(module, &units);
    if let Some(name) = &args.function {
        wanted.retain(|id| module.function(*id).name == *name);
        if wanted.is_empty() {
            return no_function(name, module, &reachable(module, &units));
        }
    }
    for id in wanted {
        match text(args.stage, module, id, session.sources()) {
            Ok(text) => say(text.trim_end()),
            Err(why) => {
                complain(&format!("error: `{}` has no code: {why}", module.function(id).name));
                return FAILED;
            }
        }
    }
    OK
}

fn dump_tree(script: &Script) -> u8 {
    let mut sources = Sources::default();
    let file = sources.add(&script.name, &script.text);
    let (program, diagnostics) = parse::parse_program(file, &script.text);
    report_all(&diagnostics, &sources);
    say(&format!("{program:#?}"));
    if diagnostics.is_empty() { OK } else { REFUSED }
}

fn text(stage: Stage, module: &Module, id: FuncId, sources: &Sources) -> Result<String, String> {
    match stage {
        Stage::Clif => jit::dump(module, id, false),
        Stage::Asm => jit::dump(module, id, true),
        _ => Ok(print::function_with_source(module, id, sources)),
    }
}

/// The functions that a program runs, each once, callers first.
fn reachable(module: &Module, units: &[Unit]) -> Vec<FuncId> {
    let mut found = Vec::new();
    let mut pending: Vec<FuncId> = units.iter().rev().map(|unit| unit.func).collect();
    while let Some(id) = pending.pop() {
        if !found.contains(&id) {
            found.push(id);
            pending.extend(pass::callees(module.function(id)).into_iter().rev());
        }
    }
    found
}

fn no_function(name: &str, module: &Module, known: &[FuncId]) -> u8 {
    let names: Vec<&str> = known.iter().map(|id| module.function(*id).name.as_str()).collect();
    complain(&format!("error: the program runs no function `{name}` of its own\n  = it runs: {}", names.join(", ")));
    REFUSED
}
