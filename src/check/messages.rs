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

// ---- names ---------------------------------------------------------------------------------------------------

pub(super) fn unknown_name(span: Span, name: &str, known: &[String], is_axis: bool) -> D {
    let d = D::error("E010", span, format!("nothing is called `{name}` here"));
    if is_axis {
        return d
            .note("note", format!("`{name}` is an axis; axes stand in brackets, before `[` in a type, or after `in`"));
    }
    match slips::unknown_name(name) {
        Some(help) => d.help(help),
        None => did_you_mean(d, name, known),
    }
}

pub(super) fn unknown_axis(span: Span, name: &str, known: &[String]) -> D {
    let d = D::error("E011", span, format!("no axis is called `{name}`"));
    match closest(name, known.iter().map(String::as_str)) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help(format!("declare it:  axis {name}")),
    }
}

pub(super) fn row_where_axis_needed(span: Span, name: &str) -> D {
    D::error("E011", span, format!("`..{name}` stands for any number of axes, and one axis is needed here"))
}

pub(super) fn unknown_module(span: Span, name: &str, known: &[String]) -> D {
    let known: Vec<String> = known.iter().map(|name| format!("std.{}", name.trim_start_matches("std."))).collect();
    did_you_mean(D::error("E043", span, format!("there is no module `{name}`")), name, &known)
}

pub(super) fn unreadable_neighbour(span: Span, path: &str, why: &str) -> D {
    D::error("E043", span, format!("`{path}` cannot be used: {why}"))
}

pub(super) fn import_cycle(span: Span, name: &str) -> D {
    D::error("E044", span, format!("`{name}` uses itself, directly or through what it uses"))
        .help("move what both need into a third file")
}

pub(super) fn unknown_in_module(span: Span, name: &str, module: &str, known: &[String]) -> D {
    did_you_mean(D::error("E010", span, format!("`{module}` has nothing called `{name}`")), name, known)
}

pub(super) fn private(span: Span, name: &str, module: &str) -> D {
    D::error("E010", span, format!("`{name}` is private to `{module}`"))
        .note("note", "other files see only what is marked `pub`")
}

pub(super) fn module_as_value(span: Span, name: &str) -> D {
    D::error("E010", span, format!("`{name}` is a module, not a value"))
        .help(format!("name what you need of it:  {name}.something"))
}

pub(super) fn unknown_type(span: Span, name: &str, known: &[String]) -> D {
    let mut known = known.to_vec();
    known.extend(["f32", "f64", "float", "int", "bool", "str", "key", "file", "list"].map(str::to_string));
    did_you_mean(D::error("E010", span, format!("no type or axis is called `{name}`")), name, &known)
}

pub(super) fn type_arity(span: Span, name: &str, wanted: usize, given: usize) -> D {
    D::error("E014", span, format!("the type `{name}` takes {wanted} axes, and {given} are given"))
}

pub(super) fn unknown_field(span: Span, name: &str, ty: &Type) -> D {
    let d = D::error("E015", span, format!("there is no field `{name}`")).note("found", ty.to_string());
    match ty {
        Type::Record(fields) => {
            let known: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
            let near = did_you_mean(d, name, &known);
            if near.help.is_some() {
                near
            } else {
                Diagnostic { help: slips::unknown_field(name).map(str::to_string), ..near }
            }
        }
        _ => Diagnostic { help: slips::unknown_field(name).map(str::to_string), ..d },
    }
}

pub(super) fn field_twice(span: Span, name: &str) -> D {
    D::error("E015", span, format!("the field `{name}` is given twice"))
}

pub(super) fn unknown_site(span: Span, name: &str, known: &[String]) -> D {
    let mut names = known.to_vec();
    names.dedup();
    did_you_mean(D::error("E016", span, format!("the model has no site `{name}`")), name, &names)
        .note("note", format!("its sites: {}", names.join(", ")))
}

pub(super) fn reads_mutable_top_level(span: Span, name: &str) -> D {
    D::error("E041", span, format!("a function cannot read `{name}`, which may change"))
        .help(format!("pass it as an argument, or declare it without `mut`:  let {name} = ..."))
}

// ---- axes ----------------------------------------------------------------------------------------------------

