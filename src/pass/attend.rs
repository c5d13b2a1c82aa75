//! Attention recognised by its form, so that no matrix of scores is ever written.
//!
//! The form is a softmax over one axis `k`, of a contraction of something with an axis `q` and something with `k`
//! over one axis, times scalars, perhaps with one scalar where a mask is false; and the contraction of that softmax
//! with something else over `k`. It becomes one builtin if nobody else reads what lies between. Names of functions,
//! sites and axes play no part. `expand` writes the gradient of it as plain operations again, for gradients of
//! gradients.

use super::build::Builder;
use super::copy::each_stmt;
use crate::base::axis::Axis;
use crate::base::ops::{ReduceKind, ScalarOp};
use crate::ir::{AxisSet, Block, Function, LocalId, Op, Stmt, Type};
use std::collections::BTreeMap;

/// Arguments: queries, keys, values, scale, the score of what is hidden, and the mask if there is one. Axes: q, k,
/// what is summed in the scores, the values' own.
pub const ATTENTION: &str = "attention";
/// Arguments: the adjoint of the result, then those of `attention`. Gives the adjoints of queries, keys and values.
pub const SLOPES: &str = "attention_slopes";

/// Replaces attention by one operation; true if there was any. What it made needless is left for `dead`.
pub fn attend(function: &mut Function) -> bool {
    let mut body = std::mem::take(&mut function.body);
    let mut seen = Seen { defs: BTreeMap::new(), reads: BTreeMap::new() };
    count(&body, &mut seen.reads);
    each_stmt(&body, &mut |stmt| {
        if let ([dest], true) = (&stmt.dest[..], stmt.op.blocks().is_empty()) {
            seen.defs.insert(*dest, stmt.op.clone());
        }
    });
    let changed = replace(function, &seen, &mut body);
    function.body = body;
    changed
}

/// How often each local is read.
pub fn count(block: &Block, reads: &mut BTreeMap<LocalId, usize>) {
    let mut note = |local: LocalId| *reads.entry(local).or_insert(0) += 1;
    block.results.iter().for_each(|&local| note(local));
    for stmt in &block.stmts {
        stmt.op.operands().into_iter().for_each(&mut note);
    }
    for stmt in &block.stmts {
        stmt.op.blocks().into_iter().for_each(|inner| count(inner, reads));
    }
}

fn replace(function: &mut Function, seen: &Seen, block: &mut Block) -> bool {
    let mut changed = false;
    for mut stmt in std::mem::take(&mut block.stmts) {
        for inner in stmt.op.blocks_mut() {
            changed |= replace(function, seen, inner);
        }
        match seen.attention(function, &stmt) {
            Some(found) => {
                block.stmts.extend(found.written(function, stmt));
                changed = true;
            }
            None => block.stmts.push(stmt),
        }
    }
    changed
}

/// What binds each local, and how often it is read.
struct Seen {
    defs: BTreeMap<LocalId, Op>,
    reads: BTreeMap<LocalId, usize>,
}

struct Found {
    q: LocalId,
    k: LocalId,
    v: LocalId,
    /// Scalars that the scores are multiplied with, or divided by.
    scales: Vec<(ScalarOp, LocalId)>,
    /// The mask, and the score of what it hides.
    mask: Option<(LocalId, LocalId)>,
    axes: [Axis; 4],
}

impl Seen {
    /// The operation that makes a local, copies aside.
    fn def(&self, local: LocalId) -> Option<&Op> {
        match self.defs.get(&local)? {
            Op::Copy(arg) if self.read(local, 1) => self.def(*arg),
            op => Some(op),
        }
    }

    /// What a local is a copy of.
    fn source(&self, local: LocalId) -> LocalId {
        match self.defs.get(&local) {
            Some(Op::Copy(arg)) => self.source(*arg),
            _ => local,
        }
    }

    fn read(&self, local: LocalId, times: usize) -> bool {
        self.reads.get(&local).copied().unwrap_or(0) == times
    }

    /// An elementwise operation on two operands that only one operation reads.
    fn pair(&self, local: LocalId, times: usize) -> Option<(ScalarOp, LocalId, LocalId)> {
        match self.def(local)? {
            Op::Elem { op, args } if args.len() == 2 && self.read(local, times) => Some((*op, args[0], args[1])),
            _ => None,
        }
    }

