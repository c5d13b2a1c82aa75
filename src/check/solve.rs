//! Solving the generic parameters of a call.
//!
//! Types are sets, so `f32[d, c]` against `f32[dhead, code]` has two answers. All parameters are solved together:
//! distinct axis parameters stand for distinct axes and are disjoint from rows in the same type. Exactly one
//! solution is taken; none blames the first argument that rules the others out; several ask for explicit axes.

use super::functions::{GenericKind, Signature};
use crate::base::axis::Axis;
use crate::ir::{AxisSet, Elem, Type};
use std::collections::BTreeMap;

/// What the placeholders stand for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Subst {
    pub axes: BTreeMap<Axis, Vec<Axis>>,
    pub elems: BTreeMap<Axis, Elem>,
}

#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Argument number `arg` does not fit.
    Argument {
        arg: usize,
        needed: Type,
        found: Type,
        /// Two parameters that would both stand for the axis that comes last.
        clash: Option<(Axis, Axis, Axis)>,
    },
    /// Several solutions; the names of the parameters left open.
    Ambiguous(Vec<String>),
    /// A parameter that no argument mentions.
    Open(Vec<String>),
    TooManyAxes {
        given: usize,
        taken: usize,
    },
}

struct Constraint {
    arg: usize,
    pattern: Vec<Axis>,
    actual: AxisSet,
}

pub(crate) struct Solver<'a> {
    signature: &'a Signature,
    constraints: Vec<Constraint>,
    subst: Subst,
    /// (pattern, found) of each argument, for messages.
    arguments: Vec<(Type, Type)>,
    clash: Option<(Axis, Axis, Axis)>,
}