pub(super) fn missing_axis(span: Span, axis: Axis, name: Option<&str>, ty: &Type, why: &str) -> D {
    let needed = match ty {
        Type::Tensor(elem, axes) => format!("{elem}[{}, ..]", axes.with(axis)),
        other => other.to_string(),
    };
    let who = name.map_or_else(|| "this".to_string(), |name| format!("`{name}`"));
    let d = D::error("E012", span, format!("{who} has no axis `{axis}`")).here(why);
    let d = d.note("found", ty.to_string()).note("needed", needed);
    let own: Vec<String> = ty.axes().map(|axes| axes.iter().map(Axis::shown).collect()).unwrap_or_default();
    match (closest(&axis.shown(), own.iter().map(String::as_str)), own.as_slice()) {
        (Some(near), _) => d.help(format!("did you mean `{near}`?")),
        (None, [only]) => d.help(format!("its only axis is `{only}`")),
        _ => d,
    }
}

pub(super) fn nothing_carries(span: Span, axes: &[Axis], ty: &Type) -> D {
    let names: Vec<String> = axes.iter().map(|axis| axis.to_string()).collect();
    D::error("E012", span, format!("nothing here has the axis `{}`", names.join("` and `")))
        .note("found", ty.to_string())
}

pub(super) fn dots(span: Span, name: &str, is_row: bool) -> D {
    if is_row {
        return D::error("E011", span, format!("`{name}` stands for any number of axes"))
            .help(format!("write it with dots:  ..{name}"));
    }
    D::error("E011", span, format!("`{name}` is one axis; dots stand before a parameter for any number of axes"))
        .help(format!("write it without dots:  {name}"))
}

pub(super) fn range_keeps_axis(span: Span, axis: Axis) -> D {
    D::error("E020", span, format!("a part of `{axis}` needs an axis of its own"))
        .note("note", format!("an index of the part would count from another place than an index of `{axis}`"))
        .help(format!("declare a new one:  axis some_{axis}"))
}

pub(super) fn other_length(span: Span, axis: Axis, declared: i64, made: i64) -> D {
    D::error("E034", span, format!("this makes `{axis}` {made} long, and it is declared with {declared}"))
        .help("name another axis for this part, or declare the axis without a length")
}

pub(super) fn unused_axis(span: Span, name: &str) -> D {
    D::error("E017", span, format!("nothing uses the axis `{name}`"))
        .note("note", "perhaps another axis is written where this one is meant")
        .help("use it, or remove it here")
}

pub(super) fn plot_needs(span: Span) -> D {
    D::error("E014", span, "a plot needs the field `y`: what is drawn").help("plot lines { y: curve, x: pos }")
}

pub(super) fn plot_leaves_axes(span: Span, ty: &Type, over: &AxisSet) -> D {
    let d = match over.is_empty() {
        true => D::error("E032", span, "`x` and `by` of a plot are two different axes"),
        false => D::error("E032", span, format!("the plot does not say what to do with [{over}]")),
    };
    d.note("found", ty.to_string()).help("one axis runs along `x`, one makes series with `by`; reduce the others")
}

pub(super) fn axis_is_there(span: Span, axis: Axis, ty: &Type) -> D {
    D::error("E020", span, format!("the axis `{axis}` is there already"))
        .note("found", ty.to_string())
        .help("declare a new one:  axis other")
}

pub(super) fn axis_twice(span: Span, axis: Axis) -> D {
    D::error("E020", span, format!("the axis `{axis}` is named twice"))
}

pub(super) fn bare_axis(span: Span, name: &str) -> D {
    D::error("E012", span, format!("`[{name}]` does not say what to do along the axis"))
        .help(format!("one index is  x[{name}: 3], a range  x[{name} -> part: 0..8], a reduction  mean[{name}](x)"))
}

/// `help` says how the same is written if it is meant.
pub(super) fn no_common_axis(span: Span, first: &Operand, second: &Operand, help: String) -> D {
    let all = first.0.axes().unwrap_or_default().union(&second.0.axes().unwrap_or_default());
    let elem = first.0.elem().map(|elem| elem.to_string()).unwrap_or_default();
    D::error("E021", span, "these two tensors have no axis in common")
        .label(first.1, first.0.ty().to_string())
        .label(second.1, second.0.ty().to_string())
        .note("note", format!("this would build {elem}[{all}]"))
        .help(help)
}

