//! Messages about names and axes.

use super::*;

// ---- names ---------------------------------------------------------------------------------------------------------

pub(in crate::check) fn unknown_name(span: Span, name: &str, known: &[String], is_axis: bool) -> D {
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

pub(in crate::check) fn unknown_axis(span: Span, name: &str, known: &[String]) -> D {
    let d = D::error("E011", span, format!("no axis is called `{name}`"));
    match closest(name, known.iter().map(String::as_str)) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help(format!("declare it:  axis {name}")),
    }
}

pub(in crate::check) fn row_where_axis_needed(span: Span, name: &str) -> D {
    D::error("E011", span, format!("`..{name}` stands for any number of axes, and one axis is needed here"))
}

pub(in crate::check) fn unknown_module(span: Span, name: &str, known: &[String]) -> D {
    let known: Vec<String> = known.iter().map(|name| format!("std.{}", name.trim_start_matches("std."))).collect();
    let error = D::error("E043", span, format!("there is no module `{name}`"));
    if name == "host" {
        return error
            .help("its functions are those of another program that runs this one, and that registers them first");
    }
    did_you_mean(error, name, &known)
}

pub(in crate::check) fn unreadable_neighbour(span: Span, path: &str, why: &str) -> D {
    D::error("E043", span, format!("`{path}` cannot be used: {why}"))
}

pub(in crate::check) fn import_cycle(span: Span, name: &str) -> D {
    D::error("E044", span, format!("`{name}` uses itself, directly or through what it uses"))
        .help("move what both need into a third file")
}

pub(in crate::check) fn unknown_in_module(span: Span, name: &str, module: &str, known: &[String]) -> D {
    did_you_mean(D::error("E010", span, format!("`{module}` has nothing called `{name}`")), name, known)
}

pub(in crate::check) fn private(span: Span, name: &str, module: &str) -> D {
    D::error("E010", span, format!("`{name}` is private to `{module}`"))
        .note("note", "other files see only what is marked `pub`")
}

pub(in crate::check) fn module_as_value(span: Span, name: &str) -> D {
    D::error("E010", span, format!("`{name}` is a module, not a value"))
        .help(format!("name what you need of it:  {name}.something"))
}

pub(in crate::check) fn unknown_type(span: Span, name: &str, known: &[String]) -> D {
    let mut known = known.to_vec();
    known.extend(["f32", "f64", "float", "int", "bool", "str", "key", "file", "list"].map(str::to_string));
    did_you_mean(D::error("E010", span, format!("no type or axis is called `{name}`")), name, &known)
}

pub(in crate::check) fn type_arity(span: Span, name: &str, wanted: usize, given: usize) -> D {
    D::error("E014", span, format!("the type `{name}` takes {wanted} axes, and {given} are given"))
}

/// A type as it is written; of a large record, such as a model, the names of the fields alone.
pub(super) fn shape_of_record(ty: &Type) -> String {
    const LONGEST: usize = 300;
    let whole = ty.to_string();
    match ty {
        Type::Record(fields) if whole.len() > LONGEST => {
            let names: Vec<String> = fields.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("a record with the fields {}", names.join(", "))
        }
        _ => whole,
    }
}