    fn attention(&self, function: &Function, stmt: &Stmt) -> Option<Found> {
        let Op::Contract { a, b, axes } = &stmt.op else { return None };
        let &[k_axis] = axes.as_slice() else { return None };
        [(*a, *b), (*b, *a)].into_iter().find_map(|(pattern, v)| {
            let x = self.softmax(pattern, k_axis)?;
            let (scores, mask) = self.masked(function, x);
            let (product, scales) = self.scaled(function, scores, if mask.is_some() { 1 } else { 2 })?;
            self.found(function, product, v, k_axis, scales, mask)
        })
    }

    /// The argument of a softmax over `k` of which only the softmax itself reads the parts.
    fn softmax(&self, pattern: LocalId, k: Axis) -> Option<LocalId> {
        let (ScalarOp::Div, raised, total) = self.pair(pattern, 1)? else { return None };
        let Op::Reduce { kind: ReduceKind::Sum, arg, axes } = self.def(total)? else { return None };
        if self.source(*arg) != self.source(raised) || axes.as_slice() != [k] || !self.read(total, 1) {
            return None;
        }
        let Op::Elem { op: ScalarOp::Exp, args } = self.def(raised)? else { return None };
        let (ScalarOp::Sub, x, most) = self.pair(args[0], 1)? else { return None };
        let Op::Reduce { kind: ReduceKind::Max, arg, axes } = self.def(most)? else { return None };
        let inner = self.read(self.source(raised), 2) && self.read(most, 1);
        (inner && self.source(*arg) == self.source(x) && axes.as_slice() == [k]).then(|| self.source(x))
    }

    /// Scores, and what hides some of them.
    fn masked(&self, function: &Function, x: LocalId) -> (LocalId, Option<(LocalId, LocalId)>) {
        if let Some(Op::Elem { op: ScalarOp::Where, args }) = self.defs.get(&x)
            && self.read(x, 2)
            && function.ty(args[2]).is_scalar()
            && !function.ty(args[0]).is_scalar()
        {
            return (args[1], Some((args[0], args[2])));
        }
        (x, None)
    }

    /// The contraction under multiplications and divisions by scalars, each read once but the first.
    fn scaled(
        &self,
        function: &Function,
        scores: LocalId,
        mut times: usize,
    ) -> Option<((LocalId, LocalId, Axis), Vec<(ScalarOp, LocalId)>)> {
        let (mut local, mut scales) = (scores, Vec::new());
        loop {
            let scalar = |local: LocalId| function.ty(local).is_scalar();
            if let Some(Op::Contract { a, b, axes }) = self.def(local)
                && self.read(local, times)
                && let &[d] = axes.as_slice()
            {
                return Some(((*a, *b, d), scales));
            }
            match self.pair(local, times)? {
                (op @ (ScalarOp::Mul | ScalarOp::Div), x, s) if scalar(s) => {
                    scales.push((op, s));
                    local = x;
                }
                (ScalarOp::Mul, s, x) if scalar(s) => {
                    scales.push((ScalarOp::Mul, s));
                    local = x;
                }
                _ => return None,
            }
            times = 1;
        }
    }

    /// The parts by their axes: keys have `k`, queries one axis that keys lack, values one that the scores lack.
    fn found(
        &self,
        function: &Function,
        (a, b, d): (LocalId, LocalId, Axis),
        v: LocalId,
        k_axis: Axis,
        scales: Vec<(ScalarOp, LocalId)>,
        mask: Option<(LocalId, LocalId)>,
    ) -> Option<Found> {
        let axes = |local: LocalId| function.ty(local).axes().cloned().unwrap_or_default();
        let (q, k) = if axes(b).contains(k_axis) { (a, b) } else { (b, a) };
        if axes(q).contains(k_axis) || !axes(k).contains(k_axis) {
            return None;
        }
        let hidden = mask.map(|(mask, _)| axes(mask)).unwrap_or_default();
        let own: Vec<Axis> = axes(q).minus(&axes(k)).iter().collect();
        let q_axis = match own[..] {
            [one] => one,
            _ => *own.iter().find(|&&axis| hidden.contains(axis))?,
        };
        let scores = axes(q).union(&axes(k)).without(d);
        let rest = axes(v).minus(&scores);
        let &[e] = rest.as_slice() else { return None };
        let floats = [q, k, v].iter().all(|&x| function.ty(x).elem() == function.ty(q).elem());
        let fits = floats
            && !axes(v).contains(q_axis)
            && hidden.minus(&scores).is_empty()
            && function.ty(q).elem().is_some_and(|elem| elem.is_float());
        fits.then_some(Found { q, k, v, scales, mask, axes: [q_axis, k_axis, d, e] })
    }
}

