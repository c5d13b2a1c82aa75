//! Numbers and values as text. Floats print as the shortest text that reads back as the same number, unless a
//! format asks for less. Nothing here depends on the locale or on the machine.

use super::error::{Error, Result, code};
use super::tensor::Tensor;
use super::value::Value;
use crate::base::ops::DType;

/// A format as in `{x:>8.3%}`: alignment, width, decimals, kind.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
struct Spec {
    align: Option<char>,
    width: usize,
    decimals: Option<usize>,
    /// `%`, `e`, or none.
    kind: Option<char>,
}

/// Wider or finer than this is a slip.
const MAX_FIELD: usize = 200;
/// A tensor of so many elements is shown whole.
const WHOLE: usize = 8;

fn parse(text: &str) -> Result<Spec> {
    let wrong = || {
        Error::new(code::ARGUMENT, format!("`{}` is no format", text.escape_debug()))
            .help("formats are `.3` (decimals), `.1%`, `.2e`, `8` (width), `8.3`, `<12` and `>12` (alignment)")
    };
    let mut spec = Spec::default();
    let mut rest = text.trim();
    if let Some(align) = rest.chars().next().filter(|letter| matches!(letter, '<' | '>' | '^')) {
        spec.align = Some(align);
        rest = &rest[1..];
    }
    if let Some(kind) = rest.chars().last().filter(|letter| matches!(letter, '%' | 'e')) {
        spec.kind = Some(kind);
        rest = &rest[..rest.len() - 1];
    }
    let (width, decimals) = match rest.split_once('.') {
        Some((width, decimals)) => (width, Some(decimals)),
        None => (rest, None),
    };
    let number = |digits: &str| -> Result<usize> {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|&value| plain && value <= MAX_FIELD).ok_or_else(wrong)
    };
    if !width.is_empty() {
        spec.width = number(width)?;
    }
    spec.decimals = decimals.map(number).transpose()?;
    Ok(spec)
}

/// The text of a value in a format; `""` is the shortest text that says it all.
pub fn format_value(value: &Value, format: &str) -> Result<String> {
    let spec = parse(format)?;
    let text = shown(value, &spec);
    let left = match value {
        Value::Int(_) | Value::F32(_) | Value::F64(_) => false,
        _ => spec.align.is_none(),
    };
    Ok(padded(text, &spec, left))
}

fn padded(text: String, spec: &Spec, left: bool) -> String {
    let width = spec.width;
    match spec.align {
        Some('^') => format!("{text:^width$}"),
        Some('<') => format!("{text:<width$}"),
        None if left => format!("{text:<width$}"),
        _ => format!("{text:>width$}"),
    }
}