pub(super) fn grows(span: Span, all: &AxisSet) -> D {
    D::warning("W001", span, format!("the result has more axes than either side: [{all}]"))
        .help("state the type if that is meant:  let x: f32[..] = ...")
}

pub(super) fn outer_shares(span: Span, axis: Axis, left: &str, right: &str) -> D {
    D::error("E021", span, format!("both sides have the axis `{axis}`, so `outer` is not needed"))
        .help(format!("write  {left} * {right}"))
}

pub(super) fn needs_axes(span: Span, name: &str, ty: &Type) -> D {
    let axes = ty.axes().map(|axes| axes.to_string()).unwrap_or_default();
    D::error("E032", span, format!("`{name}` must say over which axes"))
        .note("found", ty.to_string())
        .help(format!("{name}[{axes}](x)"))
}

pub(super) fn needs_one_axis(span: Span, name: &str) -> D {
    D::error("E032", span, format!("`{name}` takes one axis in brackets")).help(format!("{name}[pos](...)"))
}

pub(super) fn no_size(span: Span, axis: Axis) -> D {
    D::error("E033", span, format!("the axis `{axis}` has no length here"))
        .note("note", "no value in scope carries it, and no length is declared")
        .help(format!("axis {axis} = 64"))
}

pub(super) fn negative_size(span: Span) -> D {
    D::error("E033", span, "the length of an axis cannot be negative")
}

pub(super) fn wrong_index(span: Span, axis: Axis, found: &Type) -> D {
    let d = match found {
        Type::Tensor(Elem::Index(counted), _) => {
            D::error("E031", span, format!("this index counts `{counted}`, but the axis is `{axis}`"))
        }
        Type::Tensor(Elem::Int, axes) if !axes.is_empty() => {
            D::error("E031", span, format!("a tensor of ints is no index of `{axis}`"))
                .help(format!("index[{axis}](i)"))
        }
        other => D::error("E031", span, format!("`{other}` is no index of `{axis}`")),
    };
    d.note("found", found.to_string()).note("needed", format!("{axis}, or an int"))
}

pub(super) fn cannot_index(span: Span, ty: &Type) -> D {
    let d = D::error("E013", span, "brackets speak about the axes of a tensor").note("found", ty.to_string());
    if matches!(ty, Type::List(_)) { d.help("the third item of a list is  nth(xs, 2)") } else { d }
}

pub(super) fn index_into_function(span: Span) -> D {
    D::error("E013", span, "a function takes axes in brackets, not indices").help("mean[pos](x)")
}

pub(super) fn needs_range(span: Span) -> D {
    D::error("E013", span, "a new axis needs a range").help("x[pos -> late: 64..]")
}

pub(super) fn bare_range(span: Span) -> D {
    D::error("E013", span, "a range stands in brackets or after `in` only").help("for i in 0..10 { ... }")
}

pub(super) fn open_range(span: Span) -> D {
    D::error("E013", span, "a loop needs the end of its range").help("for i in 0..10 { ... }")
}

pub(super) fn cannot_loop(span: Span, ty: &Type) -> D {
    D::error("E013", span, "a loop runs over a range, an axis, a list, or a tensor with one axis")
        .note("found", ty.to_string())
        .help("for i in 0..n { ... }")
}

// ---- types ---------------------------------------------------------------------------------------------------

pub(super) fn mismatch(span: Span, what: &str, found: &Type, needed: &Type) -> D {
    let shown = match found {
        Type::Record(_) | Type::Fn(..) | Type::Unit => "this".to_string(),
        other => format!("`{other}`"),
    };
    // Some reasons are sentences of their own, the others name the place.
    let message = match ["every ", "both ", "a key "].iter().any(|start| what.starts_with(start)) {
        true => format!("{shown} does not fit: {what}"),
        false => format!("{shown} does not fit {what}"),
    };
    let d = D::error("E013", span, message).note("found", found.to_string()).note("needed", needed.to_string());
    match (found, needed) {
        (Type::Tensor(Elem::Bool, axes), needed) if *needed == Type::BOOL => {
            d.help(format!("any[{axes}](x)  or  all[{axes}](x)"))
        }
        (Type::Tensor(a, x), Type::Tensor(b, y)) if x == y && a != b && b.is_float() => {
            d.help(format!("convert it:  {b}(x)"))
        }
        _ => d,
    }
}

