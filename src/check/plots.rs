//! `plot`: which axis runs along, which makes series, and that none is left over.
//!
//! The runtime checks the same of the values it draws; here the fault shows before anything is computed.

use super::value::{Lit, Val};
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::ir::{AxisSet, Op, Type};
use crate::syntax::ast::{self, ExprKind};

const KINDS: &[&str] = &["lines", "bars", "scatter", "heatmap", "histogram"];

/// A field of a plot as read.
struct Drawn {
    name: String,
    val: Val,
    /// The axis, where the field names one.
    axis: Option<Axis>,
    span: Span,
}

impl Checker {
    pub(super) fn plot(&mut self, plot: &ast::PlotItem) {
        let span = plot.span;
        if !KINDS.contains(&plot.kind.name.as_str()) {
            self.error(messages::unknown_plot(plot.kind.span, &plot.kind.name, KINDS));
            return;
        }
        let mut drawn = Vec::new();
        for field in &plot.fields {
            drawn.push(self.plot_field(field));
        }
        if drawn.iter().any(|field| field.val.is_error()) {
            return;
        }
        if !drawn.iter().any(|field| field.name == "y") {
            self.error(messages::plot_needs(plot.kind.span));
            return;
        }
        if !self.plot_axes_fit(&plot.kind.name, &drawn) {
            return;
        }
        let mut args = vec![self.string(&plot.kind.name, span)];
        for (field, drawn) in plot.fields.iter().zip(&drawn) {
            args.push(self.string(&drawn.name, field.name.span));
            args.push(self.pack(&drawn.val, drawn.span));
        }
        self.push_stmt(Vec::new(), Op::Builtin { name: "plot", axes: vec![], args }, span);
    }

    fn plot_field(&mut self, field: &ast::Field) -> Drawn {
        let (name, span) = (field.name.name.clone(), field.value.span);
        let axis = match &field.value.kind {
            ExprKind::Name(word)
                if matches!(name.as_str(), "x" | "by") && !self.frame().vars.iter().any(|var| var.name == *word) =>
            {
                self.find_axis(word).filter(|axes| axes.len() == 1).map(|axes| (axes[0], word.clone()))
            }
            _ => None,
        };
        match axis {
            Some((axis, word)) => Drawn { name, val: Val::Lit(Lit::Str(word)), axis: Some(axis), span },
            None => Drawn { val: self.expr(&field.value), name, axis: None, span },
        }
    }

    /// False if an axis is named that `y` lacks, or one of `y` has no part in the plot; that is reported.
    fn plot_axes_fit(&mut self, kind: &str, drawn: &[Drawn]) -> bool {
        let field = |name: &str| drawn.iter().find(|field| field.name == name);
        let Some(y) = field("y") else { return true };
        let Type::Tensor(_, axes) = y.val.ty() else { return true };
        for named in ["x", "by"].into_iter().filter_map(field) {
            let wanted = named.axis.map_or_else(|| named.val.axes().unwrap_or_default(), AxisSet::one);
            if let Some(missing) = wanted.minus(&axes).iter().next() {
                let why =
                    if named.axis.is_some() { "the plot needs this axis" } else { "`x` has an axis that `y` lacks" };
                let diagnostic = self.missing_axis(named.span, missing, &y.val, why).label(y.span, "in this `y`");
                self.error(diagnostic);
                return false;
            }
        }
        if let Some(by) = field("by").filter(|by| by.axis.is_none()) {
            self.error(messages::plot_by(by.span, &by.val.ty()));
            return false;
        }
        let by = field("by").and_then(|by| by.axis);
        let along = field("x").and_then(|x| match x.val.axes() {
            Some(own) if x.axis.is_none() && own.len() == 1 && kind != "scatter" => own.iter().next(),
            _ => x.axis,
        });
        let taken: AxisSet = along.into_iter().chain(by).collect();
        let over = axes.minus(&taken);
        let twice = along.is_some() && along == by;
        let fits = match kind {
            "scatter" | "histogram" => true,
            "heatmap" => !twice && axes.len() == 2 && !taken.is_empty(),
            // One axis that is left makes the series, or runs along.
            _ if axes.is_empty() => true,
            _ => !twice && if taken.len() == 2 { over.is_empty() } else { over.len() <= 1 },
        };
        if !fits {
            self.error(messages::plot_leaves_axes(y.span, &y.val.ty(), &over));
        }
        fits
    }
}