fn shown(value: &Value, spec: &Spec) -> String {
    match value {
        Value::None => "none".to_string(),
        Value::Int(x) if spec.decimals.is_none() && spec.kind.is_none() => x.to_string(),
        Value::Int(x) => number(*x as f64, spec, || x.to_string()),
        // Shortest digits depend on the type: 0.1 as f32 is not 0.1 as f64.
        Value::F32(x) => number(*x as f64, spec, || format!("{x:?}")),
        Value::F64(x) => number(*x, spec, || format!("{x:?}")),
        Value::Bool(x) => x.to_string(),
        Value::Str(text) => text.to_string(),
        Value::Key(key) => format!("key {}", hex(&key.0[..4])),
        Value::File(file) => {
            format!("file `{}` (sha256 {})", file.path.display(), &file.sha256[..8.min(file.sha256.len())])
        }
        Value::List(items) => bracketed(items, '[', ']', spec),
        Value::Record(fields) => bracketed(fields, '{', '}', spec),
        Value::Tensor(tensor) => tensor_line(tensor, spec),
        Value::Sparse(_) | Value::Chunked(_) => match value.clone().plain() {
            Ok(plain) => shown(&plain, spec),
            Err(error) => error.message,
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A float as the shortest text that reads back as the same number.
pub fn float(x: f64) -> String {
    format!("{x:?}")
}

fn number(x: f64, spec: &Spec, whole: impl Fn() -> String) -> String {
    if !x.is_finite() {
        return float(x);
    }
    match (spec.kind, spec.decimals) {
        (Some('%'), decimals) => format!("{}%", without_minus_zero(format!("{:.*}", decimals.unwrap_or(0), x * 100.0))),
        (Some(_), Some(decimals)) => format!("{x:.decimals$e}"),
        (Some(_), None) => format!("{x:e}"),
        (None, Some(decimals)) => without_minus_zero(format!("{x:.decimals$}")),
        (None, None) => whole(),
    }
}

/// `-0.000` is an accident of rounding; its sign says nothing.
fn without_minus_zero(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_string(),
        _ => text,
    }
}

/// At most `digits` significant digits, without trailing zeros: for summaries and axes of plots.
pub fn significant(x: f64, digits: usize) -> String {
    if x == 0.0 {
        return "0".to_string();
    }
    if !x.is_finite() {
        return float(x);
    }
    let scientific = format!("{x:.*e}", digits.max(1) - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..9).contains(&exponent) {
        return format!("{}e{exponent}", trimmed(mantissa));
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    // Through the rounded text, so that 123456 with three digits is 123000.
    let rounded: f64 = scientific.parse().unwrap_or(x);
    trimmed(&format!("{rounded:.decimals$}")).to_string()
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn bracketed(items: &[Value], open: char, close: char, spec: &Spec) -> String {
    let inner = Spec { width: 0, align: None, ..*spec };
    let shown_items: Vec<String> = items.iter().take(WHOLE).map(|item| quoted(item, &inner)).collect();
    let more = if items.len() > WHOLE { format!(", .. ({} in all)", items.len()) } else { String::new() };
    format!("{open}{}{more}{close}", shown_items.join(", "))
}

/// A string inside a list or a record shows where it ends.
fn quoted(value: &Value, spec: &Spec) -> String {
    match value {
        Value::Str(text) => format!("\"{}\"", text.escape_debug()),
        other => shown(other, spec),
    }
}

/// `f32[pos = 128, dmodel = 64]`.
pub fn type_shown(tensor: &Tensor) -> String {
    let element = match tensor.dtype() {
        DType::F32 => "f32",
        DType::F64 => "float",
        DType::I64 => "int",
        DType::Bool => "bool",
    };
    format!("{element}[{}]", tensor.axes_shown())
}

fn elements(tensor: &Tensor) -> Vec<f64> {
    let order: Vec<_> = tensor.dims.iter().map(|dim| dim.axis).collect();
    tensor.to_f64(&order).unwrap_or_default()
}

/// `f32[pos = 128] 0.1 0.2 0.3 .. 0.9  (min 0, mean 0.5, max 1, 3% zeros)`.
fn tensor_line(tensor: &Tensor, spec: &Spec) -> String {
    let values = elements(tensor);
    let line = format!("{} {}", type_shown(tensor), some_elements(tensor.dtype(), &values, spec));
    if values.len() <= WHOLE { line } else { format!("{line}  ({})", summary(tensor.dtype(), &values, ", ")) }
}

fn some_elements(dtype: DType, values: &[f64], spec: &Spec) -> String {
    let one = |&x: &f64| match dtype {
        DType::Bool => (x != 0.0).to_string(),
        DType::I64 => number(x, spec, || significant(x, 17)),
        _ => number(x, spec, || significant(x, 4)),
    };
    match values {
        [] => "(empty)".to_string(),
        [first @ .., last] if values.len() > WHOLE => {
            let start: Vec<String> = first[..3].iter().map(one).collect();
            format!("{} .. {}", start.join(" "), one(last))
        }
        _ => values.iter().map(one).collect::<Vec<_>>().join(" "),
    }
}

fn summary(dtype: DType, values: &[f64], separator: &str) -> String {
    let count = values.len() as f64;
    if dtype == DType::Bool {
        let share = values.iter().filter(|&&x| x != 0.0).count() as f64 / count;
        return format!("{} true", percent(share));
    }
    let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    let mut parts = Vec::new();
    if !finite.is_empty() {
        let (low, high) = range(&finite);
        let digits = if dtype == DType::I64 { 17 } else { 4 };
        parts.push(format!("min {}", significant(low, digits)));
        parts.push(format!("mean {}", significant(finite.iter().sum::<f64>() / finite.len() as f64, 4)));
        parts.push(format!("max {}", significant(high, digits)));
    }
    let zeros = values.iter().filter(|&&x| x == 0.0).count();
    if zeros > 0 {
        parts.push(format!("{} zeros", percent(zeros as f64 / count)));
    }
    let lost = [
        (values.iter().filter(|x| x.is_nan()).count(), "NaN"),
        (values.iter().filter(|x| x.is_infinite()).count(), "infinite"),
    ];
    parts.extend(lost.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    parts.join(separator)
}

/// A share that is neither none nor all never prints as 0% or 100%.
fn percent(share: f64) -> String {
    match share * 100.0 {
        x if x > 0.0 && x < 0.5 => "<1%".to_string(),
        x if x < 100.0 && x >= 99.5 => ">99%".to_string(),
        x => format!("{x:.0}%"),
    }
}

/// The smallest and the largest of finite numbers.
pub fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)))
}

/// What the prompt shows of a value: for a large tensor two lines, with a histogram of its elements.
pub fn short_view(value: &Value) -> String {
    let plain = Spec::default();
    let Value::Tensor(tensor) = value else {
        return quoted(value, &plain);
    };
    let values = elements(tensor);
    let line = format!("{}  {}", type_shown(tensor), some_elements(tensor.dtype(), &values, &plain));
    if values.len() <= WHOLE {
        return line;
    }
    let bars = if tensor.dtype() == DType::Bool { String::new() } else { format!("  {}", spark(&values)) };
    format!("{line}\n  {}{bars}", summary(tensor.dtype(), &values, "  "))
}

const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A histogram of the finite numbers in 16 letters, from the smallest number to the largest; an empty bin is blank.
fn spark(values: &[f64]) -> String {
    let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    let (low, high) = range(&finite);
    if finite.is_empty() || low == high {
        return String::new();
    }
    let mut bins = [0usize; 16];
    for x in finite {
        // Halved first: the range of two f64 can overflow.
        let share = (x / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        bins[((share * 16.0) as usize).min(15)] += 1;
    }
    let top = bins.iter().copied().max().unwrap_or(1).max(1);
    let letter = |&count: &usize| match count {
        0 => ' ',
        _ => EIGHTHS[(count * 8).div_ceil(top).clamp(1, 8) - 1],
    };
    format!("▕{}▏", bins.iter().map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::axis::Axis;

    fn told(value: impl Into<Value>, spec: &str) -> String {
        format_value(&value.into(), spec).unwrap()
    }

    #[test]
    fn numbers_print_shortest() {
        let cases: &[(f64, &str)] = &[
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e300, "1e300"),
            (-1e-7, "-1e-7"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ];
        for &(x, text) in cases {
            assert_eq!(told(x, ""), text);
        }
        assert_eq!(told(0.1f32, ""), "0.1");
        assert_eq!(told(-7i64, ""), "-7");
        assert_eq!(told(i64::MAX, ""), "9223372036854775807");
        let x = 0.1 + 0.2;
        assert_eq!(told(x, "").parse::<f64>().unwrap(), x);
    }

    #[test]
    fn formats() {
        assert_eq!(told(0.12345, ".3"), "0.123");
        assert_eq!(told(0.12345, ".1%"), "12.3%");
        assert_eq!(told(0.5, "%"), "50%");
        assert_eq!(told(12345.0, ".2e"), "1.23e4");
        assert_eq!(told(12345.0, "e"), "1.2345e4");
        assert_eq!(told(1.5, "8.3"), "   1.500");
        assert_eq!(told(42i64, "8"), "      42");
        assert_eq!(told(42i64, "<8"), "42      ");
        assert_eq!(told(42i64, ".1"), "42.0");
        assert_eq!(told(-0.0001, ".3"), "0.000");
        assert_eq!(told(f64::NAN, "6.2"), "   NaN");
        assert_eq!(format_value(&Value::Str("ab".into()), "<5").unwrap(), "ab   ");
        assert_eq!(format_value(&Value::Str("ab".into()), ">5").unwrap(), "   ab");
        assert_eq!(format_value(&Value::Str("ab".into()), "5").unwrap(), "ab   ");
        for wrong in ["x", ".", "1.x", "9999", "5d", "é", "+3"] {
            let fault = format_value(&Value::Int(1), wrong);
            assert_eq!(fault.map_err(|error| error.code), Err("R007"), "{wrong}");
        }
    }

    #[test]
    fn significant_digits() {
        let cases: &[(f64, usize, &str)] = &[
            (0.1302139, 4, "0.1302"),
            (123456.0, 3, "123000"),
            (0.0, 3, "0"),
            (1e-9, 3, "1e-9"),
            (2.5e12, 4, "2.5e12"),
            (-0.5, 4, "-0.5"),
            (9.9999, 3, "10"),
        ];
        for &(x, digits, text) in cases {
            assert_eq!(significant(x, digits), text);
        }
    }

    #[test]
    fn tensors_in_a_line() {
        let pos = Axis::named("", "pos");
        let few = Tensor::from_slice(&[(pos, 3)], &[0.1f32, 0.25, -1.0]).unwrap();
        assert_eq!(told(few.clone(), ""), "f32[pos = 3] 0.1 0.25 -1");
        assert_eq!(told(few, ".2"), "f32[pos = 3] 0.10 0.25 -1.00");
        let many: Vec<f32> = (0..100).map(|i| i as f32 / 100.0).collect();
        let many = Tensor::from_slice(&[(pos, 100)], &many).unwrap();
        assert_eq!(
            told(many.clone(), ""),
            "f32[pos = 100] 0 0.01 0.02 .. 0.99  (min 0, mean 0.495, max 0.99, 1% zeros)"
        );
        let view = short_view(&many.into());
        assert_eq!(
            view,
            "f32[pos = 100]  0 0.01 0.02 .. 0.99\n  min 0  mean 0.495  max 0.99  1% zeros  ▕█▇▇▇▇█▇▇▇▇█▇▇▇▇█▏"
        );
        let flags = Tensor::from_slice(&[(pos, 10)], &[1u8, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(told(flags, ""), "bool[pos = 10] true false false .. false  (10% true)");
        let odd = Tensor::from_slice(&[(pos, 9)], &[f64::NAN; 9]).unwrap();
        assert_eq!(told(odd, ""), "float[pos = 9] NaN NaN NaN .. NaN  (9 NaN)");
    }

    #[test]
    fn lists_and_records() {
        let list = Value::List(crate::rt::value::Items::new(vec![Value::Str("a\n".into()), Value::F64(0.5)]));
        assert_eq!(format_value(&list, ".2").unwrap(), "[\"a\\n\", 0.50]");
        let long = Value::List(crate::rt::value::Items::new((0..20).map(Value::Int).collect()));
        assert_eq!(short_view(&long), "[0, 1, 2, 3, 4, 5, 6, 7, .. (20 in all)]");
        assert_eq!(short_view(&Value::Str("a".into())), "\"a\"");
    }
}
