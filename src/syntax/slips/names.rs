//! Mistakes that parse: names of other languages that are not names here.

use crate::base::diag::Diagnostic;
use crate::base::span::Span;
use crate::syntax::ast::{Expr, ExprKind};

/// `for i in range(n)`: parses as a call.
pub fn python_loop(range: &Expr) -> Option<Diagnostic> {
    let ExprKind::Call { callee, .. } = &range.kind else { return None };
    match &callee.kind {
        ExprKind::Name(name) if name == "range" => {
            let error = Diagnostic::error("E003", range.span, "a loop counts with two dots");
            Some(error.help("for i in 0..n { ... }"))
        }
        _ => None,
    }
}

/// A line that starts with `- `, after another: most likely the second half of a difference, which would be lost.
pub fn leading_minus(text: &str, span: Span) -> Option<Diagnostic> {
    if !text.starts_with("- ") {
        return None;
    }
    let sign = Span { end: span.start + 1, ..span };
    let error = Diagnostic::error("E003", sign, "a line cannot start with `- `");
    Some(error.help("put `-` at the end of the line above, or write `-x` for a value of its own"))
}

/// `True` and `False`: parse as names, and cannot mean anything else.
pub fn reserved_value(name: &str, span: Span) -> Option<Diagnostic> {
    let right = match name {
        "True" => "true",
        "False" => "false",
        _ => return None,
    };
    Some(Diagnostic::error("E003", span, format!("`{name}` is written in lower case")).help(right))
}

/// For the checker: what to do instead of a name that is nowhere declared.
pub fn unknown_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "None" | "null" | "nil" | "undefined" => "there is no empty value; a field or a parameter can have a default",
        "range" => "a loop counts with two dots:  for i in 0..n { ... }",
        "np" | "numpy" | "torch" | "jnp" | "jax" | "tf" => {
            "functions stand alone, with axes in brackets:  mean[pos](x)"
        }
        "einsum" | "matmul" | "dot" | "bmm" => "name the axes that are summed over:  x @[dmodel] y",
        "reshape" | "view" | "flatten" => "name the axes:  x[(batch, pos) -> sample]  or  x[dmodel -> (head, dhead)]",
        "transpose" | "permute" | "swapaxes" => "axes have names and no order, so nothing is transposed",
        "unsqueeze" | "expand_dims" | "squeeze" => "axes line up by name:  expand[batch](x)  adds one",
        "cat" | "concatenate" => "concat[pos](list)",
        "len" | "shape" => "size[pos](x)  is the length of an axis",
        "break" | "continue" => "loops have neither; use `while` with a test, or `if`",
        "help" | "exit" | "quit" => "commands of the prompt begin with a colon:  :help  :quit",
        "HookedTransformer" | "transformer_lens" => {
            "models are loaded by functions such as  gpt2.load(weights, config)"
        }
        "SAE" | "sae_lens" => {
            "dictionaries are read by  files.read[dmodel, feature, out](dictionary)  of std.sae.files"
        }
        "int32" | "int64" | "i32" | "i64" => "int",
        "float32" => "f32",
        "float64" | "double" => "f64",
        "string" | "String" => "str",
        "boolean" => "bool",
        _ => return None,
    })
}

/// For the checker: what to do instead of a field or method of other libraries.
pub fn unknown_field(name: &str) -> Option<&'static str> {
    Some(match name {
        "T" | "mT" | "transpose" | "permute" => "axes have names and no order, so nothing is transposed",
        "shape" | "size" => "size[pos](x)  is the length of an axis",
        "dtype" | "device" | "to" | "cpu" | "cuda" => "elements are converted with  f32(x), f64(x), int(x)",
        "reshape" | "view" | "flatten" => "name the axes:  x[(batch, pos) -> sample]",
        "mean" | "sum" | "max" | "min" | "std" | "var" | "argmax" | "argmin" | "softmax" => {
            "functions take the axes in brackets:  mean[pos](x)"
        }
        "append" => "push(list, x)  gives a longer list",
        "item" => "a tensor without axes is a number already",
        "detach" => "stop(x)",
        _ => return None,
    })
}