pub(super) fn mismatch_text(span: Span, what: &str, found: &Type, needed: &str) -> D {
    D::error("E013", span, format!("`{what}` needs {needed}")).note("found", found.to_string())
}

pub(super) fn argument(span: Span, function: &str, param: &str, found: &Type, needed: &str) -> D {
    D::error("E013", span, format!("`{param}` of `{function}` does not take this"))
        .note("found", found.to_string())
        .note("needed", needed)
}

pub(super) fn other_argument_element(span: Span, function: &str, param: &str, found: &Type, needed: Elem) -> D {
    D::error("E022", span, format!("`{param}` of `{function}` takes {needed} here"))
        .note("found", found.to_string())
        .help(format!("convert it:  {needed}(x)"))
}

pub(super) fn plot_by(span: Span, ty: &Type) -> D {
    D::error("E013", span, "`by` names an axis of `y`, which makes the series").note("found", ty.to_string())
}

pub(super) fn data_lacks_axis(span: Span, axis: Axis, field: &str, ty: &Type) -> D {
    D::error("E012", span, format!("`{field}` of the data has no axis `{axis}`"))
        .note("found", ty.to_string())
        .help("the loss may read what is the same for all of them directly")
}

pub(super) fn wrong_argument_element(span: Span, function: &str, param: &str, found: &Type, bound: Bound) -> D {
    let kind = if bound == Bound::Float { "floats" } else { "numbers" };
    let d = D::error("E022", span, format!("`{param}` of `{function}` takes {kind}")).note("found", found.to_string());
    match found.elem() {
        Some(Elem::Index(_)) => d.help("an index becomes a number by  int(i)"),
        _ => d.help("convert it:  f32(x)"),
    }
}

pub(super) fn not_a_number(span: Span, op: ScalarOp, found: &Type) -> D {
    let d = D::error("E013", span, format!("{} works on numbers and tensors", operator(op)))
        .note("found", found.to_string());
    if *found == Type::Str { d.help("values are put into a text by curly brackets:  \"n = {n}\"") } else { d }
}

pub(super) fn elements_differ(span: Span, first: &Operand, second: &Operand) -> D {
    let name = |val: &Val| val.elem().map(|elem| elem.to_string()).unwrap_or_else(|| val.ty().to_string());
    let (a, b) = (name(&first.0), name(&second.0));
    D::error("E022", span, format!("the elements differ: {a} and {b}"))
        .label(first.1, first.0.ty().to_string())
        .label(second.1, second.0.ty().to_string())
        .help(if b == "f64" || a == "f64" { "convert one side:  f64(x)" } else { "convert one side:  f32(x)" })
}

pub(super) fn wrong_element(span: Span, op: ScalarOp, elem: Elem) -> D {
    let d = D::error("E022", span, format!("{} does not work on `{elem}`", operator(op)));
    match elem {
        Elem::Index(_) => d.help("an index becomes a number by  int(i)"),
        Elem::Bool => d.help("a bool becomes a number by  f32(b)"),
        _ => d,
    }
}

pub(super) fn operand_does_not_fit(span: Span, op: ScalarOp, from: Elem, to: Elem) -> D {
    let d = D::error("E022", span, format!("{} meets `{from}` with `{to}`", operator(op)));
    match (from, to) {
        (Elem::Index(_), _) => d.help("an index becomes a number by  int(i)"),
        (_, Elem::Index(axis)) => d.help(format!("compare as numbers:  int(i), or make an index:  index[{axis}](n)")),
        (_, Elem::Int) => d.help("convert the tensor:  f32(n)"),
        _ => d.help(format!("convert it:  {to}(x)")),
    }
}

pub(super) fn literal_does_not_fit(span: Span, found: &Type, to: Elem) -> D {
    let d = D::error("E022", span, format!("this literal is no `{to}`")).note("found", found.to_string());
    match to {
        Elem::Int => d.help("convert the tensor to floats:  f32(n)"),
        Elem::Index(_) => d.help("an index becomes a number by  int(i)"),
        _ => d,
    }
}

