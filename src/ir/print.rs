//! The IR as text, for dumps and for tests that compare what a pass made.
//!
//! One statement a line, blocks indented. A local prints as `name.7`, or `%7` if the source gave it no name; its
//! type stands where it is bound. Printing never fails, whatever the state of the function.

use super::types::Type;
use super::{Block, Const, Effect, FuncId, Function, LocalId, Module, Op, Stmt};
use crate::base::axis::Axis;
use crate::base::kernel::Kernel;
use crate::base::span::{Sources, Span};
use crate::base::sweep::{Sweep, Work};
use std::fmt::Write;

/// The text of one function.
pub fn function(module: &Module, id: FuncId) -> String {
    match module.functions.get(id.0 as usize) {
        Some(found) => text(module, found, None),
        None => format!("fn ?{}\n", id.0),
    }
}

/// The text with the source line of each statement as a comment.
pub fn function_with_source(module: &Module, id: FuncId, sources: &Sources) -> String {
    match module.functions.get(id.0 as usize) {
        Some(found) => text(module, found, Some(sources)),
        None => format!("fn ?{}\n", id.0),
    }
}

/// Every function of a module.
pub fn module(module: &Module) -> String {
    module.functions.iter().map(|found| text(module, found, None)).collect::<Vec<String>>().join("\n")
}

fn text(module: &Module, function: &Function, sources: Option<&Sources>) -> String {
    let mut printer = Printer { module, function, sources, out: String::new(), last: None };
    printer.whole();
    printer.out
}

struct Printer<'a> {
    module: &'a Module,
    function: &'a Function,
    sources: Option<&'a Sources>,
    out: String,
    /// The source line shown last, so that it is shown once.
    last: Option<(u32, usize)>,
}

