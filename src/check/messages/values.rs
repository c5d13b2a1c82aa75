//! Messages about types and calls.

use super::*;

// ---- types ---------------------------------------------------------------------------------------------------------

pub(in crate::check) fn mismatch(span: Span, what: &str, found: &Type, needed: &Type) -> D {
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

pub(in crate::check) fn mismatch_text(span: Span, what: &str, found: &Type, needed: &str) -> D {
    D::error("E013", span, format!("`{what}` needs {needed}")).note("found", found.to_string())
}

pub(in crate::check) fn argument(span: Span, function: &str, param: &str, found: &Type, needed: &str) -> D {
    D::error("E013", span, format!("`{param}` of `{function}` does not take this"))
        .note("found", found.to_string())
        .note("needed", needed)
}

pub(in crate::check) fn other_argument_element(
    span: Span,
    function: &str,
    param: &str,
    found: &Type,
    needed: Elem,
) -> D {
    D::error("E022", span, format!("`{param}` of `{function}` takes {needed} here"))
        .note("found", found.to_string())
        .help(format!("convert it:  {needed}(x)"))
}

pub(in crate::check) fn plot_by(span: Span, ty: &Type) -> D {
    D::error("E013", span, "`by` names an axis of `y`, which makes the series").note("found", ty.to_string())
}

pub(in crate::check) fn data_lacks_axis(span: Span, axis: Axis, field: &str, ty: &Type) -> D {
    D::error("E012", span, format!("`{field}` of the data has no axis `{axis}`"))
        .note("found", ty.to_string())
        .help("the loss may read what is the same for all of them directly")
}

pub(in crate::check) fn wrong_argument_element(
    span: Span,
    function: &str,
    param: &str,
    found: &Type,
    bound: Bound,
) -> D {
    let kind = if bound == Bound::Float { "floats" } else { "numbers" };
    let d = D::error("E022", span, format!("`{param}` of `{function}` takes {kind}")).note("found", found.to_string());
    match found.elem() {
        Some(Elem::Index(_)) => d.help("an index becomes a number by  int(i)"),
        _ => d.help("convert it:  f32(x)"),
    }
}

pub(in crate::check) fn not_a_number(span: Span, op: ScalarOp, found: &Type) -> D {
    let d = D::error("E013", span, format!("{} works on numbers and tensors", operator(op)))
        .note("found", found.to_string());
    if *found == Type::Str { d.help("values are put into a text by curly brackets:  \"n = {n}\"") } else { d }
}

pub(in crate::check) fn elements_differ(span: Span, first: &Operand, second: &Operand) -> D {
    let name = |val: &Val| val.elem().map(|elem| elem.to_string()).unwrap_or_else(|| val.ty().to_string());
    let (a, b) = (name(&first.0), name(&second.0));
    D::error("E022", span, format!("the elements differ: {a} and {b}"))
        .label(first.1, first.0.ty().to_string())
        .label(second.1, second.0.ty().to_string())
        .help(if b == "f64" || a == "f64" { "convert one side:  f64(x)" } else { "convert one side:  f32(x)" })
}

pub(in crate::check) fn wrong_element(span: Span, op: ScalarOp, elem: Elem) -> D {
    let d = D::error("E022", span, format!("{} does not work on `{elem}`", operator(op)));
    match elem {
        Elem::Index(_) => d.help("an index becomes a number by  int(i)"),
        Elem::Bool => d.help("a bool becomes a number by  f32(b)"),
        _ => d,
    }
}

pub(in crate::check) fn operand_does_not_fit(span: Span, op: ScalarOp, from: Elem, to: Elem) -> D {
    let d = D::error("E022", span, format!("{} meets `{from}` with `{to}`", operator(op)));
    match (from, to) {
        (Elem::Index(_), _) => d.help("an index becomes a number by  int(i)"),
        (_, Elem::Index(axis)) => d.help(format!("compare as numbers:  int(i), or make an index:  index[{axis}](n)")),
        (_, Elem::Int) => d.help("convert the tensor:  f32(n)"),
        _ => d.help(format!("convert it:  {to}(x)")),
    }
}

pub(in crate::check) fn literal_does_not_fit(span: Span, found: &Type, to: Elem) -> D {
    let d = D::error("E022", span, format!("this literal is no `{to}`")).note("found", found.to_string());
    match to {
        Elem::Int => d.help("convert the tensor to floats:  f32(n)"),
        Elem::Index(_) => d.help("an index becomes a number by  int(i)"),
        _ => d,
    }
}

pub(in crate::check) fn cannot_reduce(span: Span, name: &str, ty: &Type) -> D {
    let d = D::error("E013", span, format!("`{name}` does not work on this")).note("found", ty.to_string());
    match ty.elem() {
        Some(Elem::Bool) => d.help("how many are true is  count[..](b), their share  mean[..](f32(b))"),
        Some(Elem::Index(_)) => d.help("an index becomes a number by  int(i)"),
        _ => d.help("any, all and count work on comparisons:  count[pos](x > 0.0)"),
    }
}

pub(in crate::check) fn width_of_tensor(span: Span, ty: &Type) -> D {
    D::error("E013", span, "a format with a width shows one number, and this is a tensor")
        .note("found", ty.to_string())
        .help("pick one element, or leave the width away:  {x:.3}")
}

pub(in crate::check) fn branches_differ(span: Span, first: &Type, second: &Type) -> D {
    D::error("E013", span, "the two branches have different types")
        .note("found", first.to_string())
        .note("and", second.to_string())
}

pub(in crate::check) fn shapes_differ(span: Span, first: &Type, second: &Type) -> D {
    D::error("E013", span, "records that are walked together must have the same fields")
        .note("found", first.to_string())
        .note("and", second.to_string())
}

pub(in crate::check) fn body_not_scalar(span: Span, ty: &Type) -> D {
    D::error("E013", span, "the body of a comprehension is one number for each place")
        .note("found", ty.to_string())
        .note("needed", "a scalar")
}

pub(in crate::check) fn no_value(span: Span) -> D {
    D::error("E013", span, "this has no value to keep")
}

pub(in crate::check) fn match_not_complete(span: Span) -> D {
    D::error("E013", span, "this `match` does not cover every value").help("add  _ => ...")
}

// ---- calls ---------------------------------------------------------------------------------------------------------

pub(in crate::check) fn not_a_function(span: Span, val: &Val, text: &str) -> D {
    let d = D::error("E013", span, "this is not a function").note("found", shape_of_record(&val.ty()));
    match val.field("forward") {
        Some(Val::Fn(_)) => {
            d.help(format!("a model is run by  {text}.forward(...)  or  capture {text}(...) {{ ... }}"))
        }
        _ => d,
    }
}

pub(in crate::check) fn arity(span: Span, name: &str, wanted: usize, given: usize) -> D {
    D::error(
        "E014",
        span,
        format!("`{name}` takes {wanted} argument{}, and {given} are given", if wanted == 1 { "" } else { "s" }),
    )
}

pub(in crate::check) fn argument_twice(span: Span, name: &str) -> D {
    D::error("E014", span, format!("the parameter `{name}` is given twice"))
}

pub(in crate::check) fn too_many_arguments(span: Span, who: &str, name: Option<&Ident>, known: &[String]) -> D {
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

pub(in crate::check) fn missing_argument(span: Span, who: &str, name: &str) -> D {
    D::error("E014", span, format!("{who} needs the argument `{name}`"))
}

/// `open` are the parameters that the call has to say, and `axes` what the only one may be, if there is only one.
pub(in crate::check) fn ambiguous(span: Span, name: &str, open: &[String], axes: &AxisSet) -> D {
    let d = D::error("E032", span, format!("`{name}` could mean more than one choice of axes"));
    if !axes.is_empty() {
        let each: Vec<String> = axes.iter().map(|axis| format!("{name}[{axis}](...)")).collect();
        return d.note("note", "it must say over which axes").help(each.join("  or  "));
    }
    d.note("note", format!("left open: `{}`", open.join("`, `")))
        .help(format!("name an axis for each, in this order:  {name}[{}](...)", open.join(", ")))
}

pub(in crate::check) fn open_parameters(span: Span, name: &str, open: &[String]) -> D {
    D::error("E030", span, format!("no argument of `{name}` tells which axes `{}` are", open.join("`, `")))
        .help(format!("name an axis for each, in this order:  {name}[{}](...)", open.join(", ")))
}

pub(in crate::check) fn too_many_axes(span: Span, name: &str, given: usize, taken: usize) -> D {
    D::error("E014", span, format!("`{name}` takes {taken} axes in brackets, and {given} are given"))
}

pub(in crate::check) fn needs_types(span: Span, name: &str) -> D {
    D::error(
        "E042",
        span,
        format!("`{name}` calls itself or returns from a loop, so its parameters and result need types"),
    )
    .help("state every type, with no function among the parameters")
}

pub(in crate::check) fn too_deep(span: Span) -> D {
    D::error("E004", span, "calls or expressions nest too deep here")
}

pub(in crate::check) fn too_large(span: Span, function: Option<&str>, found: &str) -> D {
    let what = function.map_or("the program".to_string(), |name| format!("`{name}`"));
    D::error("E004", span, format!("{what} becomes too large to compile"))
        .note("found", format!("{found}, with every call put in place"))
        .help("functions that call each other twice double at each step: keep a result in a variable and use it again")
}

pub(in crate::check) fn too_many_parts(span: Span, most: usize) -> D {
    D::error("E004", span, format!("this has more than {most} parts"))
        .help("a record that holds another twice has twice its parts; a list or an axis holds many alike")
}

pub(in crate::check) fn type_in_itself(span: Span, name: &str) -> D {
    D::error("E004", span, format!("the type `{name}` holds itself, so no value of it can end"))
        .help("keep the parts in a list of their own, and their relations as numbers")
}

pub(in crate::check) fn unknown_builtin(span: Span, name: &str) -> D {
    D::error("E010", span, format!("the runtime has no builtin `{name}`"))
}

pub(in crate::check) fn function_as_value(span: Span) -> D {
    D::error("E042", span, "a function cannot be kept in a list or returned to the prompt")
        .help("call it, and keep the result")
}

pub(in crate::check) fn function_chosen_at_run_time(span: Span) -> D {
    D::error("E042", span, "which function this is must be known before the program runs")
        .help("choose inside the function:  fn(x) => if c { f(x) } else { g(x) }")
}