pub(in crate::check) fn unknown_field(span: Span, name: &str, ty: &Type) -> D {
    let d = D::error("E015", span, format!("there is no field `{name}`")).note("found", shape_of_record(ty));
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

pub(in crate::check) fn field_twice(span: Span, name: &str) -> D {
    D::error("E015", span, format!("the field `{name}` is given twice"))
}

pub(in crate::check) fn unknown_site(span: Span, name: &str, known: &[String]) -> D {
    let mut names = known.to_vec();
    names.dedup();
    let d = D::error("E016", span, format!("the model has no site `{name}`"));
    if names.is_empty() {
        return d.note("note", "it has none: a statement `site name = value` in the function that is run makes one");
    }
    did_you_mean(d, name, &names).note("note", format!("its sites: {}", names.join(", ")))
}

/// A dotted path that is none of the names that the model gives its sites.
pub(in crate::check) fn unknown_hook(span: Span, path: &str, near: Option<String>) -> D {
    let d = D::error("E016", span, format!("the model has no site `{path}`"));
    match near {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help("sites have short names too: resid_pre[layer: 2]"),
    }
}

pub(in crate::check) fn site_outside_loop(span: Span, axis: Axis) -> D {
    D::error(
        "E016",
        span,
        format!("this site does not lie in a loop over `{axis}`, so its name cannot state an index of it"),
    )
}

pub(in crate::check) fn reads_mutable_top_level(span: Span, name: &str) -> D {
    D::error("E041", span, format!("a function cannot read `{name}`, which may change"))
        .help(format!("pass it as an argument, or declare it without `mut`:  let {name} = ..."))
}

// ---- axes ----------------------------------------------------------------------------------------------------------

pub(in crate::check) fn missing_axis(span: Span, axis: Axis, name: Option<&str>, ty: &Type, why: &str) -> D {
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

pub(in crate::check) fn nothing_carries(span: Span, axes: &[Axis], ty: &Type) -> D {
    let names: Vec<String> = axes.iter().map(|axis| axis.to_string()).collect();
    D::error("E012", span, format!("nothing here has the axis `{}`", names.join("` and `")))
        .note("found", ty.to_string())
}

pub(in crate::check) fn dots(span: Span, name: &str, is_row: bool) -> D {
    if is_row {
        return D::error("E011", span, format!("`{name}` stands for any number of axes"))
            .help(format!("write it with dots:  ..{name}"));
    }
    D::error("E011", span, format!("`{name}` is one axis; dots stand before a parameter for any number of axes"))
        .help(format!("write it without dots:  {name}"))
}

pub(in crate::check) fn range_keeps_axis(span: Span, axis: Axis) -> D {
    D::error("E020", span, format!("a part of `{axis}` needs an axis of its own"))
        .note("note", format!("an index of the part would count from another place than an index of `{axis}`"))
        .help(format!("declare a new one:  axis some_{axis}"))
}

pub(in crate::check) fn other_length(span: Span, axis: Axis, declared: i64, made: i64) -> D {
    D::error("E034", span, format!("this makes `{axis}` {made} long, and it is declared with {declared}"))
        .help("name another axis for this part, or declare the axis without a length")
}

pub(in crate::check) fn unused_axis(span: Span, name: &str) -> D {
    D::error("E017", span, format!("nothing uses the axis `{name}`"))
        .note("note", "perhaps another axis is written where this one is meant")
        .help("use it, or remove it here")
}

pub(in crate::check) fn plot_needs(span: Span) -> D {
    D::error("E014", span, "a plot needs the field `y`: what is drawn").help("plot lines { y: curve, x: pos }")
}

pub(in crate::check) fn plot_leaves_axes(span: Span, ty: &Type, over: &AxisSet) -> D {
    let d = match over.is_empty() {
        true => D::error("E032", span, "`x` and `by` of a plot are two different axes"),
        false => D::error("E032", span, format!("the plot does not say what to do with [{over}]")),
    };
    d.note("found", ty.to_string()).help("one axis runs along `x`, one makes series with `by`; reduce the others")
}

pub(in crate::check) fn axis_is_there(span: Span, axis: Axis, ty: &Type) -> D {
    D::error("E020", span, format!("the axis `{axis}` is there already"))
        .note("found", ty.to_string())
        .help("declare a new one:  axis other")
}

pub(in crate::check) fn axis_twice(span: Span, axis: Axis) -> D {
    D::error("E020", span, format!("the axis `{axis}` is named twice"))
}

pub(in crate::check) fn bare_axis(span: Span, name: &str) -> D {
    D::error("E012", span, format!("`[{name}]` does not say what to do along the axis"))
        .help(format!("one index is  x[{name}: 3], a range  x[{name} -> part: 0..8], a reduction  mean[{name}](x)"))
}

/// `help` says how the same is written if it is meant.
pub(in crate::check) fn no_common_axis(span: Span, first: &Operand, second: &Operand, help: String) -> D {
    let all = first.0.axes().unwrap_or_default().union(&second.0.axes().unwrap_or_default());
    let elem = first.0.elem().map(|elem| elem.to_string()).unwrap_or_default();
    D::error("E021", span, "these two tensors have no axis in common")
        .label(first.1, first.0.ty().to_string())
        .label(second.1, second.0.ty().to_string())
        .note("note", format!("this would build {elem}[{all}]"))
        .help(help)
}

pub(in crate::check) fn grows(span: Span, all: &AxisSet) -> D {
    D::warning("W001", span, format!("the result has more axes than either side: [{all}]"))
        .help("state the type if that is meant:  let x: f32[..] = ...")
}

pub(in crate::check) fn outer_shares(span: Span, axis: Axis, left: &str, right: &str) -> D {
    D::error("E021", span, format!("both sides have the axis `{axis}`, so `outer` is not needed"))
        .help(format!("write  {left} * {right}"))
}

pub(in crate::check) fn needs_axes(span: Span, name: &str, ty: &Type) -> D {
    let axes = ty.axes().map(|axes| axes.to_string()).unwrap_or_default();
    D::error("E032", span, format!("`{name}` must say over which axes"))
        .note("found", ty.to_string())
        .help(format!("{name}[{axes}](x)"))
}

pub(in crate::check) fn needs_one_axis(span: Span, name: &str) -> D {
    D::error("E032", span, format!("`{name}` takes one axis in brackets")).help(format!("{name}[pos](...)"))
}

pub(in crate::check) fn no_size(span: Span, axis: Axis) -> D {
    D::error("E033", span, format!("the axis `{axis}` has no length here"))
        .note("note", "no value in scope carries it, and no length is declared")
        .help(format!("axis {axis} = 64"))
}

pub(in crate::check) fn negative_size(span: Span) -> D {
    D::error("E033", span, "the length of an axis cannot be negative")
}

pub(in crate::check) fn wrong_index(span: Span, axis: Axis, found: &Type) -> D {
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

pub(in crate::check) fn cannot_index(span: Span, ty: &Type) -> D {
    let d = D::error("E013", span, "brackets speak about the axes of a tensor").note("found", ty.to_string());
    if matches!(ty, Type::List(_)) { d.help("the third item of a list is  nth(xs, 2)") } else { d }
}

pub(in crate::check) fn index_into_function(span: Span) -> D {
    D::error("E013", span, "a function takes axes in brackets, not indices").help("mean[pos](x)")
}

pub(in crate::check) fn needs_range(span: Span) -> D {
    D::error("E013", span, "a new axis needs a range").help("x[pos -> late: 64..]")
}

pub(in crate::check) fn bare_range(span: Span) -> D {
    D::error("E013", span, "a range stands in brackets or after `in` only").help("for i in 0..10 { ... }")
}

/// An assignment to a name that nobody bound.
pub(in crate::check) fn new_name(span: Span, name: &str) -> D {
    D::error("E010", span, format!("nothing is called `{name}` here"))
        .help(format!("a new name is bound by  let {name} = ...,  or  let mut {name} = ...  if it changes later"))
}

pub(in crate::check) fn cut_without_name(span: Span, axis: Axis) -> D {
    D::error("E013", span, "a range makes an axis of another length, which needs a name of its own")
        .help(format!("with  axis part  declared:  x[{axis} -> part: 1..]"))
}

pub(in crate::check) fn open_range(span: Span) -> D {
    D::error("E013", span, "a loop needs the end of its range").help("for i in 0..10 { ... }")
}

pub(in crate::check) fn cannot_loop(span: Span, ty: &Type) -> D {
    D::error("E013", span, "a loop runs over a range, an axis, a list, or a tensor with one axis")
        .note("found", ty.to_string())
        .help("for i in 0..n { ... }")
}
