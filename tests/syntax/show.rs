//! Syntax trees as text that parses again, with every operator in brackets: what the parser understood.

use locus::syntax::ast::*;

pub fn program(program: &Program) -> String {
    let mut out = String::new();
    if let Some(text) = &program.doc {
        out.push_str(&doc(text));
        out.push('\n');
    }
    for item in &program.items {
        out.push_str(&item.doc.as_deref().map(doc).unwrap_or_default());
        out.push_str(&kind(&item.kind));
        out.push('\n');
    }
    out
}

fn doc(text: &str) -> String {
    text.lines().map(|line| format!("## {line}").trim_end().to_string() + "\n").collect()
}

fn kind(kind: &ItemKind) -> String {
    match kind {
        ItemKind::Experiment { name, fields } => format!("experiment {name:?} {}", record(fields)),
        ItemKind::Use(found) => use_item(found),
        ItemKind::Axis(axes) => format!("axis {}", join(axes, axis_decl)),
        ItemKind::Input { name, value } => format!("input {} = {}", name.name, expr(value)),
        ItemKind::Type { public, name, generics: g, ty: t } => {
            format!("{}type {}{} = {}", if *public { "pub " } else { "" }, name.name, generics(g), ty(t))
        }
        ItemKind::Fn(item) => fn_item(item),
        ItemKind::Plot(item) => plot(item),
        ItemKind::Expect(lines) => format!("expect {{\n{}}}", lines.iter().map(expectation).collect::<String>()),
        ItemKind::Stmt(found) => stmt(found),
    }
}

fn use_item(found: &Use) -> String {
    let source = match &found.source {
        UseSource::Module(name) => name.clone(),
        UseSource::Path(path) => format!("{path:?}"),
    };
    let alias = found.alias.as_ref().map(|name| format!(" as {}", name.name)).unwrap_or_default();
    let names = if found.names.is_empty() { String::new() } else { format!(": {}", join(&found.names, ident)) };
    format!("use {source}{alias}{names}")
}

fn axis_decl(decl: &AxisDecl) -> String {
    match (&decl.size, &decl.like) {
        (Some(size), _) => format!("{} = {}", decl.name.name, expr(size)),
        (_, Some(like)) => format!("{} like {}", decl.name.name, like.name),
        _ => decl.name.name.clone(),
    }
}

fn fn_item(item: &FnItem) -> String {
    let mut out = String::new();
    out.push_str(if item.public { "pub " } else { "" });
    out.push_str(if item.intrinsic { "intrinsic " } else { "" });
    out.push_str(&format!("fn {}{}({})", item.name.name, generics(&item.generics), join(&item.params, param)));
    if let Some(result) = &item.result {
        out.push_str(&format!(" -> {}", ty(result)));
    }
    if let Some(vjp) = &item.vjp {
        out.push_str(&format!("\n  vjp({}, {}) {}", vjp.result.name, vjp.adjoint.name, record(&vjp.fields)));
    }
    if let Some(body) = &item.body {
        out.push_str(&format!(" {}", block(body)));
    }
    out
}

fn generics(list: &[Generic]) -> String {
    let one = |generic: &Generic| {
        let makes = generic.makes.as_ref().map(|name| format!(" -> {}", name.name)).unwrap_or_default();
        let bound = generic.bound.as_ref().map(|name| format!(": {}", name.name)).unwrap_or_default();
        format!("{}{makes}{bound}", generic.name.name)
    };
    if list.is_empty() { String::new() } else { format!("<{}>", join(list, one)) }
}

fn param(found: &Param) -> String {
    let typed = found.ty.as_ref().map(|t| format!(": {}", ty(t))).unwrap_or_default();
    let default = found.default.as_ref().map(|value| format!(" = {}", expr(value))).unwrap_or_default();
    format!("{}{typed}{default}", found.name.name)
}

fn ty(found: &Ty) -> String {
    match &found.kind {
        TyKind::Path(name) => name.clone(),
        TyKind::Applied { head, axes } => format!("{head}[{}]", join(axes, axis_ref)),
        TyKind::Record(fields) => {
            format!("{{ {} }}", join(fields, |(name, field): &(Ident, Ty)| format!("{}: {}", name.name, ty(field))))
        }
        TyKind::List(item) => format!("list<{}>", ty(item)),
        TyKind::Fn(params, result) => format!("fn({}) -> {}", join(params, ty), ty(result)),
    }
}

