//! Slips that a word gives away.

use super::{Entry, Fault, Slip, is_reserved};
use crate::syntax::tokens::Kind;

pub(super) const TABLE: &[Entry] = &[
    else_if,
    lambda,
    definition,
    variable,
    import,
    type_definition,
    list_comprehension,
    named_function_inside,
    item_inside,
    braces,
    is_word,
    pub_word,
    if_after_value,
    lone_else,
    reserved_name,
];

/// `elif`
fn else_if(fault: &Fault) -> Option<Slip> {
    let is_elif = |offset| matches!(fault.near(offset), "elif" | "elseif" | "elsif");
    let at = if is_elif(0) {
        fault.at
    } else if is_elif(-1) {
        fault.at - 1
    } else {
        return None;
    };
    fault.slip(at, at, format!("`{}` is written `else if`", fault.nth(at)), "} else if test {")
}

/// `lambda x: x + 1`
fn lambda(fault: &Fault) -> Option<Slip> {
    if fault.near(-1) != "lambda" && fault.near(0) != "lambda" {
        return None;
    }
    let at = if fault.near(0) == "lambda" { fault.at } else { fault.at - 1 };
    let mut end = at + 1;
    while end < fault.tokens.len() && !matches!(fault.nth(end), ":" | "") && fault.tokens[end].kind != Kind::Line {
        end += 1;
    }
    let help = format!("fn({}) => ...", fault.between(at + 1, end));
    fault.slip(at, at, "a function without a name is written `fn(x) => ...`", help)
}

/// `def f(x):`
fn definition(fault: &Fault) -> Option<Slip> {
    let start = fault.start();
    let word = fault.nth(start);
    if start + 1 != fault.at
        || !matches!(word, "def" | "function" | "func" | "fun" | "proc")
        || fault.kind(0) != Kind::Word
    {
        return None;
    }
    let close = fault.close_of(fault.at + 1);
    let head = close.map_or("f(x)", |close| fault.between(fault.at, close + 1));
    fault.slip(start, start, format!("`{word}` is written `fn`"), format!("fn {head} {{ ... }}"))
}

/// `var x = 1`, `mut x = 1`
fn variable(fault: &Fault) -> Option<Slip> {
    let start = fault.start();
    let word = fault.nth(start);
    if word == "mut" && start == fault.at {
        return fault.here("`mut` follows `let`", format!("let mut {} = ...", fault.near(1)));
    }
    if start + 1 != fault.at || fault.kind(0) != Kind::Word {
        return None;
    }
    let right = match word {
        "var" | "auto" => "let mut",
        "const" | "val" | "set" | "local" => "let",
        _ => return None,
    };
    fault.slip(start, start, "a new name is made with `let`", format!("{right} {} = ...", fault.near(0)))
}

/// `import numpy as np`, `from x import y`
fn import(fault: &Fault) -> Option<Slip> {
    let start = fault.start();
    if start + 1 != fault.at || !matches!(fault.nth(start), "import" | "from" | "include" | "require") {
        return None;
    }
    let help = "use std.sae  or  use std.optim: adam";
    fault.slip(start, start, format!("`{}` is written `use`", fault.nth(start)), help)
}

/// `class Sae:`, `struct Sae {`
fn type_definition(fault: &Fault) -> Option<Slip> {
    let start = fault.start();
    let word = fault.nth(start);
    if start + 1 != fault.at
        || !matches!(word, "class" | "struct" | "record" | "interface")
        || fault.kind(0) != Kind::Word
    {
        return None;
    }
    let help = format!("type {} = {{ W: f32[dmodel, feature] }}", fault.near(0));
    fault.slip(start, start, "a type is made with `type`", help)
}

/// `[f(x) for x in xs]`
fn list_comprehension(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "for" || !(fault.inside("[") || fault.inside("(")) {
        return None;
    }
    fault
        .here("a tensor is built from its axes", "[i in pos => int(i)]  has one place for each entry of the axis `pos`")
}

