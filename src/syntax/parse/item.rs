//! Items: what may stand at the top of a file.

use super::{Builder, Pair, Rule, parts};
use crate::base::diag::Diagnostic;
use crate::syntax::ast::*;
use std::rc::Rc;

impl Builder {
    pub(super) fn item(&mut self, pair: Pair, doc: Option<String>) -> Option<Item> {
        let inner = pair.into_inner().next()?;
        let span = self.span(&inner);
        let kind = match inner.as_rule() {
            Rule::experiment => self.experiment(inner)?,
            Rule::use_item => self.use_item(inner)?,
            Rule::axis_item => ItemKind::Axis(parts(inner).map(|decl| self.axis_decl(decl)).collect::<Option<_>>()?),
            Rule::input_item => {
                let mut inner = parts(inner);
                ItemKind::Input { name: self.ident(inner.next()?), value: self.expr(inner.next()?)? }
            }
            Rule::type_item => self.type_item(inner)?,
            Rule::fn_item => ItemKind::Fn(Rc::new(self.fn_item(inner)?)),
            Rule::expect_item => {
                ItemKind::Expect(parts(inner).map(|line| self.expectation(line)).collect::<Option<_>>()?)
            }
            _ => match self.stmt(inner)? {
                Stmt { kind: StmtKind::Plot(plot), .. } => ItemKind::Plot(plot),
                stmt => ItemKind::Stmt(stmt),
            },
        };
        Some(Item { doc, span, kind })
    }

    fn experiment(&mut self, pair: Pair) -> Option<ItemKind> {
        let mut inner = parts(pair);
        let name = self.plain_string(inner.next()?)?;
        let fields = self.fields(inner.next()?)?;
        Some(ItemKind::Experiment { name, fields })
    }

    fn use_item(&mut self, pair: Pair) -> Option<ItemKind> {
        let span = self.span(&pair);
        let mut inner = parts(pair);
        let first = inner.next()?;
        let source = match first.as_rule() {
            Rule::string => UseSource::Path(self.plain_string(first)?),
            _ => UseSource::Module(first.as_str().to_string()),
        };
        let mut found = Use { source, alias: None, names: Vec::new(), span };
        for part in inner {
            match part.as_rule() {
                Rule::alias => found.alias = self.idents(part).pop(),
                _ => found.names.push(self.ident(part)),
            }
        }
        Some(ItemKind::Use(found))
    }

    fn axis_decl(&mut self, pair: Pair) -> Option<AxisDecl> {
        let mut inner = parts(pair);
        let mut decl = AxisDecl { name: self.ident(inner.next()?), size: None, like: None };
        if let Some(part) = inner.next() {
            match part.as_rule() {
                Rule::like_name => decl.like = self.idents(part).pop(),
                _ => decl.size = Some(self.expr(part)?),
            }
        }
        Some(decl)
    }

    fn type_item(&mut self, pair: Pair) -> Option<ItemKind> {
        let (mut public, mut name, mut generics, mut ty) = (false, None, Vec::new(), None);
        for part in parts(pair) {
            match part.as_rule() {
                Rule::kw_pub => public = true,
                Rule::ident => name = Some(self.ident(part)),
                Rule::generics => generics = self.generics(part)?,
                _ => ty = Some(self.ty(part)?),
            }
        }
        Some(ItemKind::Type { public, name: name?, generics, ty: ty? })
    }

    fn fn_item(&mut self, pair: Pair) -> Option<FnItem> {
        let span = self.span(&pair);
        let (mut public, mut intrinsic, mut name) = (false, false, None);
        let (mut generics, mut params, mut result, mut body, mut vjp) = (Vec::new(), Vec::new(), None, None, None);
        for part in parts(pair) {
            match part.as_rule() {
                Rule::kw_pub => public = true,
                Rule::kw_intrinsic => intrinsic = true,
                Rule::ident => name = Some(self.ident(part)),
                Rule::generics => generics = self.generics(part)?,
                Rule::params => params = self.params(part)?,
                Rule::ty => result = Some(self.ty(part)?),
                Rule::block => body = Some(self.block(part)?),
                _ => vjp = Some(self.vjp(part)?),
            }
        }
        let item = FnItem { public, intrinsic, name: name?, generics, params, result, body, vjp, span };
        self.check_body(&item);
        Some(item)
    }

    /// A function has a body, an intrinsic has none.
    fn check_body(&mut self, item: &FnItem) {
        let name = &item.name;
        let error = match (&item.body, item.intrinsic) {
            (None, false) => Diagnostic::error("E001", name.span, format!("the function `{}` has no body", name.name))
                .help("its `{` stands at the end of the same line"),
            (Some(body), true) => {
                Diagnostic::error("E001", name.span, format!("the intrinsic `{}` has a body", name.name))
                    .label(body.span, "the runtime has the body of an intrinsic")
            }
            _ => return,
        };
        self.errors.push(error);
    }

    fn vjp(&mut self, pair: Pair) -> Option<Vjp> {
        let span = self.span(&pair);
        let mut inner = parts(pair);
        Some(Vjp {
            result: self.ident(inner.next()?),
            adjoint: self.ident(inner.next()?),
            fields: self.fields(inner.next()?)?,
            span,
        })
    }

    fn generics(&mut self, pair: Pair) -> Option<Vec<Generic>> {
        parts(pair)
            .map(|part| {
                let mut inner = parts(part);
                let mut generic = Generic { name: self.ident(inner.next()?), makes: None, bound: None };
                for part in inner {
                    match part.as_rule() {
                        Rule::makes => generic.makes = self.idents(part).pop(),
                        _ => generic.bound = self.idents(part).pop(),
                    }
                }
                Some(generic)
            })
            .collect()
    }

    pub(super) fn params(&mut self, pair: Pair) -> Option<Vec<Param>> {
        parts(pair)
            .map(|part| {
                let mut inner = parts(part);
                let mut param = Param { name: self.ident(inner.next()?), ty: None, default: None };
                for part in inner {
                    match part.as_rule() {
                        Rule::ty => param.ty = Some(self.ty(part)?),
                        _ => param.default = Some(self.expr(part)?),
                    }
                }
                Some(param)
            })
            .collect()
    }

    fn expectation(&mut self, pair: Pair) -> Option<Expectation> {
        let span = self.span(&pair);
        let mut inner = parts(pair);
        let value = self.expr(inner.next()?)?;
        let claim = inner.next()?;
        let rule = claim.as_rule();
        let mut inner = parts(claim);
        let claim = match rule {
            Rule::about => Claim::About { value: self.expr(inner.next()?)?, tolerance: self.expr(inner.next()?)? },
            Rule::within => {
                let low = self.expr(inner.next()?)?;
                let inclusive = inner.next()?.as_str() == "..=";
                Claim::Within { low, high: self.expr(inner.next()?)?, inclusive }
            }
            _ => {
                let op = super::literal::binary_op(inner.next()?.as_str())?;
                Claim::Compare { op, value: self.expr(inner.next()?)? }
            }
        };
        Some(Expectation { value, claim, span })
    }
}