fn plot(item: &PlotItem) -> String {
    format!("plot {} {}", item.kind.name, record(&item.fields))
}

fn expectation(line: &Expectation) -> String {
    let claim = match &line.claim {
        Claim::About { value, tolerance } => format!("~ {} +- {}", expr(value), expr(tolerance)),
        Claim::Within { low, high, inclusive } => {
            format!("in {} {} {}", expr(low), if *inclusive { "..=" } else { ".." }, expr(high))
        }
        Claim::Compare { op, value } => format!("{} {}", binary(*op), expr(value)),
    };
    format!("  {} {claim}\n", expr(&line.value))
}

fn block(found: &Block) -> String {
    let lines: String = found.stmts.iter().map(|line| format!("{};\n", stmt(line))).collect();
    format!("{{\n{}}}", indent(&lines))
}

fn stmt(found: &Stmt) -> String {
    match &found.kind {
        StmtKind::Let { mutable, pattern, ty: typed, value } => {
            let names = match pattern {
                Pattern::Name(name) => name.name.clone(),
                Pattern::Record(names) => format!("{{ {} }}", join(names, ident)),
            };
            let typed = typed.as_ref().map(|t| format!(": {}", ty(t))).unwrap_or_default();
            format!("let {}{names}{typed} = {}", if *mutable { "mut " } else { "" }, expr(value))
        }
        StmtKind::Site { name, value } => format!("site {} = {}", name.name, expr(value)),
        StmtKind::For { var, range, body } => format!("for {} in {} {}", var.name, expr(range), block(body)),
        StmtKind::While { test, body } => format!("while {} {}", expr(test), block(body)),
        StmtKind::Return(None) => "return".to_string(),
        StmtKind::Return(Some(value)) => format!("return {}", expr(value)),
        StmtKind::Assign { target, op, value } => {
            format!("{} {}= {}", expr(target), op.map(binary).unwrap_or_default(), expr(value))
        }
        StmtKind::Capture(found) => capture(found),
        StmtKind::Fit { name, fit } => format!("fit {} {}", name.name, record(&fit.fields)),
        StmtKind::Plot(item) => plot(item),
        StmtKind::Expr(value) => expr(value),
    }
}

fn capture(found: &CaptureExpr) -> String {
    let site = |binding: &SiteBinding| {
        let parts =
            if binding.parts.is_empty() { String::new() } else { format!("[{}]", join(&binding.parts, bracket)) };
        format!("{} = {}{parts}", binding.name.name, binding.site.name)
    };
    format!("capture {}({}) {{ {} }}", expr(&found.model), join(&found.args, arg), join(&found.sites, site))
}

fn with(found: &WithExpr) -> String {
    let swap = |swap: &Swap| {
        let parts = if swap.parts.is_empty() { String::new() } else { format!("[{}]", join(&swap.parts, bracket)) };
        format!("{}{parts} = {}", swap.site.name, expr(&swap.value))
    };
    format!("with {} {{ {} }}", expr(&found.model), join(&found.swaps, swap))
}