impl Found {
    /// The statements that take the place of the last contraction.
    fn written(self, function: &mut Function, stmt: Stmt) -> Vec<Stmt> {
        let mut made = Vec::new();
        let mut scalar = |op: Op, function: &mut Function| {
            let dest = function.new_local(Type::FLOAT, None, stmt.span);
            made.push(Stmt { dest: vec![dest], op, span: stmt.span });
            dest
        };
        let mut scale = scalar(Op::Const(crate::ir::Const::F64(1.0)), function);
        for (op, by) in self.scales {
            let by = match function.ty(by).dtype() {
                Some(crate::base::ops::DType::F64) => by,
                _ => {
                    let cast = ScalarOp::Cast(crate::base::ops::DType::F64);
                    scalar(Op::Elem { op: cast, args: vec![by] }, function)
                }
            };
            scale = scalar(Op::Elem { op, args: vec![scale, by] }, function);
        }
        let (hidden, mask) = match self.mask {
            Some((mask, hidden)) => (hidden, Some(mask)),
            None => (scale, None),
        };
        let mut args = vec![self.q, self.k, self.v, scale, hidden];
        args.extend(mask);
        made.push(Stmt { op: Op::Builtin { name: ATTENTION, axes: self.axes.to_vec(), args }, ..stmt });
        made
    }
}

/// Writes each gradient of attention as plain operations.
pub fn expand(function: Function) -> Result<Function, crate::base::diag::Diagnostic> {
    let mut any = false;
    each_stmt(&function.body, &mut |stmt| any |= matches!(stmt.op, Op::Builtin { name: SLOPES, .. }));
    if !any {
        return Ok(function);
    }
    let mut build = Builder::new(function);
    let body = std::mem::take(&mut build.function.body);
    let body = expanded(&mut build, body);
    build.stmts = body.stmts;
    build.finish(body.results)
}

fn expanded(build: &mut Builder, block: Block) -> Block {
    let around = build.enter();
    for mut stmt in block.stmts {
        for inner in stmt.op.blocks_mut() {
            *inner = expanded(build, std::mem::take(inner));
        }
        build.span = stmt.span;
        match &stmt.op {
            Op::Builtin { name: SLOPES, axes, args } if axes.len() == 4 && args.len() >= 6 => {
                let parts = plain_slopes(build, [axes[0], axes[1], axes[2], axes[3]], args);
                for (&dest, part) in stmt.dest.iter().zip(parts) {
                    build.stmts.push(Stmt { dest: vec![dest], op: Op::Copy(part), span: stmt.span });
                }
            }
            _ => build.stmts.push(stmt),
        }
    }
    Block { stmts: build.leave(around), results: block.results }
}

