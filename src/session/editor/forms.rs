//! Words of the language that no module declares: what each is written like, and one sentence about it.

/// The forms that the checker knows by name (`check::FORMS`), and what opens inputs.
pub const FORMS: &[(&str, &str, &str)] = &[
    ("size", "size[a](x)", "The number of elements of `x` along its axes `a`."),
    ("extent", "extent[a]()", "The length that the axis `a` has here."),
    (
        "index",
        "index[a](i)",
        "The number `i` as an index of the axis `a`; it is checked against the length where it is used.",
    ),
    ("outer", "outer(x, y)", "The product of two tensors that have no axis in common."),
    ("expand", "expand[a](x)", "`x`, repeated along the axis `a`."),
    ("stop", "stop(x)", "`x`, with no gradient."),
    ("grad", "grad(f)", "The function that gives the gradient of `f` by its first argument, a tensor or a record."),
    ("value_and_grad", "value_and_grad(f)", "The function that gives `{ value, grad }` of `f`."),
    ("map_leaves", "map_leaves(f, r)", "`f` of each tensor of a record, or of records of one shape."),
    ("map_leaves_with", "map_leaves_with(f, r)", "The same, where `f` is also told which tensor it gets."),
    ("sum_leaves", "sum_leaves(f, r)", "The sum of what `f` gives for each tensor of a record."),
    ("len", "len(list)", "The number of items of a list."),
    ("nth", "nth(list, i)", "Item `i` of a list, from 0."),
    ("push", "push(list, x)", "The list with `x` behind it."),
    ("stack", "stack[a](list)", "One tensor of the list's tensors, along a new axis `a`."),
    ("concat", "concat[a](list)", "The list's tensors joined along their axis `a`."),
    ("print", "print(text)", "Shows a text or a value."),
    ("str", "str(x)", "`x` as a text."),
    ("assert", "assert(test)", "Stops the program where `test` is false."),
    ("key", "key(label)", "The random key of a label, made from `root`."),
    ("float", "float(x)", "`x` in 64-bit floating point."),
    ("int", "int(x)", "`x` as a whole number; of an index, its place."),
    ("f32", "f32(x)", "`x` in 32-bit floating point."),
    ("f64", "f64(x)", "`x` in 64-bit floating point."),
    ("bool", "bool(x)", "`x` as true or false."),
    ("zeros", "zeros[a]()", "Zeros along the axis `a`."),
    ("ones", "ones[a]()", "Ones along the axis `a`."),
    ("full", "full[a](v)", "The value `v` along the axis `a`."),
    ("root", "root", "The random key of the program's seed: `root / \"label\"` is another."),
    ("file", "file(\"path\", sha256: \"...\")", "An input: a file in or below the program's folder."),
    ("folder", "folder(\"path\", sha256: \"...\")", "An input: a folder with the files of a model."),
    ("list", "list<T>", "A list of values of one type."),
];

/// What the words of the grammar begin.
pub const KEYWORDS: &[(&str, &str)] = &[
    ("and", "Both; of tensors, element by element."),
    ("as", "`use std.models.gpt2 as g`: the name that a module goes by."),
    ("axis", "`axis pos`, `axis feature = 1024`, `axis qpos like pos`: declares names of axes."),
    ("capture", "`capture model(tokens) { x = resid_pre[layer: 2] }`: the values at sites of a model's forward pass."),
    ("else", "What an `if` gives otherwise."),
    ("expect", "`expect { x ~ 1.5 +- 0.01 }`: what a run has to find."),
    ("experiment", "`experiment \"name\" { locus: \"0.1\", seed: 17 }`: name and seed of a program."),
    ("false", "The value that is not true."),
    (
        "fit",
        "`fit name { data, over, init, loss, optim, steps, batch }`: training. The name is the label of its random numbers.",
    ),
    ("fn", "`fn f<d>(x: f32[d, ..r]) -> f32[..r] { ... }`, or `fn(x) => e` without a name."),
    ("for", "`for i in 0..n { ... }`, over a range, an axis, a list or a tensor of indices."),
    ("if", "`if test { a } else { b }`: an expression."),
    ("in", "What a loop or a comprehension runs over."),
    ("input", "`input x = file(\"path\", sha256: \"...\")`: the only door to the disk."),
    ("intrinsic", "A function whose body is the runtime's."),
    ("let", "`let x = e`: names a value. `let mut` one that can be assigned to."),
    ("like", "`axis qpos like pos`: an axis as long as another."),
    ("match", "`match x { 0 => a, _ => b }`: a choice by value."),
    ("mut", "A variable that can be assigned to."),
    ("not", "The opposite."),
    ("or", "At least one; of tensors, element by element."),
    ("plot", "`plot lines { y: e, x: axis, title: \"...\" }`: a figure."),
    ("pub", "Other files can use what follows."),
    ("return", "Leaves a function with a value."),
    ("site", "`site q = e`: names a value of a forward pass, for `capture` and `with`."),
    ("true", "The value that holds."),
    ("type", "`type Sae<d, f> = { W: f32[d, f] }`: names a type."),
    ("use", "`use std.sae`, `use std.optim: adam`, `use \"near.exp\"`: names of another file."),
    ("vjp", "The derivative of an intrinsic function."),
    ("while", "`while test { ... }`"),
    ("with", "`with model { site = fn(x) => ... }`: a model with another value at a site."),
];

pub fn form(name: &str) -> Option<(&'static str, &'static str)> {
    FORMS.iter().find(|(known, ..)| *known == name).map(|&(_, written, about)| (written, about))
}

pub fn keyword(name: &str) -> Option<&'static str> {
    KEYWORDS.iter().find(|(known, _)| *known == name).map(|(_, about)| *about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_checker_is_described() {
        for name in crate::check::FORMS {
            assert!(form(name).is_some(), "{name}");
        }
    }
}