fn expr(found: &Expr) -> String {
    match &found.kind {
        ExprKind::Int(value) => value.to_string(),
        ExprKind::Float(value) => format!("{value:?}"),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Str(parts) => string(parts),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Unary { op: UnaryOp::Neg, value } => format!("(-{})", expr(value)),
        ExprKind::Unary { op: UnaryOp::Not, value } => format!("(not {})", expr(value)),
        ExprKind::Binary { op, left, right, .. } => format!("({} {} {})", expr(left), binary(*op), expr(right)),
        ExprKind::Contract { left, right, axes, .. } => {
            format!("({} @[{}] {})", expr(left), join(axes, ident), expr(right))
        }
        ExprKind::Range { low, high, inclusive } => {
            let end = |side: &Option<Box<Expr>>| side.as_ref().map(|value| expr(value)).unwrap_or_default();
            format!("({}{}{})", end(low), if *inclusive { "..=" } else { ".." }, end(high))
        }
        ExprKind::Call { callee, args, piped } => call(callee, args, *piped),
        ExprKind::Brackets { value, parts } => format!("{}[{}]", expr(value), join(parts, bracket)),
        ExprKind::Field { value, name } => format!("{}.{}", expr(value), name.name),
        ExprKind::If { test, then, other } => {
            let other = other.as_ref().map(|value| format!(" else {}", expr(value))).unwrap_or_default();
            format!("if {} {}{other}", expr(test), block(then))
        }
        ExprKind::Match { value, arms } => {
            let arms: String =
                arms.iter().map(|arm| format!("{} => {}\n", pattern(&arm.pattern), expr(&arm.body))).collect();
            format!("match {} {{\n{}}}", expr(value), indent(&arms))
        }
        ExprKind::Lambda(lambda) => format!("(fn({}) => {})", join(&lambda.params, param), expr(&lambda.body)),
        ExprKind::Record(fields) => record(fields),
        ExprKind::Comprehension { binders, body } => {
            let binders = join(binders, |(name, axis): &(Ident, Ident)| format!("{} in {}", name.name, axis.name));
            format!("[{binders} => {}]", expr(body))
        }
        ExprKind::List(items) => format!("[{}]", join(items, expr)),
        ExprKind::Block(found) => block(found),
        ExprKind::Capture(found) => capture(found),
        ExprKind::With(found) => with(found),
        ExprKind::Fit(fit) => format!("fit {}", record(&fit.fields)),
    }
}

fn call(callee: &Expr, args: &[Arg], piped: bool) -> String {
    match args {
        [first, rest @ ..] if piped => format!("({} |> {}({}))", arg(first), expr(callee), join(rest, arg)),
        _ => format!("{}({})", expr(callee), join(args, arg)),
    }
}

fn arg(found: &Arg) -> String {
    let name = found.name.as_ref().map(|name| format!("{}: ", name.name)).unwrap_or_default();
    format!("{name}{}", expr(&found.value))
}

fn record(fields: &[Field]) -> String {
    let field = |field: &Field| format!("{}: {}", field.name.name, expr(&field.value));
    format!("{{ {} }}", join(fields, field))
}

fn pattern(found: &ArmPattern) -> String {
    match found {
        ArmPattern::Int(value) => value.to_string(),
        ArmPattern::Float(value) => format!("{value:?}"),
        ArmPattern::Bool(value) => value.to_string(),
        ArmPattern::Str(text) => format!("{text:?}"),
        ArmPattern::Any => "_".to_string(),
        ArmPattern::Name(name) => name.name.clone(),
    }
}

fn bracket(found: &Bracket) -> String {
    match found {
        Bracket::Axis(axis) => axis_ref(axis),
        Bracket::Index { axis, value } => format!("{}: {}", axis.name, expr(value)),
        Bracket::Slice { axis, to, range } => format!("{} -> {}: {}", axis.name, to.name, expr(range)),
        Bracket::Rename { axis, to } => format!("{} -> {}", axis.name, to.name),
        Bracket::Split { axis, to } => {
            let part = |(name, length): &(Ident, Option<Expr>)| match length {
                Some(length) => format!("{}: {}", name.name, expr(length)),
                None => name.name.clone(),
            };
            format!("{} -> ({})", axis.name, join(to, part))
        }
        Bracket::Merge { axes, to } => format!("({}) -> {}", join(axes, ident), to.name),
    }
}

fn axis_ref(axis: &AxisRef) -> String {
    format!("{}{}", if axis.row { ".." } else { "" }, axis.name.name)
}

fn string(parts: &[StrPart]) -> String {
    let mut out = String::from("\"");
    for part in parts {
        match part {
            StrPart::Text(text) => {
                for c in text.chars() {
                    match c {
                        '\n' => out.push_str("\\n"),
                        '\t' => out.push_str("\\t"),
                        '"' | '\\' => out.extend(['\\', c]),
                        '{' | '}' => out.extend([c, c]),
                        _ => out.push(c),
                    }
                }
            }
            StrPart::Hole { value, format } => {
                let format = format.as_ref().map(|format| format!(":{format}")).unwrap_or_default();
                out.push_str(&format!("{{({}){format}}}", expr(value)));
            }
        }
    }
    out + "\""
}

fn binary(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::Pow => "^",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::And => "and",
        BinaryOp::Or => "or",
    }
}

fn ident(found: &Ident) -> String {
    found.name.clone()
}

fn join<T>(list: &[T], show: impl Fn(&T) -> String) -> String {
    list.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