/// The adjoints of queries, keys and values. `args` are those of `SLOPES`.
fn plain_slopes(b: &mut Builder, [_, k_axis, d, e]: [Axis; 4], args: &[LocalId]) -> [LocalId; 3] {
    let [dz, q, k, v, scale, hidden] = [args[0], args[1], args[2], args[3], args[4], args[5]];
    let over = AxisSet::one(k_axis);
    let dtype = b.ty(q).dtype().unwrap_or(crate::base::ops::DType::F64);
    let scale = b.cast(scale, dtype);
    let hidden = b.cast(hidden, dtype);
    let scores = b.emit(Op::Contract { a: q, b: k, axes: AxisSet::one(d) });
    let mut scores = b.elem(ScalarOp::Mul, &[scores, scale]);
    if let Some(&mask) = args.get(6) {
        scores = b.elem(ScalarOp::Where, &[mask, scores, hidden]);
    }
    let most = b.reduce(ReduceKind::Max, scores, over.clone());
    let most = b.builtin("stop", vec![most], b.ty(most).clone());
    let shifted = b.elem(ScalarOp::Sub, &[scores, most]);
    let raised = b.elem(ScalarOp::Exp, &[shifted]);
    let total = b.reduce(ReduceKind::Sum, raised, over.clone());
    let p = b.elem(ScalarOp::Div, &[raised, total]);
    let dp = b.emit(Op::Contract { a: dz, b: v, axes: AxisSet::one(e) });
    let weighed = b.elem(ScalarOp::Mul, &[p, dp]);
    let mean = b.reduce(ReduceKind::Sum, weighed, over);
    let centred = b.elem(ScalarOp::Sub, &[dp, mean]);
    let ds = b.elem(ScalarOp::Mul, &[p, centred]);
    let mut ds = b.elem(ScalarOp::Mul, &[ds, scale]);
    if let Some(&mask) = args.get(6) {
        let elem = b.ty(q).elem().unwrap_or(crate::ir::Elem::F64);
        let zero = b.number(elem, 0.0);
        ds = b.elem(ScalarOp::Where, &[mask, ds, zero]);
    }
    let mut product = |x: LocalId, w: LocalId, like: LocalId| {
        let axes = b.axes(x).union(&b.axes(w)).minus(&b.axes(like));
        b.emit(Op::Contract { a: x, b: w, axes })
    };
    [product(ds, k, q), product(ds, q, k), product(dz, p, v)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::print::function as print;
    use crate::ir::verify::verify;
    use crate::ir::{Elem, Module};
    use crate::pass::testing::{build, set, tensor};

    /// Axes that no other test has: their order is that of their first use.
    /// What `attend` makes of attention over `q[N, Q, D]`, `k[N, K, D]`, `v[N, K, E]` with `change` on its parts.
    fn attended(change: impl Fn(&mut Builder, &str, LocalId, &[LocalId]) -> LocalId) -> String {
        let t = |axes: &str| tensor(Elem::F64, axes);
        let seen = tensor(Elem::Bool, "QK");
        let params = [("q", t("NQD")), ("k", t("NKD")), ("v", t("NKE")), ("seen", seen), ("s", Type::FLOAT)];
        let mut module = Module::default();
        let id = module.add(build("f", &params, |b, p| {
            let scores = b.emit(Op::Contract { a: p[0], b: p[1], axes: set("D") });
            let scores = b.elem(ScalarOp::Div, &[scores, p[4]]);
            let scores = change(b, "scores", scores, p);
            let most = b.reduce(ReduceKind::Max, scores, set("K"));
            let shifted = b.elem(ScalarOp::Sub, &[scores, most]);
            let raised = b.elem(ScalarOp::Exp, &[shifted]);
            let total = b.reduce(ReduceKind::Sum, raised, set("K"));
            let pattern = b.elem(ScalarOp::Div, &[raised, total]);
            let pattern = change(b, "pattern", pattern, p);
            vec![b.emit(Op::Contract { a: p[2], b: pattern, axes: set("K") })]
        }));
        attend(&mut module.functions[0]);
        let body = module.functions[0].clone();
        dead_removed(&mut module, body);
        verify(&module, id).unwrap();
        print(&module, id)
    }

    fn dead_removed(module: &mut Module, mut function: Function) {
        crate::pass::simplify::dead::remove(module, &mut function);
        module.functions[0] = function;
    }

    #[test]
    fn the_form_is_one_operation() {
        let text = attended(|_, _, x, _| x);
        assert!(text.contains("builtin attention[Q, K, D, E](q.0, k.1, v.2") && !text.contains("exp("), "{text}");
    }

    #[test]
    fn with_a_mask_and_a_scalar() {
        let text = attended(|b, place, x, p| match place {
            "scores" => {
                let hidden = b.number(Elem::F64, -1e9);
                b.elem(ScalarOp::Where, &[p[3], x, hidden])
            }
            _ => b.emit(Op::Copy(x)),
        });
        assert!(text.contains("builtin attention[Q, K, D, E]") && text.contains("seen.3)"), "{text}");
    }

    #[test]
    fn what_somebody_else_reads_stays() {
        for place in ["scores", "pattern"] {
            let text = attended(|b, now, x, _| {
                if now == place {
                    b.emit_as(Op::Builtin { name: "print", axes: Vec::new(), args: vec![x] }, &[]);
                }
                x
            });
            assert!(!text.contains("attention"), "{place}: {text}");
        }
    }

    #[test]
    fn other_forms_are_left_alone() {
        // A tensor of scales, and a second summed axis, are no attention.
        let text = attended(|b, place, x, p| match place {
            "scores" => {
                let each = b.reduce(ReduceKind::Sum, p[0], set("ND"));
                b.elem(ScalarOp::Mul, &[x, each])
            }
            _ => x,
        });
        assert!(!text.contains("attention"), "{text}");
        let text = attended(|b, place, x, _| if place == "pattern" { b.elem(ScalarOp::Tanh, &[x]) } else { x });
        assert!(!text.contains("attention"), "{text}");
    }
}
