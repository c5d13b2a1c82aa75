//! Why a call does not fit its function: from what the solver found to one message.
//!
//! The solver speaks of placeholders; a person reads of parameters by name. `found` and `needed` must never print
//! alike: then the reason lies between two arguments, and is said in words.

use super::Checker;
use super::call::ArgVal;
use super::functions::{Bound, Generic, GenericKind, Signature};
use super::messages;
use super::solve::Failure;
use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::span::Span;
use crate::ir::{AxisSet, Elem, Type};

/// A call that failed: the function, what it was given, and where.
pub(super) struct Refused<'a> {
    pub function: &'a str,
    pub signature: &'a Signature,
    pub bound: &'a [Option<ArgVal>],
    pub span: Span,
}

impl Refused<'_> {
    /// All axes of the arguments.
    fn axes(&self) -> AxisSet {
        let types = self.bound.iter().flatten().map(|arg| arg.val.ty());
        types.fold(AxisSet::default(), |all, ty| ty.axes().map_or(all.clone(), |own| all.union(own)))
    }
}

/// The parameters that a call has to name: axes that stand for the rest follow from the others, unless they come first. Also
/// whether the only one comes first, so that it is what stands in the brackets.
fn to_be_said(signature: &Signature, open: Vec<String>) -> (Vec<String>, bool) {
    let axes = signature.generics.iter().filter(|generic| !matches!(generic.kind, GenericKind::Element(_)));
    let first = axes.clone().next().map(|generic| generic.name.clone());
    let follows = |name: &String| {
        axes.clone().find(|generic| generic.name == *name).is_some_and(|generic| generic.kind == GenericKind::Row)
            && first.as_ref() != Some(name)
    };
    let said: Vec<String> = open.iter().filter(|name| !follows(name)).cloned().collect();
    let said = if said.is_empty() { open } else { said };
    let alone = said.len() == 1 && said.first() == first.as_ref();
    (said, alone)
}

impl Checker {
    pub(super) fn refused(&self, call: &Refused, failure: Failure) -> Diagnostic {
        let (name, span) = (call.function, call.span);
        match failure {
            Failure::Argument { arg, needed, found, clash } => self.refused_argument(call, arg, &needed, &found, clash),
            Failure::Ambiguous(open) => {
                let (open, alone) = to_be_said(call.signature, open);
                messages::ambiguous(span, name, &open, &if alone { call.axes() } else { AxisSet::default() })
            }
            Failure::Open(open) => messages::open_parameters(span, name, &open),
            Failure::TooManyAxes { given, taken } => messages::too_many_axes(span, name, given, taken),
        }
    }

    fn refused_argument(
        &self,
        call: &Refused,
        arg: usize,
        needed: &Type,
        found: &Type,
        clash: Option<(Axis, Axis, Axis)>,
    ) -> Diagnostic {
        let given = call.bound.get(arg).and_then(|arg| arg.as_ref());
        let at = given.map_or(call.span, |arg| arg.span);
        let param = call.signature.params.get(arg).map_or("", |(name, _)| name.as_str());
        if let (Type::Tensor(want, axes), Type::Tensor(elem, own)) = (needed, found) {
            if let Some(bound) = refused_element(call.signature, *want, *elem) {
                return messages::wrong_argument_element(at, call.function, param, found, bound);
            }
            if want.is_float() && elem != want && matches!(elem, Elem::F32 | Elem::F64 | Elem::Int | Elem::Bool) {
                return messages::other_argument_element(at, call.function, param, found, *want);
            }
            let missing = axes.iter().find(|&axis| call.signature.generic(axis).is_none() && !own.contains(axis));
            if let (Some(axis), Some(given)) = (missing, given) {
                let why = format!("`{}` needs this axis", call.function);
                let place = self.axis_argument(axis, call.span);
                let place = if place == call.span { at } else { place };
                return self.missing_axis(place, axis, &given.val, &why);
            }
        }
        let text = described(call.signature, needed, found);
        let mut diagnostic = messages::argument(at, call.function, param, found, &text);
        if let Some((one, other, axis)) = clash.filter(|(one, _, _)| mentions(needed, *one)) {
            let name = |axis: Axis| call.signature.generic(axis).map_or(String::new(), |generic| generic.name.clone());
            let text = format!("`{}` and `{}` are different axes, and both would be `{axis}`", name(other), name(one));
            return diagnostic.note("note", text);
        }
        if text == found.to_string() {
            diagnostic.notes.retain(|(key, _)| *key != "needed");
            return diagnostic.note("note", "no choice of axes fits all arguments together");
        }
        if let Some(text) = fields_apart(needed, found) {
            return diagnostic.note("note", text);
        }
        if let (Type::Tensor(_, wanted), Type::Tensor(_, own)) = (needed, found)
            && wanted.iter().all(|axis| call.signature.generic(axis).is_none())
        {
            return diagnostic.note("note", format!("there is no place for [{}]", own.minus(wanted)));
        }
        match open_names(call.signature, needed).as_slice() {
            [] => diagnostic,
            [one] => diagnostic.note("note", format!("`{one}` stands for one axis, whichever it is")),
            several => diagnostic.note("note", format!("`{}` stand for one axis each", several.join("`, `"))),
        }
    }
}

