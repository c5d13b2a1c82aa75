//! Where the length of an axis comes from. Lengths belong to values; this finds the value to ask.

use super::modules::ModId;
use super::value::Val;
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::ir::{LocalId, Op, Type};
use std::rc::Rc;

/// The values whose axes give sizes inside a body, innermost first.
#[derive(Clone, Debug)]
pub(crate) enum SizeScope {
    /// Declared sizes, then the top-level values.
    Top,
    /// The arguments of an inlined function; then whatever held at the call (or, for a lambda, where it stands).
    Args { leaves: Vec<Val>, parent: Rc<SizeScope> },
    /// The parameters of a function that is not inlined. Other axes need a declared size.
    Instance { leaves: Vec<Val> },
}

impl Checker {
    pub(super) fn size_scope(&mut self) -> Rc<SizeScope> {
        // Signatures are read outside any item too; a frame made for that would stay below those of the items.
        self.frames.last().map_or_else(|| Rc::new(SizeScope::Top), |frame| frame.sizes.clone())
    }

    /// The length of `axis` at this place: an int local of the function on top.
    pub(super) fn axis_size(&mut self, axis: Axis, span: Span) -> LocalId {
        let scope = self.size_scope();
        match self.find_size(&scope, axis, span) {
            Some(id) => id,
            // What failed before may have carried the axis.
            None if self.rigid || !self.errors.is_empty() => self.int(0, span),
            None => {
                let place = self.axis_argument(axis, span);
                self.error(messages::no_size(place, axis));
                self.int(0, span)
            }
        }
    }

    fn find_size(&mut self, scope: &SizeScope, axis: Axis, span: Span) -> Option<LocalId> {
        let like = self.axis_info(axis).and_then(|info| info.like);
        match scope {
            SizeScope::Args { leaves, parent } => {
                if let Some(id) = self.size_from(leaves, axis, like, span) {
                    return Some(id);
                }
                self.find_size(parent, axis, span)
            }
            SizeScope::Instance { leaves } => {
                let own = self.size_from(leaves, axis, like, span);
                let declared = self.axis_info(axis).and_then(|info| info.size);
                own.or_else(|| declared.map(|size| self.id(&size, span)))
            }
            SizeScope::Top => self.top_size(axis, like, span),
        }
    }

    fn top_size(&mut self, axis: Axis, like: Option<Axis>, span: Span) -> Option<LocalId> {
        if let Some(size) = self.axis_info(axis).and_then(|info| info.size) {
            if self.here() != ModId::USER {
                self.asked.insert(axis);
            }
            return Some(self.id(&size, span));
        }
        let vars: Vec<Val> = self
            .frames
            .iter()
            .rfind(|frame| frame.top_level)
            .map_or(Vec::new(), |frame| frame.vars.iter().map(|var| var.val.clone()).collect());
        let leaves: Vec<Val> = vars.iter().flat_map(Val::leaves).collect();
        if let Some(id) = self.size_from(&leaves, axis, None, span) {
            return Some(id);
        }
        let like = like?;
        self.find_size(&SizeScope::Top, like, span).or_else(|| self.size_from(&leaves, axis, Some(like), span))
    }

    /// Asks every leaf that carries the axis (or, failing that, the axis it is like); they must agree.
    fn size_from(&mut self, leaves: &[Val], axis: Axis, like: Option<Axis>, span: Span) -> Option<LocalId> {
        for wanted in std::iter::once(axis).chain(like) {
            let carriers: Vec<Val> =
                leaves.iter().filter(|val| val.axes().is_some_and(|axes| axes.contains(wanted))).cloned().collect();
            if !carriers.is_empty() {
                let args = self.ids(&carriers, span);
                let val = self.emit(Op::SizeOf { args, axis: wanted }, Type::INT, span);
                return Some(self.id(&val, span));
            }
        }
        None
    }
}