impl<'a> Solver<'a> {
    pub fn new(signature: &'a Signature) -> Solver<'a> {
        Solver { signature, constraints: Vec::new(), subst: Subst::default(), arguments: Vec::new(), clash: None }
    }

    /// Axis arguments in brackets bind the axis parameters in order; a row takes all that remain.
    pub fn explicit(&mut self, axes: &[Axis]) -> Result<(), Failure> {
        let generics: Vec<_> =
            self.signature.generics.iter().filter(|g| !matches!(g.kind, GenericKind::Element(_))).collect();
        let mut rest = axes;
        for generic in &generics {
            if generic.kind == GenericKind::Row && (!rest.is_empty() || generics[0].placeholder == generic.placeholder)
            {
                self.subst.axes.insert(generic.placeholder, rest.to_vec());
                return Ok(());
            }
            let Some((&axis, following)) = rest.split_first() else { return Ok(()) };
            self.subst.axes.insert(generic.placeholder, vec![axis]);
            rest = following;
        }
        if rest.is_empty() { Ok(()) } else { Err(Failure::TooManyAxes { given: axes.len(), taken: generics.len() }) }
    }

    /// Adds what one argument demands. `pattern` has placeholders, `found` none.
    pub fn argument(&mut self, pattern: &Type, found: &Type) -> Result<(), Failure> {
        let arg = self.arguments.len();
        self.arguments.push((pattern.clone(), found.clone()));
        if self.demand(arg, pattern, found) { Ok(()) } else { Err(self.blame(arg)) }
    }

    /// A number literal: it has no axes, and takes the element type that the others settle.
    pub fn literal(&mut self, pattern: &Type, found: &Type) -> Result<(), Failure> {
        let arg = self.arguments.len();
        self.arguments.push((pattern.clone(), found.clone()));
        if let Type::Tensor(_, axes) = pattern {
            self.constraints.push(Constraint { arg, pattern: axes.iter().collect(), actual: AxisSet::empty() });
        }
        Ok(())
    }

    /// An argument that demands nothing: its parameter has no type, or the default stands.
    pub fn free_argument(&mut self) {
        self.arguments.push((Type::Error, Type::Error));
    }

    fn blame(&self, arg: usize) -> Failure {
        let (pattern, found) = self.arguments[arg].clone();
        Failure::Argument { arg, needed: self.subst.apply(&pattern), found, clash: self.clash }
    }

    fn demand(&mut self, arg: usize, pattern: &Type, found: &Type) -> bool {
        match (pattern, found) {
            (_, Type::Error) | (Type::Error, _) => true,
            (Type::Tensor(want, pattern), Type::Tensor(elem, axes)) => {
                if !self.demand_elem(*want, *elem, axes.is_empty() && pattern.is_empty()) {
                    return false;
                }
                self.constraints.push(Constraint { arg, pattern: pattern.iter().collect(), actual: axes.clone() });
                true
            }
            (Type::Record(wanted), Type::Record(fields)) => wanted.iter().all(|(name, want)| {
                let field = fields.iter().find(|(field, _)| field == name);
                field.is_some_and(|(_, ty)| self.demand(arg, want, ty))
            }),
            (Type::List(want), Type::List(item)) => self.demand(arg, want, item),
            (Type::Fn(..), Type::Fn(..)) => true,
            (a, b) => a == b,
        }
    }

    fn demand_elem(&mut self, want: Elem, found: Elem, scalar: bool) -> bool {
        let Elem::Index(axis) = want else {
            let widens = scalar && want == Elem::F64 && matches!(found, Elem::Int | Elem::F32);
            return want == found || widens || (scalar && want == Elem::F32 && found == Elem::F64);
        };
        match self.signature.generic(axis).map(|generic| generic.kind) {
            Some(GenericKind::Element(bound)) => match self.subst.elems.get(&axis) {
                Some(known) => *known == found || (scalar && known.is_float() && found.is_float()),
                None if bound.admits(found) => {
                    self.subst.elems.insert(axis, found);
                    true
                }
                None => false,
            },
            Some(_) => match found {
                Elem::Index(actual) => match self.subst.axes.get(&axis) {
                    Some(known) => *known == [actual],
                    None => {
                        self.subst.axes.insert(axis, vec![actual]);
                        true
                    }
                },
                _ => false,
            },
            None => want == found,
        }
    }

    pub fn solve(mut self) -> Result<Subst, Failure> {
        self.propagate().map_err(|arg| self.blame(arg))?;
        let mut solutions = Vec::new();
        let mut first_fault = None;
        self.search(&mut solutions, &mut first_fault);
        match (solutions.len(), first_fault) {
            (1, _) => {
                self.subst = solutions.remove(0);
                self.close()
            }
            (0, Some(arg)) => Err(self.blame(arg)),
            (0, None) => Err(Failure::Ambiguous(self.open_names())),
            _ => Err(Failure::Ambiguous(self.open_names())),
        }
    }

    fn open_names(&self) -> Vec<String> {
        let open = |generic: &&super::functions::Generic| {
            !matches!(generic.kind, GenericKind::Element(_)) && !self.subst.axes.contains_key(&generic.placeholder)
        };
        self.signature.generics.iter().filter(open).map(|generic| generic.name.clone()).collect()
    }

    /// Every axis parameter must be bound by now; element parameters default to f64.
    fn close(mut self) -> Result<Subst, Failure> {
        let open = self.open_names();
        if !open.is_empty() {
            return Err(Failure::Open(open));
        }
        for generic in &self.signature.generics {
            if let GenericKind::Element(_) = generic.kind {
                self.subst.elems.entry(generic.placeholder).or_insert(Elem::F64);
            }
        }
        Ok(self.subst)
    }

    /// Binds what is forced until nothing changes; the argument at fault otherwise.
    fn propagate(&mut self) -> Result<(), usize> {
        loop {
            let before = self.subst.axes.len();
            for at in 0..self.constraints.len() {
                self.step(at)?;
            }
            if self.subst.axes.len() == before {
                return Ok(());
            }
        }
    }

    fn step(&mut self, at: usize) -> Result<(), usize> {
        let arg = self.constraints[at].arg;
        let (rest, vars, rows) = self.open_part(at).ok_or(arg)?;
        match (vars.as_slice(), rows.as_slice()) {
            ([], []) if !rest.is_empty() => Err(arg),
            ([], []) => Ok(()),
            (vars, []) if rest.len() != vars.len() => Err(arg),
            ([var], []) => self.bind(*var, rest.iter().collect()).then_some(()).ok_or(arg),
            ([], [row]) => self.bind(*row, rest.iter().collect()).then_some(()).ok_or(arg),
            (vars, _) if rest.len() < vars.len() => Err(arg),
            ([], rows) if rest.is_empty() => {
                let rows = rows.to_vec();
                rows.iter().all(|&row| self.bind(row, Vec::new())).then_some(()).ok_or(arg)
            }
            _ => Ok(()),
        }
    }

    /// What remains of a constraint once bound parameters are taken away: axes, open parameters, open rows.
    fn open_part(&self, at: usize) -> Option<(AxisSet, Vec<Axis>, Vec<Axis>)> {
        let constraint = &self.constraints[at];
        let mut rest = constraint.actual.clone();
        let (mut vars, mut rows) = (Vec::new(), Vec::new());
        for &axis in &constraint.pattern {
            match self.signature.generic(axis) {
                None => rest.remove(axis).then_some(())?,
                Some(generic) => match self.subst.axes.get(&axis) {
                    Some(bound) => bound.iter().all(|&axis| rest.remove(axis)).then_some(())?,
                    None if generic.kind == GenericKind::Row => rows.push(axis),
                    None => vars.push(axis),
                },
            }
        }
        Some((rest, vars, rows))
    }

    /// False if another axis parameter stands for the same axis already.
    fn bind(&mut self, placeholder: Axis, axes: Vec<Axis>) -> bool {
        let is_row = |axis: Axis| self.signature.generic(axis).is_some_and(|g| g.kind == GenericKind::Row);
        let clash = self.subst.axes.iter().find_map(|(&other, bound)| {
            let shared =
                bound.iter().find(|axis| axes.contains(axis)).filter(|_| !(is_row(other) && is_row(placeholder)));
            shared.map(|&axis| (placeholder, other, axis))
        });
        if clash.is_some() {
            self.clash = clash;
            return false;
        }
        self.subst.axes.insert(placeholder, axes);
        true
    }

    /// Backtracking over what propagation left open; the sets are small.
    fn search(&mut self, solutions: &mut Vec<Subst>, first_fault: &mut Option<usize>) {
        if solutions.len() > 1 {
            return;
        }
        let open = (0..self.constraints.len()).find_map(|at| {
            let (rest, vars, _) = self.open_part(at)?;
            vars.first().map(|&var| (rest, var))
        });
        let Some((rest, var)) = open else {
            let rows_open =
                (0..self.constraints.len()).any(|at| self.open_part(at).is_some_and(|part| !part.2.is_empty()));
            if !rows_open && !solutions.contains(&self.subst) {
                solutions.push(self.subst.clone());
            }
            return;
        };
        for axis in rest.iter() {
            let saved = self.subst.clone();
            if self.bind(var, vec![axis]) {
                match self.propagate() {
                    Ok(()) => self.search(solutions, first_fault),
                    Err(arg) => *first_fault = first_fault.or(Some(arg)),
                }
            }
            self.subst = saved;
        }
    }
}

impl Subst {
    /// The type with every placeholder replaced by what it stands for; open ones stay.
    pub fn apply(&self, ty: &Type) -> Type {
        match ty {
            Type::Tensor(elem, axes) => {
                let elem = match elem {
                    Elem::Index(axis) => match (self.elems.get(axis), self.axes.get(axis)) {
                        (Some(&elem), _) => elem,
                        (None, Some(axes)) if axes.len() == 1 => Elem::Index(axes[0]),
                        _ => *elem,
                    },
                    other => *other,
                };
                Type::Tensor(elem, self.apply_axes(axes))
            }
            Type::List(item) => Type::List(Box::new(self.apply(item))),
            Type::Record(fields) => {
                Type::Record(fields.iter().map(|(name, ty)| (name.clone(), self.apply(ty))).collect())
            }
            Type::Fn(params, result) => {
                Type::Fn(params.iter().map(|ty| self.apply(ty)).collect(), Box::new(self.apply(result)))
            }
            other => other.clone(),
        }
    }

    fn apply_axes(&self, axes: &AxisSet) -> AxisSet {
        axes.iter().flat_map(|axis| self.axes.get(&axis).cloned().unwrap_or_else(|| vec![axis])).collect()
    }
}
