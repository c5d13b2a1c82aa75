//! Where a value lost an axis: for messages only.
//!
//! Whenever an expression of the user's file yields a tensor without an axis that an operand had, the place and the
//! verb are kept beside the result. When the axis is missed later, the message shows them. Nothing here may change
//! what is checked or built.

use super::modules::ModId;
use super::value::Val;
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::span::Span;
use crate::ir::{GlobalId, LocalId};
use crate::syntax::ast::{Bracket, Expr, ExprKind};

/// More are never of use: one value has few axes to lose.
const MOST_OF_ONE_VALUE: usize = 12;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Key {
    Local(usize, LocalId),
    Global(GlobalId),
}

#[derive(Clone, Debug)]
pub(super) struct Obituary {
    key: Key,
    axis: Axis,
    span: Span,
    /// What became of the axis: `averaged away here`.
    text: String,
}

#[derive(Default)]
pub(super) struct Obituaries {
    known: Vec<Obituary>,
    /// Axes in brackets after functions, in the order they were read.
    arguments: Vec<(Axis, Span)>,
}

fn key(val: &Val) -> Option<Key> {
    match val {
        Val::Local { level, id, .. } => Some(Key::Local(*level, *id)),
        Val::Global(id, _) => Some(Key::Global(*id)),
        _ => None,
    }
}

impl Checker {
    fn reads_users_text(&self) -> bool {
        self.frames.last().is_none_or(|frame| frame.module == ModId::USER)
    }

    /// Notes which axes of the operands the result lacks, and what was known of the operands.
    pub(super) fn note_losses(&mut self, result: &Val, operands: &[Val], span: Span, verb: impl Fn(Axis) -> String) {
        let (Some(of), Some(kept)) = (key(result), result.axes()) else { return };
        if !self.reads_users_text() || operands.iter().any(|operand| key(operand) == Some(of)) {
            return;
        }
        let mut found: Vec<Obituary> = Vec::new();
        for operand in operands.iter().flat_map(Val::leaves) {
            for axis in operand.axes().unwrap_or_default().minus(&kept).iter() {
                found.push(Obituary { key: of, axis, span, text: verb(axis) });
            }
            let Some(from) = key(&operand) else { continue };
            let older = self.obituaries.known.iter().filter(|known| known.key == from && !kept.contains(known.axis));
            found.extend(older.map(|known| Obituary { key: of, ..known.clone() }));
        }
        found.truncate(MOST_OF_ONE_VALUE);
        self.obituaries.known.extend(found);
    }

    /// What is known of a local holds for the global that it moves into.
    pub(super) fn move_losses(&mut self, from: &Val, to: &Val) {
        for (old, new) in from.leaves().iter().zip(to.leaves()) {
            let (Some(old), Some(new)) = (key(old), key(&new)) else { continue };
            if old == new {
                continue;
            }
            let mine: Vec<Obituary> = self.obituaries.known.iter().filter(|known| known.key == old).cloned().collect();
            self.obituaries.known.extend(mine.into_iter().map(|known| Obituary { key: new, ..known }));
        }
    }

    /// A function at this level starts: what is known of locals there or above speaks of another function.
    pub(super) fn forget_losses(&mut self, level: usize) {
        self.obituaries.known.retain(|known| !matches!(known.key, Key::Local(of, _) if of >= level));
        if level == 0 {
            self.obituaries.arguments.clear();
        }
    }

    pub(super) fn note_axis_argument(&mut self, axes: &[Axis], span: Span) {
        if self.reads_users_text() {
            self.obituaries.arguments.extend(axes.iter().map(|&axis| (axis, span)));
        }
    }

    /// Where a call names an axis in brackets; the whole call if it does not. The callee is read before the
    /// arguments, so the first such place inside the call is its own.
    pub(super) fn axis_argument(&self, axis: Axis, call: Span) -> Span {
        let inside = |at: &Span| at.file == call.file && at.start >= call.start && at.end <= call.end;
        let found = self.obituaries.arguments.iter().find(|(known, at)| *known == axis && inside(at));
        found.map_or(call, |(_, at)| *at)
    }

    /// The user's name for a value, if it has one.
    pub(super) fn name_of(&self, val: &Val) -> Option<String> {
        let of = key(val)?;
        let frame = self.frames.iter().rev().find(|frame| frame.module == ModId::USER);
        let vars = frame.iter().flat_map(|frame| frame.vars.iter().rev());
        let top = self.modules.get(ModId::USER.0).into_iter().flat_map(|module| module.top.iter().rev());
        vars.chain(top).find(|var| key(&var.val) == Some(of)).map(|var| var.name.clone())
    }

    /// E012 for a value: its name, its type, and where the axis went.
    pub(super) fn missing_axis(&self, span: Span, axis: Axis, val: &Val, why: &str) -> Diagnostic {
        let of = key(val);
        let lost = self.obituaries.known.iter().find(|known| Some(known.key) == of && known.axis == axis);
        let diagnostic = messages::missing_axis(span, axis, self.name_of(val).as_deref(), &val.ty(), why);
        match lost {
            Some(lost) => Diagnostic { help: None, ..diagnostic }.label(lost.span, format!("`{axis}` {}", lost.text)),
            None => diagnostic,
        }
    }
}

/// What a call does to an axis that its result lacks.
pub(super) fn verb_of_call(callee: &Expr) -> &'static str {
    let value = match &callee.kind {
        ExprKind::Brackets { value, .. } => value,
        _ => callee,
    };
    let name = match &value.kind {
        ExprKind::Name(name) => name.as_str(),
        ExprKind::Field { name, .. } => name.name.as_str(),
        _ => "",
    };
    match name {
        "mean" | "mean64" | "masked_mean" => "was averaged away here",
        "sum" | "sum64" | "total" | "logsumexp" => "was summed away here",
        "max" | "min" | "argmax" | "argmin" | "any" | "all" | "count" => "went here: one value is left of it",
        "var" | "var64" | "std" => "went here: the spread along it is left",
        _ => "went here",
    }
}

/// What the parts in brackets after a value do to an axis.
pub(super) fn verb_of_part(parts: &[Bracket], axis: &str) -> String {
    let verb = parts.iter().find_map(|part| match part {
        Bracket::Index { axis: of, .. } if of.name == axis => Some("went here: it is indexed".to_string()),
        Bracket::Slice { axis: of, to, .. } | Bracket::Rename { axis: of, to } if of.name == axis => {
            Some(format!("became `{}` here", to.name))
        }
        Bracket::Merge { axes, to } if axes.iter().any(|of| of.name == axis) => {
            Some(format!("became part of `{}` here", to.name))
        }
        Bracket::Split { axis: of, .. } if of.name == axis => Some("was split here".to_string()),
        _ => None,
    });
    verb.unwrap_or_else(|| "went here".to_string())
}