impl Printer<'_> {
    fn whole(&mut self) {
        let params: Vec<String> = self.function.params.iter().map(|&p| self.bound(p)).collect();
        let results: Vec<String> = self.function.results.iter().map(Type::to_string).collect();
        let effect = match self.function.effect {
            Effect::None => "",
            Effect::Checks => "checking ",
            Effect::Shows => "effectful ",
        };
        let head = format!("{effect}fn {}({}) -> ({})", self.function.name, params.join(", "), results.join(", "));
        let _ = writeln!(self.out, "{head} {{");
        self.block(&self.function.body, 1);
        self.out.push_str("}\n");
    }

    fn block(&mut self, block: &Block, depth: usize) {
        for stmt in &block.stmts {
            self.source_line(stmt.span, depth);
            self.stmt(stmt, depth);
        }
        if !block.results.is_empty() {
            let line = format!("yield {}", self.list(&block.results));
            self.line(depth, &line);
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.out, "{:indent$}{text}", "", indent = 2 * depth);
    }

    fn source_line(&mut self, span: Span, depth: usize) {
        let Some(sources) = self.sources else { return };
        if span.file.0 as usize >= sources.len() || span == Span::default() {
            return;
        }
        let (line, _) = sources.line_column(span);
        if self.last.replace((span.file.0, line)) == Some((span.file.0, line)) {
            return;
        }
        let source = sources.get(span.file);
        let shown = source.text.lines().nth(line - 1).unwrap_or("").trim();
        let comment = format!("# {}:{line}: {shown}", source.name);
        self.line(depth, &comment);
    }

    fn stmt(&mut self, stmt: &Stmt, depth: usize) {
        let bound: Vec<String> = stmt.dest.iter().map(|&d| self.bound(d)).collect();
        let equals = if bound.is_empty() { "" } else { " = " };
        let head = format!("{}{equals}{}", bound.join(", "), self.op(&stmt.op));
        match &stmt.op {
            Op::If { then, other, .. } => {
                self.line(depth, &format!("{head} {{"));
                self.block(then, depth + 1);
                self.line(depth, "} else {");
                self.block(other, depth + 1);
                self.line(depth, "}");
            }
            Op::While { test, body, .. } => {
                self.line(depth, &format!("{head} {{"));
                self.block(test, depth + 1);
                self.line(depth, "} do {");
                self.block(body, depth + 1);
                self.line(depth, "}");
            }
            Op::For { body, .. } | Op::Comprehend { body, .. } => {
                self.line(depth, &format!("{head} {{"));
                self.block(body, depth + 1);
                self.line(depth, "}");
            }
            _ => self.line(depth, &head),
        }
    }

    fn name(&self, local: LocalId) -> String {
        match self.function.locals.get(local.0 as usize).and_then(|local| local.name.as_ref()) {
            Some(name) => format!("{name}.{}", local.0),
            None => format!("%{}", local.0),
        }
    }

    fn bound(&self, local: LocalId) -> String {
        match self.function.locals.get(local.0 as usize) {
            Some(found) => format!("{}: {}", self.name(local), found.ty),
            None => format!("%{}: ?", local.0),
        }
    }

    fn list(&self, locals: &[LocalId]) -> String {
        locals.iter().map(|&local| self.name(local)).collect::<Vec<String>>().join(", ")
    }

    fn op(&self, op: &Op) -> String {
        let name = |local: &LocalId| self.name(*local);
        match op {
            Op::Const(value) => constant(value),
            Op::Undef => "undef".to_string(),
            Op::Copy(arg) => name(arg),
            Op::Elem { op, args } => format!("{}({})", op.name(), self.list(args)),
            Op::Contract { a, b, axes } => format!("{} @[{axes}] {}", name(a), name(b)),
            Op::Reduce { kind, arg, axes } => format!("{}[{axes}]({})", kind.name(), name(arg)),
            Op::Select { arg, axis, index } => format!("select {}[{axis}: {}]", name(arg), name(index)),
            Op::Gather { arg, axis, index } => format!("gather {}[{axis}: {}]", name(arg), name(index)),
            Op::Slice { arg, axis, to, lo, hi } => {
                format!("slice {}[{axis} -> {to}: {}..{}]", name(arg), name(lo), name(hi))
            }
            Op::Rename { arg, from, to } => format!("rename {}[{from} -> {to}]", name(arg)),
            Op::Merge { arg, from, to } => format!("merge {}[({}) -> {to}]", name(arg), axes(from)),
            Op::Split { arg, from, to, sizes } => {
                format!("split {}[{from} -> ({}): {}]", name(arg), axes(to), self.list(sizes))
            }
            Op::Expand { arg, axis, size } => format!("expand {}[{axis}: {}]", name(arg), name(size)),
            Op::SizeOf { args, axis } => format!("size[{axis}]({})", self.list(args)),
            Op::ScatterAdd { arg, axis, index, size, own } => {
                format!("scatter_add {}[{axis}: {}, size {}, own [{own}]]", name(arg), name(index), name(size))
            }
            Op::Pad { arg, from, to, lo, size } => {
                format!("pad {}[{from} -> {to}: {} in {}]", name(arg), name(lo), name(size))
            }
            Op::GlobalGet(global) => format!("global {}", self.global(global.0)),
            Op::GlobalSet(global, value) => format!("set global {} = {}", self.global(global.0), name(value)),
            Op::MakeRecord(args) => format!("record({})", self.list(args)),
            Op::GetField { arg, field } => format!("{}.{field}", name(arg)),
            Op::MakeList(args) => format!("list({})", self.list(args)),
            Op::Return(args) => format!("return {}", self.list(args)),
            Op::Drop(arg) => format!("drop {}", name(arg)),
            _ => self.larger_op(op),
        }
    }

    /// The operations that name functions, runtime entries or blocks.
    fn larger_op(&self, op: &Op) -> String {
        let name = |local: &LocalId| self.name(*local);
        let carried = |carried: &[super::Carried]| {
            let pairs: Vec<String> =
                carried.iter().map(|c| format!("{} = {}", self.bound(c.param), name(&c.init))).collect();
            if pairs.is_empty() { String::new() } else { format!(" with {}", pairs.join(", ")) }
        };
        match op {
            Op::Builtin { name, axes: explicit, args } if explicit.is_empty() => {
                format!("builtin {name}({})", self.list(args))
            }
            Op::Builtin { name, axes: explicit, args } => {
                format!("builtin {name}[{}]({})", axes(explicit), self.list(args))
            }
            Op::Call { func, args } => format!("call {}({})", self.callee(*func), self.list(args)),
            Op::Grad { func, args, wrt } => format!("grad {wrt} {}({})", self.callee(*func), self.list(args)),
            Op::If { cond, .. } => format!("if {}", name(cond)),
            Op::For { var, lo, hi, carried: c, .. } => {
                format!("for {} in {}..{}{}", self.bound(*var), name(lo), name(hi), carried(c))
            }
            Op::While { carried: c, .. } => format!("while{}", carried(c)),
            Op::Comprehend { binders, .. } => {
                let each: Vec<String> =
                    binders.iter().map(|b| format!("{} in {} < {}", name(&b.var), b.axis, name(&b.size))).collect();
                format!("for each {}", each.join(", "))
            }
            Op::TopProduct { a, b, axes, kernel, others, along, k } => {
                let (a, b, k, others) = (name(a), name(b), name(k), self.list(others));
                format!("top_product {a} @[{axes}] {b} finish({others}) {} keep {k} of {along}", steps(kernel))
            }
            Op::Sampled { a, b, axes, pattern } => {
                format!("sampled {} @[{axes}] {} at {}", name(a), name(b), name(pattern))
            }
            Op::Kernel { kernel, args } => format!("kernel({}) {}", self.list(args), steps(kernel)),
            Op::Sweep { sweep, args } => format!("sweep[{}]({}) {}", axes(&sweep.rows), self.list(args), swept(sweep)),
            other => format!("{other:?}"),
        }
    }

    fn callee(&self, func: FuncId) -> String {
        let name = self.module.functions.get(func.0 as usize).map_or("?", |found| found.name.as_str());
        format!("{name}#{}", func.0)
    }

    fn global(&self, number: u32) -> String {
        let name = self.module.globals.get(number as usize).map_or("?", |found| found.name.as_str());
        format!("{name}#{number}")
    }
}

