//! What a file declares at its top, as others see it: signatures, documentation, places.

use crate::base::span::Span;
use crate::syntax::ast::{FnItem, Item, ItemKind, Pattern, Program, Stmt, StmtKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemberKind {
    Function,
    Type,
    Axis,
    Value,
}

/// One name that a file declares.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    pub kind: MemberKind,
    /// The name itself, and all of what declares it.
    pub span: Span,
    pub whole: Span,
    pub public: bool,
    /// The declaration without its body, on one line.
    pub signature: String,
    pub doc: Option<String>,
    /// Of a function: its parameters as written, with the names alone in front.
    pub parameters: Vec<(String, String)>,
}

pub fn members(program: &Program, text: &str) -> Vec<Member> {
    program.items.iter().flat_map(|item| of_item(item, text)).collect()
}

fn of_item(item: &Item, text: &str) -> Vec<Member> {
    let whole = item.span;
    let plain = |name: &crate::syntax::ast::Ident, kind: MemberKind, signature: String| Member {
        name: name.name.clone(),
        kind,
        span: name.span,
        whole,
        public: true,
        signature,
        doc: item.doc.clone(),
        parameters: Vec::new(),
    };
    match &item.kind {
        ItemKind::Fn(function) => vec![Member {
            public: function.public,
            parameters: parameters(function, text),
            ..plain(&function.name, MemberKind::Function, signature(item, function, text))
        }],
        ItemKind::Type { public, name, .. } => {
            vec![Member { public: *public, ..plain(name, MemberKind::Type, one_line(slice(text, whole))) }]
        }
        ItemKind::Axis(axes) => {
            let declared = axes.iter().map(|decl| {
                let like = decl.like.as_ref().map_or(String::new(), |like| format!(" like {}", like.name));
                let size =
                    decl.size.as_ref().map_or(String::new(), |size| format!(" = {}", one_line(slice(text, size.span))));
                plain(&decl.name, MemberKind::Axis, format!("axis {}{size}{like}", decl.name.name))
            });
            declared.collect()
        }
        ItemKind::Input { name, .. } => vec![plain(name, MemberKind::Value, one_line(slice(text, whole)))],
        ItemKind::Stmt(stmt) => {
            bound(stmt).into_iter().map(|name| plain(name, MemberKind::Value, format!("let {}", name.name))).collect()
        }
        _ => Vec::new(),
    }
}

/// The names that a statement binds where it stands.
pub fn bound(stmt: &Stmt) -> Vec<&crate::syntax::ast::Ident> {
    match &stmt.kind {
        StmtKind::Let { pattern: Pattern::Name(name), .. } => vec![name],
        StmtKind::Let { pattern: Pattern::Record(names), .. } => names.iter().collect(),
        StmtKind::Fit { name, .. } | StmtKind::Site { name, .. } => vec![name],
        StmtKind::Capture(capture) => capture.sites.iter().map(|site| &site.name).collect(),
        _ => Vec::new(),
    }
}

/// From the first word to the body.
fn signature(item: &Item, function: &FnItem, text: &str) -> String {
    let ends = [function.body.as_ref().map(|body| body.span.start), function.vjp.as_ref().map(|vjp| vjp.span.start)];
    let end = ends.into_iter().flatten().min().unwrap_or(function.span.end);
    one_line(slice(text, Span { start: function.span.start.max(item.span.start), end, ..function.span }))
}

fn parameters(function: &FnItem, text: &str) -> Vec<(String, String)> {
    let shown = |param: &crate::syntax::ast::Param| {
        let ends = [param.ty.as_ref().map(|ty| ty.span.end), param.default.as_ref().map(|value| value.span.end)];
        let end = ends.into_iter().flatten().max().unwrap_or(param.name.span.end);
        (param.name.name.clone(), one_line(slice(text, Span { end, ..param.name.span })))
    };
    function.params.iter().map(shown).collect()
}

pub fn slice(text: &str, span: Span) -> &str {
    text.get(span.start as usize..span.end as usize).unwrap_or("")
}

pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
