//! Messages about statements, plots, fits and inputs.

use super::*;

// ---- statements ----------------------------------------------------------------------------------------------------

pub(in crate::check) fn lost(span: Span) -> D {
    D::error("E099", span, "the checker lost this value without a reason")
        .help("this is a fault of locus; please report it")
}

pub(in crate::check) fn lost_block(span: Span, function: &str) -> D {
    D::error("E099", span, format!("the checker left a block of `{function}` open, and would lose what stands in it"))
        .help("this is a fault of locus; please report it")
}

pub(in crate::check) fn return_at_top(span: Span) -> D {
    D::error("E014", span, "`return` stands outside a function")
}

pub(in crate::check) fn not_mutable(span: Span, name: &str, declared: Span) -> D {
    D::error("E041", span, format!("`{name}` does not change"))
        .label(declared, "declared here without `mut`")
        .help(format!("let mut {name} = ..."))
}

pub(in crate::check) fn assigns_outside(span: Span, name: &str) -> D {
    D::error("E041", span, format!("a function cannot assign to `{name}` outside it"))
        .help("return the new value instead")
}

pub(in crate::check) fn not_assignable(span: Span) -> D {
    D::error("E041", span, "only a variable, a field, or a part of a tensor can be assigned to")
        .help("x = 1,  r.field = 1,  t[pos: 3] = 1.0")
}

pub(in crate::check) fn effect(span: Span, place: &str) -> D {
    D::error("E040", span, format!("{place} cannot print, write or plot")).help("print the result afterwards")
}

pub(in crate::check) fn host_effect(span: Span, place: &str) -> D {
    D::error("E040", span, format!("{place} cannot call a function of the host that may do more than compute"))
        .help("call it before, and use the result; or let the host register it as pure")
}

pub(in crate::check) fn check_inside(span: Span) -> D {
    D::error("E040", span, "a comprehension cannot assert")
        .note("note", "its elements are computed in no order, some of them more than once")
        .help("assert before it, or on the whole result afterwards")
}

// ---- experiments ---------------------------------------------------------------------------------------------------

pub(in crate::check) fn not_a_model(span: Span, ty: &Type) -> D {
    D::error("E013", span, "this is no model: a model is a function, or a record with a field `forward`")
        .note("found", ty.to_string())
}

pub(in crate::check) fn nested_capture(span: Span) -> D {
    D::error("E013", span, "a capture cannot stand inside the forward pass of another")
}

pub(in crate::check) fn swap_takes_indices(span: Span) -> D {
    D::error("E013", span, "a site is replaced at single indices").help("z[layer: 3, head: 2] = fn(z) => 0.0 * z")
}

pub(in crate::check) fn swap_needs_function(span: Span, ty: &Type) -> D {
    D::error("E013", span, "a site is replaced by a function of its value")
        .note("found", ty.to_string())
        .help("resid_pre[layer: 2] = fn(x) => other")
}

pub(in crate::check) fn swap_of_outer(span: Span, name: &str, declared: Span) -> D {
    D::error("E016", span, format!("this site cannot be replaced: `{name}` was made outside and does not change"))
        .label(declared, "what comes after the block would go on with this value")
        .help(format!("let mut {name} = ..."))
}

pub(in crate::check) fn swap_goes_nowhere(span: Span, site: &str) -> D {
    D::error("E016", span, format!("replacing `{site}` changes nothing: the model does not read its value again"))
        .help("replace a site that the model goes on from")
}

pub(in crate::check) fn swap_changes_type(span: Span, site: &str, found: &Type, needed: &Type) -> D {
    D::error("E013", span, format!("what replaces `{site}` must have its element type and no axis that it lacks"))
        .note("found", found.to_string())
        .note("needed", needed.to_string())
}

pub(in crate::check) fn two_open_loops(span: Span, axes: &[Axis]) -> D {
    let names: Vec<String> = axes.iter().map(|axis| axis.to_string()).collect();
    D::error("E016", span, format!("the site lies in loops over {}; pin all but one", names.join(" and ")))
}

pub(in crate::check) fn not_differentiable_argument(span: Span, ty: &Type) -> D {
    D::error("E064", span, "a gradient is taken by floats, and this has something else").note("found", ty.to_string())
}

pub(in crate::check) fn not_a_loss(span: Span, ty: &Type) -> D {
    D::error("E013", span, "a loss is one float, or a record with a float `loss`")
        .note("found", ty.to_string())
        .note("needed", "float, or { loss: float, state, metrics }")
}

pub(in crate::check) fn fit_needs(span: Span, field: &str) -> D {
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

pub(in crate::check) fn unknown_plot(span: Span, name: &str, known: &[&str]) -> D {
    let names: Vec<String> = known.iter().map(|name| name.to_string()).collect();
    did_you_mean(D::error("E010", span, format!("there is no plot `{name}`")), name, &names)
        .note("note", format!("plots are {}", known.join(", ")))
}

pub(in crate::check) fn exact_float(span: Span, text: &str, wanted: &str) -> D {
    D::error("E050", span, "floats are not compared for equality").help(format!("{text} ~ {wanted} +- 0.01"))
}

pub(in crate::check) fn input_not_file(span: Span) -> D {
    D::error("E013", span, "an input is a file or a folder").help("input x = file(\"data/x.npy\", sha256: \"?\")")
}

pub(in crate::check) fn input_not_literal(span: Span) -> D {
    D::error("E013", span, "the path and the hash of an input are written out")
}

pub(in crate::check) fn seed_not_literal(span: Span) -> D {
    D::error("E013", span, "the seed is a whole number").help("seed: 17")
}

/// `known` are the names that `--set` may give.
pub(in crate::check) fn unused_override(name: &str, known: &[String]) -> D {
    const SHOWN: usize = 12;
    let d = D::plain(
        "E051",
        format!("`--set {name}` names nothing: no top-level `let` or axis with a literal value is called so"),
    );
    let more = known.len().saturating_sub(SHOWN);
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    let listed = known.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let listed = if known.is_empty() { "no names" } else { &listed };
    did_you_mean(d.note("settable", format!("{listed}{rest}")), name, known)
}

/// `kind` is what the file gives `name`, if that is a literal.
pub(in crate::check) fn override_does_not_fit(name: &str, text: &str, kind: Option<&str>) -> D {
    let why = match kind {
        Some("int") => format!("it needs a whole number of at most 64 bits, as the file gives `{name}`"),
        Some(kind) => format!("it needs a literal of the type that the file gives `{name}`, which is `{kind}`"),
        None => format!("the file computes `{name}`, and only literals are replaced"),
    };
    D::plain("E051", format!("`--set {name}={text}` does not fit: {why}"))
}

// ---- the prompt ----------------------------------------------------------------------------------------------------

/// A fault of a function of an earlier entry, which `name` at `place` brought about.
pub(in crate::check) fn breaks_function(fault: D, function: &str, name: &str, place: Span) -> D {
    D { help: None, ..fault }
        .label(place, format!("`{name}` would mean this from now on"))
        .note("note", format!("`{function}` was entered before and uses `{name}`; nothing was changed"))
        .help(format!("enter `{function}` anew together with `{name}`, or take another name"))
}