/// The bound of the element parameter that does not admit what was found.
fn refused_element(signature: &Signature, want: Elem, found: Elem) -> Option<Bound> {
    let Elem::Index(placeholder) = want else { return None };
    match signature.generic(placeholder).map(|generic| generic.kind) {
        Some(GenericKind::Element(bound)) if !bound.admits(found) => Some(bound),
        _ => None,
    }
}

fn mentions(ty: &Type, axis: Axis) -> bool {
    match ty {
        Type::Tensor(elem, axes) => axes.contains(axis) || *elem == Elem::Index(axis),
        Type::Record(fields) => fields.iter().any(|(_, ty)| mentions(ty, axis)),
        Type::List(item) => mentions(item, axis),
        _ => false,
    }
}

/// Which fields a record lacks, or has too many.
fn fields_apart(needed: &Type, found: &Type) -> Option<String> {
    let (Type::Record(wanted), Type::Record(given)) = (needed, found) else { return None };
    let without = |some: &[(String, Type)], others: &[(String, Type)]| {
        let names = some.iter().map(|(name, _)| name).filter(|name| !others.iter().any(|(other, _)| other == *name));
        names.map(|name| format!("`{name}`")).collect::<Vec<String>>().join(", ")
    };
    match (without(wanted, given), without(given, wanted)) {
        (missing, _) if !missing.is_empty() => Some(format!("it lacks {missing}")),
        (_, extra) if !extra.is_empty() => Some(format!("it has {extra} too many")),
        _ => None,
    }
}

/// The axis parameters that a type still leaves open.
fn open_names(signature: &Signature, ty: &Type) -> Vec<String> {
    let open = |generic: &&Generic| {
        matches!(generic.kind, GenericKind::Axis | GenericKind::Made) && mentions(ty, generic.placeholder)
    };
    signature.generics.iter().filter(open).map(|generic| generic.name.clone()).collect()
}

/// A type as needed: open rows are `..`, an open element is the one found.
fn described(signature: &Signature, needed: &Type, found: &Type) -> String {
    let Type::Tensor(want, axes) = needed else { return needed.to_string() };
    let generic = |axis: Axis| signature.generic(axis);
    let elem = match want {
        Elem::Index(axis) => match generic(*axis).map(|generic| generic.kind) {
            Some(GenericKind::Element(_)) => found.elem().map_or_else(|| "f32".to_string(), |elem| elem.to_string()),
            Some(_) => generic(*axis).map_or_else(String::new, |generic| generic.name.clone()),
            None => want.to_string(),
        },
        other => other.to_string(),
    };
    let (mut names, mut rows) = (Vec::new(), false);
    for axis in axes.iter() {
        match generic(axis).map(|generic| generic.kind) {
            Some(GenericKind::Row) => rows = true,
            _ => names.push(generic(axis).map_or_else(|| axis.to_string(), |generic| generic.name.clone())),
        }
    }
    if rows {
        names.push("..".to_string());
    }
    if names.is_empty() {
        Type::Tensor(*want, axes.clone()).to_string().replace(&want.to_string(), &elem)
    } else {
        format!("{elem}[{}]", names.join(", "))
    }
}
