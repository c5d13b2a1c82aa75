//! Rules about axes that no type can say: a declared length that a part contradicts, an axis that nothing uses.

use super::modules::ModId;
use super::value::{Lit, Val};
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::span::{FileId, Span};
use crate::syntax::ast::{self, ExprKind, ItemKind};
use crate::syntax::words;
use std::collections::BTreeSet;

impl Checker {
    /// A part of known length that is given an axis of another declared length. True if that was reported.
    pub(super) fn contradicts_length(&mut self, axis: Axis, made: i64, span: Span) -> bool {
        let declared = match self.axis_info(axis).and_then(|info| info.size) {
            Some(Val::Lit(Lit::Int(n))) => n,
            _ => return false,
        };
        if declared != made {
            self.error(messages::other_length(span, axis, declared, made));
        }
        declared != made
    }

    /// The length of a range whose ends are written out.
    pub(super) fn literal_length(range: &ast::Expr) -> Option<i64> {
        let ExprKind::Range { low, high, inclusive } = &range.kind else { return None };
        let end = |expr: &ast::Expr| match expr.kind {
            ExprKind::Int(n) => Some(n),
            _ => None,
        };
        let low = low.as_ref().map_or(Some(0), |low| end(low))?;
        let high = high.as_ref().and_then(|high| end(high))?;
        high.checked_add(i64::from(*inclusive))?.checked_sub(low)
    }

    /// In a file with an `experiment` header every axis that it declares must be used, by itself or by a function of the
    /// library that asks for its length: one that is not was most likely meant where another is written. Sketches,
    /// modules and the prompt may declare what they like.
    pub(super) fn unused_axes(&mut self, id: ModId, file: FileId, program: &ast::Program) {
        if id != ModId::USER || !program.items.iter().any(|item| matches!(item.kind, ItemKind::Experiment { .. })) {
            return;
        }
        let decls = program.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Axis(decls) => Some(decls),
            _ => None,
        });
        let decls: Vec<&ast::AxisDecl> = decls.flatten().collect();
        let own: BTreeSet<usize> = decls.iter().map(|decl| decl.name.span.start as usize).collect();
        let text = self.sources.get(file).text.clone();
        let used: BTreeSet<&str> =
            words(&text).into_iter().filter(|(at, _)| !own.contains(at)).map(|(_, word)| word).collect();
        // A length that is declared for a function of the library does not have to be named again. What failed may have
        // been the call that asks for it, and what was believed was not asked.
        let failed = self.believes() || !self.errors.is_empty();
        for decl in decls.into_iter().filter(|decl| !used.contains(decl.name.name.as_str())) {
            let axis = Axis::named(&self.axis_space(id), &decl.name.name);
            if decl.size.is_some() && (failed || self.asked.contains(&axis)) {
                continue;
            }
            self.error(messages::unused_axis(decl.name.span, &decl.name.name));
        }
    }
}