/// `let f = fn name(x) ...`, or `fn name(x) { .. }` inside a block.
fn named_function_inside(fault: &Fault) -> Option<Slip> {
    if fault.near(-1) != "fn" || fault.kind(0) != Kind::Word || is_reserved(fault.near(0)) {
        return None;
    }
    let at = fault.at - 1;
    let item = at == 0 || matches!(fault.nth(at - 1), "pub" | "intrinsic");
    if item {
        return None;
    }
    let help = format!("let {} = fn(x) => ...", fault.near(0));
    fault.slip(at, fault.at, "a function with a name stands at the top of a file", help)
}

/// Items inside a block.
fn item_inside(fault: &Fault) -> Option<Slip> {
    let inside = fault.bracket().is_some_and(|(_, open)| open == "{");
    if !inside || !fault.starts_line() && fault.start() + 1 != fault.at {
        return None;
    }
    let word = if fault.starts_line() { fault.near(0) } else { fault.near(-1) };
    let at = if fault.starts_line() { fault.at } else { fault.at - 1 };
    let reserved = matches!(word, "use" | "axis" | "type" | "pub");
    let contextual = matches!(word, "expect" | "experiment" | "input" | "intrinsic") && at + 1 == fault.at;
    let follows = matches!(fault.kind(0), Kind::Word | Kind::Text) || fault.near(0) == "{";
    if !(reserved || contextual && follows) {
        return None;
    }
    fault.slip(at, at, format!("`{word}` stands at the top of a file"), "move it out of the block")
}

/// `if x then`, `while x do`, `begin`
fn braces(fault: &Fault) -> Option<Slip> {
    let word = fault.near(0);
    if !matches!(word, "then" | "do" | "begin") {
        return None;
    }
    let start = fault.start();
    if !matches!(fault.nth(start), "if" | "while" | "for" | "else") {
        return None;
    }
    fault.here("a block stands in braces", format!("{} {{ ... }}", fault.between(start, fault.at)))
}

/// `x is y`
fn is_word(fault: &Fault) -> Option<Slip> {
    let (right, last) = match (fault.near(0), fault.near(1)) {
        ("is", "not") => ("!=", fault.at + 1),
        ("is", _) => ("==", fault.at),
        ("xor", _) => ("!=", fault.at),
        ("mod", _) => ("%", fault.at),
        _ => return None,
    };
    let help = format!("{} {right} {}", fault.left(), fault.right(last));
    fault.slip(fault.at, last, format!("`{}` is written `{right}`", fault.between(fault.at, last + 1)), help)
}

/// `pub let`
fn pub_word(fault: &Fault) -> Option<Slip> {
    if fault.near(-1) != "pub" {
        return None;
    }
    fault.slip(fault.at - 1, fault.at - 1, "`pub` stands before `fn` and `type` only", "leave `pub` away")
}

/// `a if test else b`
fn if_after_value(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "if" || fault.at == 0 || !fault.ends_value(fault.at - 1) {
        return None;
    }
    let other = (fault.at..fault.tokens.len()).find(|&i| fault.nth(i) == "else");
    let help = match other {
        Some(other) => {
            let test = fault.between(fault.at + 1, other);
            format!("if {test} {{ {} }} else {{ {} }}", fault.left(), fault.right(other))
        }
        None => format!("if test {{ {} }} else {{ b }}", fault.left()),
    };
    fault.here("the test comes before the values", help)
}

fn lone_else(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "else" {
        return None;
    }
    fault.here("this `else` has no `if` before it", "if test { a } else { b }")
}

/// `let in = 3`, `x.type`
fn reserved_name(fault: &Fault) -> Option<Slip> {
    let word = fault.near(0);
    if !is_reserved(word) {
        return None;
    }
    let names =
        matches!(fault.near(-1), "let" | "mut" | "fn" | "axis" | "type" | "." | "site" | "input" | "for" | "->");
    let field = fault.near(1) == ":" && (fault.in_record() || fault.inside("(") || fault.inside("["));
    if !(names || field) {
        return None;
    }
    fault.here(format!("`{word}` is a word of the language and cannot be a name"), format!("{word}_ or another name"))
}