pub(super) fn cannot_reduce(span: Span, name: &str, ty: &Type) -> D {
    let d = D::error("E013", span, format!("`{name}` does not work on this")).note("found", ty.to_string());
    match ty.elem() {
        Some(Elem::Bool) => d.help("how many are true is  count[..](b), their share  mean[..](f32(b))"),
        Some(Elem::Index(_)) => d.help("an index becomes a number by  int(i)"),
        _ => d.help("any, all and count work on comparisons:  count[pos](x > 0.0)"),
    }
}

pub(super) fn branches_differ(span: Span, first: &Type, second: &Type) -> D {
    D::error("E013", span, "the two branches have different types")
        .note("found", first.to_string())
        .note("and", second.to_string())
}

pub(super) fn shapes_differ(span: Span, first: &Type, second: &Type) -> D {
    D::error("E013", span, "records that are walked together must have the same fields")
        .note("found", first.to_string())
        .note("and", second.to_string())
}

pub(super) fn body_not_scalar(span: Span, ty: &Type) -> D {
    D::error("E013", span, "the body of a comprehension is one number for each place")
        .note("found", ty.to_string())
        .note("needed", "a scalar")
}

pub(super) fn no_value(span: Span) -> D {
    D::error("E013", span, "this has no value to keep")
}

pub(super) fn match_not_complete(span: Span) -> D {
    D::error("E013", span, "this `match` does not cover every value").help("add  _ => ...")
}

// ---- calls ---------------------------------------------------------------------------------------------------

pub(super) fn not_a_function(span: Span, ty: &Type) -> D {
    D::error("E013", span, "this is not a function").note("found", ty.to_string())
}

pub(super) fn arity(span: Span, name: &str, wanted: usize, given: usize) -> D {
    D::error(
        "E014",
        span,
        format!("`{name}` takes {wanted} argument{}, and {given} are given", if wanted == 1 { "" } else { "s" }),
    )
}

pub(super) fn argument_twice(span: Span, name: &str) -> D {
    D::error("E014", span, format!("the parameter `{name}` is given twice"))
}

pub(super) fn too_many_arguments(span: Span, who: &str, name: Option<&Ident>, known: &[String]) -> D {
    match name {
        Some(name) => did_you_mean(
            D::error("E014", name.span, format!("{who} has no parameter `{}`", name.name)),
            &name.name,
            known,
        ),
        None => D::error(
            "E014",
            span,
            format!("{who} takes {} argument{}", known.len(), if known.len() == 1 { "" } else { "s" }),
        ),
    }
}

pub(super) fn missing_argument(span: Span, who: &str, name: &str) -> D {
    D::error("E014", span, format!("{who} needs the argument `{name}`"))
}

pub(super) fn ambiguous(span: Span, name: &str, open: &[String]) -> D {
    D::error("E032", span, format!("`{name}` could mean more than one choice of axes"))
        .note("note", format!("left open: `{}`", open.join("`, `")))
        .help(format!("name an axis for each, in this order:  {name}[{}](...)", open.join(", ")))
}

pub(super) fn open_parameters(span: Span, name: &str, open: &[String]) -> D {
    D::error("E030", span, format!("no argument of `{name}` tells which axes `{}` are", open.join("`, `")))
        .help(format!("name an axis for each, in this order:  {name}[{}](...)", open.join(", ")))
}

pub(super) fn too_many_axes(span: Span, name: &str, given: usize, taken: usize) -> D {
    D::error("E014", span, format!("`{name}` takes {taken} axes in brackets, and {given} are given"))
}

pub(super) fn needs_types(span: Span, name: &str) -> D {
    D::error(
        "E042",
        span,
        format!("`{name}` calls itself or returns from a loop, so its parameters and result need types"),
    )
    .help("state every type, with no function among the parameters")
}

pub(super) fn too_deep(span: Span) -> D {
    D::error("E004", span, "calls or expressions nest too deep here")
}

pub(super) fn unknown_builtin(span: Span, name: &str) -> D {
    D::error("E010", span, format!("the runtime has no builtin `{name}`"))
}

pub(super) fn function_as_value(span: Span) -> D {
    D::error("E042", span, "a function cannot be kept in a list or returned to the prompt")
        .help("call it, and keep the result")
}

pub(super) fn function_chosen_at_run_time(span: Span) -> D {
    D::error("E042", span, "which function this is must be known before the program runs")
        .help("choose inside the function:  fn(x) => if c { f(x) } else { g(x) }")
}

