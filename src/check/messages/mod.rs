//! Every message of the checker, by constructor, so that the wording is of one kind.
//!
//! First a sentence that makes sense alone; then what was found and what was needed; then at most one help with
//! code that would compile.

use super::functions::Bound;
use super::operators::Operand;
use super::value::Val;
use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::base::suggest::closest;
use crate::ir::{AxisSet, Elem, Type};
use crate::syntax::ast::Ident;
use crate::syntax::slips;

mod items;
mod names;
mod values;

pub(super) use items::*;
pub(super) use names::*;
pub(super) use values::*;

type D = Diagnostic;

/// Adds "did you mean" when a known name is near.
fn did_you_mean(diagnostic: D, name: &str, known: &[String]) -> D {
    match closest(name, known.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

fn operator(op: ScalarOp) -> String {
    let sign = match op {
        ScalarOp::Add => "+",
        ScalarOp::Sub | ScalarOp::Neg => "-",
        ScalarOp::Mul => "*",
        ScalarOp::Div => "/",
        ScalarOp::Rem => "%",
        ScalarOp::Pow => "^",
        ScalarOp::Eq => "==",
        ScalarOp::Ne => "!=",
        ScalarOp::Lt => "<",
        ScalarOp::Le => "<=",
        ScalarOp::Gt => ">",
        ScalarOp::Ge => ">=",
        ScalarOp::And => "and",
        ScalarOp::Or => "or",
        ScalarOp::Not => "not",
        other => other.name(),
    };
    format!("`{sign}`")
}
