//! Types as they are written.

use super::{Builder, Pair, Rule, parts};
use crate::syntax::ast::*;

impl Builder {
    pub(super) fn ty(&mut self, pair: Pair) -> Option<Ty> {
        let inner = pair.into_inner().next()?;
        let span = self.span(&inner);
        let kind = self.deeper(1, span, |builder| match inner.as_rule() {
            Rule::fn_ty => builder.fn_ty(inner),
            Rule::record_ty => {
                Some(TyKind::Record(parts(inner).map(|part| builder.field_ty(part)).collect::<Option<_>>()?))
            }
            Rule::list_ty => Some(TyKind::List(Box::new(builder.ty(parts(inner).next()?)?))),
            _ => builder.named_ty(inner),
        })?;
        Some(Ty { span, kind })
    }

    fn fn_ty(&mut self, pair: Pair) -> Option<TyKind> {
        let mut types: Vec<Ty> = parts(pair).map(|part| self.ty(part)).collect::<Option<_>>()?;
        let result = types.pop()?;
        Some(TyKind::Fn(types, Box::new(result)))
    }

    fn field_ty(&mut self, pair: Pair) -> Option<(Ident, Ty)> {
        let mut inner = parts(pair);
        Some((self.ident(inner.next()?), self.ty(inner.next()?)?))
    }

    fn named_ty(&mut self, pair: Pair) -> Option<TyKind> {
        let mut inner = parts(pair);
        let head = inner.next()?.as_str().to_string();
        match inner.next() {
            None => Some(TyKind::Path(head)),
            Some(axes) => {
                let axes = parts(axes).map(|part| self.axis_ref(part)).collect::<Option<_>>()?;
                Some(TyKind::Applied { head, axes })
            }
        }
    }

    /// `d` or `..r`
    pub(super) fn axis_ref(&mut self, pair: Pair) -> Option<AxisRef> {
        let inner = pair.into_inner().next()?;
        match inner.as_rule() {
            Rule::row_var => Some(AxisRef { name: self.idents(inner).pop()?, row: true }),
            _ => Some(AxisRef { name: self.ident(inner), row: false }),
        }
    }
}