// ---- statements ----------------------------------------------------------------------------------------------

pub(super) fn lost(span: Span) -> D {
    D::error("E099", span, "the checker lost this value without a reason")
        .help("this is a fault of locus; please report it")
}

pub(super) fn return_at_top(span: Span) -> D {
    D::error("E014", span, "`return` stands outside a function")
}

pub(super) fn not_mutable(span: Span, name: &str, declared: Span) -> D {
    D::error("E041", span, format!("`{name}` does not change"))
        .label(declared, "declared here without `mut`")
        .help(format!("let mut {name} = ..."))
}

pub(super) fn assigns_outside(span: Span, name: &str) -> D {
    D::error("E041", span, format!("a function cannot assign to `{name}` outside it"))
        .help("return the new value instead")
}

pub(super) fn not_assignable(span: Span) -> D {
    D::error("E041", span, "only a variable, a field, or a part of a tensor can be assigned to")
        .help("x = 1,  r.field = 1,  t[pos: 3] = 1.0")
}

pub(super) fn effect(span: Span, place: &str) -> D {
    D::error("E040", span, format!("{place} cannot print, write or plot")).help("print the result afterwards")
}

// ---- experiments ---------------------------------------------------------------------------------------------

pub(super) fn not_a_model(span: Span, ty: &Type) -> D {
    D::error("E013", span, "this is no model: a model is a function, or a record with a field `forward`")
        .note("found", ty.to_string())
}

pub(super) fn nested_capture(span: Span) -> D {
    D::error("E013", span, "a capture cannot stand inside the forward pass of another")
}

pub(super) fn two_open_loops(span: Span, axes: &[Axis]) -> D {
    let names: Vec<String> = axes.iter().map(|axis| axis.to_string()).collect();
    D::error("E016", span, format!("the site lies in loops over {}; pin all but one", names.join(" and ")))
}

pub(super) fn not_differentiable_argument(span: Span, ty: &Type) -> D {
    D::error("E064", span, "a gradient is taken by floats, and this has something else").note("found", ty.to_string())
}

pub(super) fn not_a_loss(span: Span, ty: &Type) -> D {
    D::error("E013", span, "a loss is one float, or a record with a float `loss`")
        .note("found", ty.to_string())
        .note("needed", "float, or { loss: float, state, metrics }")
}

pub(super) fn fit_needs(span: Span, field: &str) -> D {
    let example = match field {
        "data" => "data: { x: x }",
        "over" => "over: sample",
        "init" => "init: fn(key) => zeros[dmodel]()",
        "loss" => "loss: fn(p, b) => mse(b.x, p)",
        "optim" => "optim: adam(lr: 1e-3)",
        "steps" => "steps: 1_000",
        _ => "batch: 64",
    };
    D::error("E014", span, format!("`fit` needs the field `{field}`")).help(example)
}

pub(super) fn unknown_plot(span: Span, name: &str, known: &[&str]) -> D {
    let names: Vec<String> = known.iter().map(|name| name.to_string()).collect();
    did_you_mean(D::error("E010", span, format!("there is no plot `{name}`")), name, &names)
        .note("note", format!("plots are {}", known.join(", ")))
}

pub(super) fn exact_float(span: Span, text: &str, wanted: &str) -> D {
    D::error("E050", span, "floats are not compared for equality").help(format!("{text} ~ {wanted} +- 0.01"))
}

pub(super) fn input_not_file(span: Span) -> D {
    D::error("E013", span, "an input is a file").help("input x = file(\"data/x.npy\", sha256: \"?\")")
}

pub(super) fn input_not_literal(span: Span) -> D {
    D::error("E013", span, "the path and the hash of an input are written out")
}

pub(super) fn seed_not_literal(span: Span) -> D {
    D::error("E013", span, "the seed is a whole number").help("seed: 17")
}

pub(super) fn unused_override(name: &str) -> D {
    D::plain(
        "E051",
        format!("`--set {name}` names nothing: no top-level `let` or axis with a literal value is called so"),
    )
}

pub(super) fn override_does_not_fit(name: &str, text: &str) -> D {
    D::plain(
        "E051",
        format!("`--set {name}={text}` does not fit: it needs a literal of the type that the file gives `{name}`"),
    )
}
