//! Whether a space stands between two tokens of a line.

use super::cut::{Kind, Role, Token};

/// Words that no value ends with: a bracket after one starts a value.
const RESERVED: &[&str] = &[
    "use", "axis", "type", "pub", "let", "mut", "for", "in", "while", "return", "if", "else", "match", "and", "or",
    "not",
];

/// Does a space stand between these two?
pub(super) fn spaced(before: &Token, after: &Token) -> bool {
    if after.is_comment() {
        return true;
    }
    if after.kind == Kind::Sign
        && let Some(spaced) = before_sign(before, after)
    {
        return spaced;
    }
    match before.role {
        Role::AngleOpen | Role::Prefix => return false,
        Role::Between => return true,
        Role::AngleClose => return !(after.is("(") || after.is("[")),
        _ => {}
    }
    match before.text {
        "(" | "[" | "@[" | "." => false,
        ".." | "..=" => !starts_value(after),
        _ => true,
    }
}

/// What the sign itself decides.
fn before_sign(before: &Token, after: &Token) -> Option<bool> {
    match (after.role, after.text) {
        (Role::AngleOpen | Role::AngleClose, _) => Some(false),
        (Role::Between, _) => Some(true),
        (_, "," | ";" | ":" | ")" | "]" | ".") => Some(false),
        (_, "}") => Some(!before.is("{")),
        (_, ".." | "..=" | "(" | "[") if ends_value(before) => Some(false),
        (_, "(") if before.is("fn") => Some(false),
        _ => None,
    }
}

/// Can a value, or the name of a function, end with this token?
pub(super) fn ends_value(token: &Token) -> bool {
    match token.kind {
        Kind::Word => token.text != "fn" && !RESERVED.contains(&token.text),
        Kind::Number | Kind::Text => true,
        Kind::Sign => token.closes() && token.role != Role::ContractClose,
        Kind::Comment => false,
    }
}

fn starts_value(token: &Token) -> bool {
    match token.kind {
        Kind::Word => !RESERVED.contains(&token.text),
        Kind::Number | Kind::Text => true,
        Kind::Sign => matches!(token.text, "(" | "[") || token.role == Role::Prefix,
        Kind::Comment => false,
    }
}