fn axes(list: &[Axis]) -> String {
    list.iter().map(|axis| axis.shown()).collect::<Vec<String>>().join(", ")
}

fn constant(value: &Const) -> String {
    match value {
        Const::Int(x) => format!("{x}"),
        Const::F32(x) => format!("{x:?}f32"),
        Const::F64(x) => format!("{x:?}"),
        Const::Bool(x) => format!("{x}"),
        Const::Str(x) => format!("{x:?}"),
    }
}

/// The steps of a sweep on one line: `{ $2 = sum[d]($0); out $2 }`.
fn swept(sweep: &Sweep) -> String {
    let numbers = |list: &[u32]| list.iter().map(|n| format!("${n}")).collect::<Vec<String>>().join(", ");
    let mut out = String::from("{ ");
    for (at, step) in sweep.steps.iter().enumerate() {
        let first = sweep.first_result(at);
        let made: Vec<u32> = (first..first + step.results).collect();
        let args = numbers(&step.args);
        let text = match &step.work {
            Work::Kernel(kernel) => format!("kernel({args}) {}", steps(kernel)),
            Work::Reduce { kind, axis } => format!("{}[{}]({args})", kind.name(), axis.shown()),
            Work::Dot { axis } => format!("dot[{}]({args})", axis.shown()),
            Work::Total { kind, axes: all } => format!("{}[{}]({args})", kind.name(), axes(all)),
        };
        let _ = write!(out, "{} = {text}; ", numbers(&made));
    }
    let _ = write!(out, "out {} }}", numbers(&sweep.outputs));
    out
}

/// The steps of a kernel on one line: `{ #2 = mul(#0, #1); out #2 }`.
fn steps(kernel: &Kernel) -> String {
    let numbers = |list: &[u32]| list.iter().map(|n| format!("#{n}")).collect::<Vec<String>>().join(", ");
    let mut out = String::from("{ ");
    for (number, step) in kernel.steps.iter().enumerate() {
        let made = kernel.inputs.len() + number;
        let _ = write!(out, "#{made} = {}({}); ", step.op.name(), numbers(&step.args));
    }
    let _ = write!(out, "out {} }}", numbers(&kernel.outputs));
    out
}
