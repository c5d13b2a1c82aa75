//! Words for common mistakes, many of them habits from other languages.

use super::ast::{Expr, ExprKind};
use crate::base::diag::Diagnostic;

/// `for i in range(n)`.
pub fn python_range(range: &Expr) -> Option<Diagnostic> {
    let ExprKind::Call { callee, .. } = &range.kind else { return None };
    let ExprKind::Name(name) = &callee.kind else { return None };
    if name != "range" {
        return None;
    }
    Some(Diagnostic::error("E003", range.span, "a range is written with two dots").help("for i in 0..n { ... }"))
}
