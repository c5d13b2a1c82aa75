//! The syntax tree, close to the source; every node has a span.

use crate::base::span::Span;

#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    pub name: String,
    pub span: Span,
}

/// One file, module, or entry at the prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// The `##` lines before the first item that are followed by a blank line.
    pub doc: Option<String>,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The `##` lines directly above.
    pub doc: Option<String>,
    pub span: Span,
    pub kind: ItemKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `experiment "name" { locus: "0.1", seed: 17 }`
    Experiment {
        name: String,
        fields: Vec<Field>,
    },
    Use(Use),
    Axis(Vec<AxisDecl>),
    /// `input x = file("path", sha256: "...")`
    Input {
        name: Ident,
        value: Expr,
    },
    Type {
        public: bool,
        name: Ident,
        generics: Vec<Generic>,
        ty: Ty,
    },
    Fn(std::rc::Rc<FnItem>),
    Plot(PlotItem),
    Expect(Vec<Expectation>),
    Stmt(Stmt),
}

/// `use std.models.gpt2`, `use std.optim: adam, sgd`, `use "neighbour.exp" as near`
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    pub source: UseSource,
    pub alias: Option<Ident>,
    /// Names brought into scope unqualified; empty: the module under its last name.
    pub names: Vec<Ident>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum UseSource {
    /// `std.models.gpt2`
    Module(String),
    /// A path in quotes, relative to the file.
    Path(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct AxisDecl {
    pub name: Ident,
    pub size: Option<Expr>,
    pub like: Option<Ident>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FnItem {
    pub public: bool,
    /// The body is a builtin of the runtime.
    pub intrinsic: bool,
    pub name: Ident,
    pub generics: Vec<Generic>,
    pub params: Vec<Param>,
    pub result: Option<Ty>,
    pub body: Option<Block>,
    pub vjp: Option<Vjp>,
    pub span: Span,
}

/// `vjp(y, dy) { x: dy * y }`: the adjoint of each parameter, from the result and the result's adjoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Vjp {
    pub result: Ident,
    pub adjoint: Ident,
    pub fields: Vec<Field>,
    pub span: Span,
}

/// `d`, `a -> b` (the function makes axis `b` out of `a`), `e: float`.
#[derive(Clone, Debug, PartialEq)]
pub struct Generic {
    pub name: Ident,
    pub makes: Option<Ident>,
    pub bound: Option<Ident>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub name: Ident,
    pub ty: Option<Ty>,
    pub default: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Ty {
    pub span: Span,
    pub kind: TyKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TyKind {
    /// `float`, `pos`, `sae.Config`
    Path(String),
    /// `f32[batch, ..r]`, `Sae[d, f]`, `vocab[batch]`
    Applied {
        head: String,
        axes: Vec<AxisRef>,
    },
    Record(Vec<(Ident, Ty)>),
    List(Box<Ty>),
    Fn(Vec<Ty>, Box<Ty>),
}

/// `d` or `..r`
#[derive(Clone, Debug, PartialEq)]
pub struct AxisRef {
    pub name: Ident,
    pub row: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PlotItem {
    /// `lines`, `bars`, `scatter`, `heatmap`, `histogram`
    pub kind: Ident,
    pub fields: Vec<Field>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    pub value: Expr,
    pub claim: Claim,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// `~ v +- tol`
    About { value: Expr, tolerance: Expr },
    /// `in a .. b`; `inclusive` for `..=`
    Within { low: Expr, high: Expr, inclusive: bool },
    /// `== v`, `<= v`, ...
    Compare { op: BinaryOp, value: Expr },
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    pub span: Span,
    pub kind: StmtKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    Let {
        mutable: bool,
        pattern: Pattern,
        ty: Option<Ty>,
        value: Expr,
    },
    /// `site q = ...`: a place that `capture` can name.
    Site {
        name: Ident,
        value: Expr,
    },
    For {
        var: Ident,
        range: Expr,
        body: Block,
    },
    While {
        test: Expr,
        body: Block,
    },
    Return(Option<Expr>),
    /// `x = e`, `x += e`, `r.field = e`, `t[pos: 3] = e`; `op` is `None` for a plain `=`.
    Assign {
        target: Expr,
        op: Option<BinaryOp>,
        value: Expr,
    },
    /// `capture model(args) { x = site[layer: 2] }` as a statement binds the names in its braces.
    Capture(CaptureExpr),
    /// `fit name { ... }` as a statement binds the name.
    Fit {
        name: Ident,
        fit: FitExpr,
    },
    /// A plot inside a block; at the top it is an item.
    Plot(PlotItem),
    Expr(Expr),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    Name(Ident),
    /// `let { a, b } = record`
    Record(Vec<Ident>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub span: Span,
    pub kind: ExprKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Int(i64),
    /// Any literal with a point or an exponent.
    Float(f64),
    Bool(bool),
    Str(Vec<StrPart>),
    Name(String),
    Unary {
        op: UnaryOp,
        value: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
        op_span: Span,
    },
    /// `x @[d] y`
    Contract {
        left: Box<Expr>,
        right: Box<Expr>,
        axes: Vec<Ident>,
        op_span: Span,
    },
    /// `a..b`, `a..=b`, `..b`, `a..`
    Range {
        low: Option<Box<Expr>>,
        high: Option<Box<Expr>>,
        inclusive: bool,
    },
    /// `f(a, k: 3)`. A pipeline `x |> f(a)` is parsed to the call `f(x, a)` with `piped`.
    Call {
        callee: Box<Expr>,
        args: Vec<Arg>,
        piped: bool,
    },
    /// `x[...]`, also `f[axes]` before a call.
    Brackets {
        value: Box<Expr>,
        parts: Vec<Bracket>,
    },
    Field {
        value: Box<Expr>,
        name: Ident,
    },
    If {
        test: Box<Expr>,
        then: Block,
        other: Option<Box<Expr>>,
    },
    Match {
        value: Box<Expr>,
        arms: Vec<Arm>,
    },
    Lambda(std::rc::Rc<Lambda>),
    Record(Vec<Field>),
    Comprehension {
        binders: Vec<(Ident, Ident)>,
        body: Box<Expr>,
    },
    List(Vec<Expr>),
    Block(Block),
    /// Yields the record of its bindings.
    Capture(Box<CaptureExpr>),
    /// `with model { site[layer: 2] = fn(x) => ... }`: the model with other values at its sites.
    With(Box<WithExpr>),
    /// `fit { ... }` yields what it trained.
    Fit(Box<FitExpr>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Lambda {
    pub params: Vec<Param>,
    pub body: Expr,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CaptureExpr {
    pub model: Expr,
    pub args: Vec<Arg>,
    pub sites: Vec<SiteBinding>,
    pub span: Span,
}

/// `x = resid_pre[layer: 2]`, or `x = blocks.2.hook_resid_pre`: then the name of the site is the dotted path.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteBinding {
    pub name: Ident,
    pub site: Ident,
    pub parts: Vec<Bracket>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct WithExpr {
    pub model: Expr,
    pub swaps: Vec<Swap>,
    pub span: Span,
}

/// `z[layer: 3, head: 2] = fn(z) => ...`; the site may be a dotted path, as in a `SiteBinding`.
#[derive(Clone, Debug, PartialEq)]
pub struct Swap {
    pub site: Ident,
    pub parts: Vec<Bracket>,
    pub value: Expr,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FitExpr {
    pub fields: Vec<Field>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    pub name: Option<Ident>,
    pub value: Expr,
}

/// `name: value`; `name` alone is `name: name`.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: Ident,
    pub value: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub pattern: ArmPattern,
    pub body: Expr,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ArmPattern {
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
    /// `_`
    Any,
    /// Binds the value.
    Name(Ident),
}

/// One part between square brackets.
#[derive(Clone, Debug, PartialEq)]
pub enum Bracket {
    /// `pos` or `..r`: an axis argument.
    Axis(AxisRef),
    /// `pos: e`, one index or a gather.
    Index { axis: Ident, value: Expr },
    /// `pos -> late: 64..`
    Slice { axis: Ident, to: Ident, range: Expr },
    /// `pos -> kpos`
    Rename { axis: Ident, to: Ident },
    /// `dmodel -> (head: 4, dhead)`; a part may state its length.
    Split { axis: Ident, to: Vec<(Ident, Option<Expr>)> },
    /// `(batch, pos) -> sample`
    Merge { axes: Vec<Ident>, to: Ident },
}

#[derive(Clone, Debug, PartialEq)]
pub enum StrPart {
    Text(String),
    /// `{e:.3}`; the format is the text after the colon: `.3`, `.1%`, `e`, `8`.
    Hole {
        value: Expr,
        format: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Neg,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
}
