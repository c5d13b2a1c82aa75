//! Numbers, texts and operator signs.

use super::{Builder, Pair, Rule};
use crate::base::diag::Diagnostic;
use crate::base::span::Span;
use crate::syntax::ast::*;

impl Builder {
    pub(super) fn number(&mut self, pair: Pair) -> Option<ExprKind> {
        let span = self.span(&pair);
        let digits = pair.as_str().replace('_', "");
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return match digits.parse::<i64>() {
                Ok(value) => Some(ExprKind::Int(value)),
                Err(_) => {
                    let float = Some(format!("{digits}.0"));
                    let float = float.filter(|float| float.parse::<f64>().is_ok_and(f64::is_finite));
                    self.too_large(span, "an int is at most 9223372036854775807", float)
                }
            };
        }
        match digits.parse::<f64>() {
            Ok(value) if value.is_finite() => Some(ExprKind::Float(value)),
            _ => self.too_large(span, "a float is at most 1.7976931348623157e308", None),
        }
    }

    fn too_large(&mut self, span: Span, limit: &str, float: Option<String>) -> Option<ExprKind> {
        let mut error = Diagnostic::error("E005", span, "this number is too large").here(limit);
        if let Some(float) = float {
            error = error.help(format!("a float can be larger:  {float}"));
        }
        self.errors.push(error);
        None
    }

    pub(super) fn string(&mut self, pair: Pair) -> Option<Vec<StrPart>> {
        let mut found: Vec<StrPart> = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::text => found.push(StrPart::Text(self.unescape(part)?)),
                _ => found.push(self.hole(part)?),
            }
        }
        Some(found)
    }

    fn hole(&mut self, pair: Pair) -> Option<StrPart> {
        let mut inner = pair.into_inner();
        let value = self.expr(inner.next()?)?;
        let Some(format) = inner.next() else { return Some(StrPart::Hole { value, format: None }) };
        if !is_format(format.as_str()) {
            let message = format!("`{}` is no format for a number", format.as_str());
            let error = Diagnostic::error("E001", self.span(&format), message)
                .help("formats: `.3` decimals, `.1%` percent, `e` or `.2e` powers of ten, `8` or `8.3` width");
            self.errors.push(error);
            return None;
        }
        Some(StrPart::Hole { value, format: Some(format.as_str().to_string()) })
    }

    /// A text without holes: a name, a path.
    pub(super) fn plain_string(&mut self, pair: Pair) -> Option<String> {
        let span = self.span(&pair);
        let mut text = String::new();
        for part in self.string(pair)? {
            match part {
                StrPart::Text(part) => text.push_str(&part),
                StrPart::Hole { value, .. } => {
                    let error = Diagnostic::error("E001", value.span, "this text must be fixed: no values in braces")
                        .label(span, "it is read before anything runs")
                        .help("write `{{` for a brace");
                    self.errors.push(error);
                    return None;
                }
            }
        }
        Some(text)
    }

    fn unescape(&mut self, pair: Pair) -> Option<String> {
        let start = self.span(&pair).start as usize;
        let mut text = String::new();
        let mut chars = pair.as_str().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '{' | '}' => {
                    // Doubled, by the grammar.
                    chars.next();
                    text.push(c);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, same @ ('"' | '\\'))) => text.push(same),
                    other => {
                        let length = 1 + other.map_or(0, |(_, c)| c.len_utf8());
                        self.bad_escape(Span::new(self.file, start + at, start + at + length), other.map(|(_, c)| c));
                        return None;
                    }
                },
                _ => text.push(c),
            }
        }
        Some(text)
    }

    fn bad_escape(&mut self, span: Span, found: Option<char>) {
        let help = match found {
            Some('{' | '}') => "braces are doubled:  {{  }}",
            _ => "there are `\\n`, `\\t`, `\\\"` and `\\\\`; braces are doubled:  {{  }}",
        };
        let shown = found.map(String::from).unwrap_or_default();
        self.errors.push(Diagnostic::error("E001", span, format!("a text has no `\\{shown}`")).help(help));
    }
}

/// `.3`, `.1%`, `e`, `.2e`, `8`, `8.3`, and their combinations.
fn is_format(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = match rest.strip_prefix('.') {
        Some(after) => {
            let digits = after.trim_start_matches(|c: char| c.is_ascii_digit());
            if digits.len() == after.len() {
                return false;
            }
            digits
        }
        None => rest,
    };
    matches!(rest, "" | "%" | "e")
}

pub(super) fn binary_op(sign: &str) -> Option<BinaryOp> {
    Some(match sign {
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Sub,
        "*" => BinaryOp::Mul,
        "/" => BinaryOp::Div,
        "%" => BinaryOp::Rem,
        "^" => BinaryOp::Pow,
        "==" => BinaryOp::Eq,
        "!=" => BinaryOp::Ne,
        "<" => BinaryOp::Lt,
        "<=" => BinaryOp::Le,
        ">" => BinaryOp::Gt,
        ">=" => BinaryOp::Ge,
        "and" => BinaryOp::And,
        "or" => BinaryOp::Or,
        _ => return None,
    })
}
