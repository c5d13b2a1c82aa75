//! Rewriting a script's own claims: the numbers of its expectations, and hashes of inputs that it leaves out.
//!
//! A tolerance is part of the claim and is never touched; neither is anything else of the text.

use crate::base::span::Span;
use crate::check::{ExpectationSite, InputSite};
use crate::rt::ctx::Expectation;

/// One replacement of bytes of the script.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    pub start: usize,
    pub end: usize,
    pub text: String,
}

/// A line before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub line: usize,
    pub before: String,
    pub after: String,
}

/// The edits that make the expectations say what was found.
pub fn number_edits(text: &str, sites: &[ExpectationSite], outcomes: &[Expectation]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for outcome in outcomes {
        let (Some(site), Some(found)) = (sites.get(outcome.number), outcome.found) else { continue };
        let Some(value) = site.value else { continue };
        let (start, end) = with_sign(text, value);
        let Some(old) = text.get(start..end) else { continue };
        let literal = site.tolerance.and_then(|span| text.get(span.start as usize..span.end as usize));
        let decimals = decimals_of(&old.replace('_', "")).max(literal.map_or(0, decimals_of)).max(1);
        let Some(new) = written_like(old, decimals, found, outcome.tolerance) else { continue };
        if new != old.replace(' ', "") && !edits.iter().any(|e: &Edit| e.start == start) {
            edits.push(Edit { start, end, text: new });
        }
    }
    edits
}

/// The edits that add a missing sha256; `hashes` pairs the name of an input with the hash of its bytes.
pub fn hash_edits(text: &str, inputs: &[InputSite], hashes: &[(String, String)]) -> Vec<Edit> {
    let missing = inputs.iter().filter(|input| input.sha256.as_deref().is_none_or(|hash| hash == UNKNOWN));
    missing
        .filter_map(|input| {
            let (_, hash) = hashes.iter().find(|(name, _)| *name == input.name)?;
            let (start, end) = (input.span.start as usize, input.span.end as usize);
            if input.sha256.is_some() {
                let mark = format!("\"{UNKNOWN}\"");
                let start = start + text.get(start..end)?.rfind(&mark)?;
                return Some(Edit { start, end: start + mark.len(), text: format!("\"{hash}\"") });
            }
            let place = call_end(text, input.span)?;
            Some(Edit { start: place, end: place, text: format!(", sha256: \"{hash}\"") })
        })
        .collect()
}

/// What a script states in the place of a hash that it does not know yet.
const UNKNOWN: &str = "?";

/// The place before the bracket that closes the `file(...)` or `folder(...)` call in `span`.
fn call_end(text: &str, span: Span) -> Option<usize> {
    let slice = text.get(span.start as usize..span.end as usize)?;
    let open = slice.find('(')? + 1;
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    for (place, c) in slice.char_indices().skip_while(|&(place, _)| place < open) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let before = slice[..place].trim_end().trim_end_matches(',');
            return Some(span.start as usize + before.len());
        }
    }
    None
}

/// The literal with the minus sign in front of it, if that sign belongs to it and not to a subtraction.
fn with_sign(text: &str, span: Span) -> (usize, usize) {
    let (start, end) = (span.start as usize, span.end as usize);
    let before = text.get(..start).unwrap_or("");
    if let Some(rest) = before.trim_end().strip_suffix('-')
        && rest.trim_end().ends_with(['~', '=', '<', '>'])
    {
        return (rest.len(), end);
    }
    (start, end)
}

/// Does `bless` make this line hold? Not where there is no number that it could write.
pub fn is_repaired(site: &ExpectationSite, outcome: &Expectation) -> bool {
    let written = |found| written_like("0.0", 1, found, outcome.tolerance).is_some();
    site.value.is_some() && outcome.found.is_some_and(written)
}

/// The number with so many decimals, or more until no more than half of the tolerance is lost by rounding: the line holds
/// then. Nothing where there is no such number.
fn written_like(old: &str, decimals: usize, found: f64, tolerance: Option<f64>) -> Option<String> {
    // Beyond that not every integer is a float, and the one found may be another.
    const EXACT: f64 = 9e15;
    if !found.is_finite() || tolerance.is_none() && found.abs() >= EXACT {
        return None;
    }
    if !old.contains(['.', 'e', 'E']) && found == found.trunc() && found.abs() < EXACT {
        return Some(format!("{}", found as i64));
    }
    let powers = old.contains(['e', 'E']) || decimals > MOST_DECIMALS || found.abs() >= EXACT;
    let near = |text: &String| text.parse().is_ok_and(|x: f64| (x - found).abs() <= tolerance.unwrap_or(0.0) / 2.0);
    // A literal that is not an integer keeps its point, or it would change its type.
    let plain = (decimals..=MOST_DECIMALS).filter(|_| !powers).map(|decimals| format!("{found:.decimals$}"));
    let short = (5..=16).map(|digits| format!("{found:.digits$e}"));
    plain.chain(short).find(near).or_else(|| Some(format!("{found:e}")))
}

/// More are written with a power of ten.
const MOST_DECIMALS: usize = 9;

fn decimals_of(literal: &str) -> usize {
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let written = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len()) as i64;
    let exponent: i64 = exponent.parse().unwrap_or(0);
    (written - exponent).clamp(0, 17) as usize
}

/// Applies edits, which must not overlap, and says which lines changed.
pub fn apply(text: &str, mut edits: Vec<Edit>) -> (String, Vec<Change>) {
    edits.sort_by_key(|edit| edit.start);
    let mut out = String::with_capacity(text.len() + 80);
    let mut done = 0;
    for edit in &edits {
        out.push_str(text.get(done..edit.start).unwrap_or(""));
        out.push_str(&edit.text);
        done = edit.end;
    }
    out.push_str(text.get(done..).unwrap_or(""));
    // No edit adds or removes a line, so lines correspond.
    let pairs = text.lines().zip(out.lines()).enumerate();
    let changes = pairs
        .filter(|(_, (before, after))| before != after)
        .map(|(index, (before, after))| Change {
            line: index + 1,
            before: before.trim().to_string(),
            after: after.trim().to_string(),
        })
        .collect();
    (out, changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::span::FileId;

    fn span_of(text: &str, part: &str) -> Span {
        let start = text.find(part).unwrap();
        Span::new(FileId(0), start, start + part.len())
    }

    fn blessed(text: &str, value: &str, tolerance: Option<&str>, found: f64) -> String {
        let site = ExpectationSite {
            span: span_of(text, text),
            value: Some(span_of(text, value)),
            tolerance: tolerance.map(|part| span_of(text, part)),
        };
        let tolerance = tolerance.map(|part| part.parse().unwrap_or(0.01));
        let outcome = Expectation { found: Some(found), tolerance, ..Expectation::default() };
        apply(text, number_edits(text, &[site], &[outcome])).0
    }

    #[test]
    fn numbers_keep_their_decimals() {
        assert_eq!(
            blessed("share ~ 0.1184 +- 0.0050", "0.1184", Some("0.0050"), 0.130_249),
            "share ~ 0.1302 +- 0.0050"
        );
        assert_eq!(blessed("n == 12", "12", None, 17.0), "n == 17");
        assert_eq!(blessed("x ~ 0.5 +- 1e-6", "0.5", Some("1e-6"), 0.123_456_789), "x ~ 0.123457 +- 1e-6");
        assert_eq!(blessed("x ~ 2.0 +- 0.1", "2.0", Some("0.1"), 3.0), "x ~ 3.0 +- 0.1");
        assert_eq!(blessed("x ~ 1.0e-12 +- 1e-14", "1.0e-12", Some("1e-14"), 2.5e-12), "x ~ 2.50000e-12 +- 1e-14");
    }

    #[test]
    fn what_is_written_holds() {
        let third = 1.0 / 3.0;
        let cases = [
            ("x ~ 0.5 +- tol", "0.5", "tol", "x ~ 0.33 +- tol"),
            ("x ~ 0.5 +- 1e-17", "0.5", "1e-17", "x ~ 3.333333333333333e-1 +- 1e-17"),
            ("x ~ 0.5 +- 0.0", "0.5", "0.0", "x ~ 3.333333333333333e-1 +- 0.0"),
            ("x ~ 5e-1 +- 0.001", "5e-1", "0.001", "x ~ 3.33333e-1 +- 0.001"),
            ("x ~ 5e-1 +- 1e-12", "5e-1", "1e-12", "x ~ 3.33333333333e-1 +- 1e-12"),
        ];
        for (text, value, tolerance, wanted) in cases {
            assert_eq!(blessed(text, value, Some(tolerance), third), wanted);
        }
        assert_eq!(blessed("x ~ 1e4 +- 0.001", "1e4", Some("0.001"), 12_345.678_9), "x ~ 1.2345679e4 +- 0.001");
        // 9007199254740993 is no float.
        assert_eq!(blessed("n == 12", "12", None, 9_007_199_254_740_992.0), "n == 12");
    }

    #[test]
    fn signs_are_written_once() {
        assert_eq!(blessed("x ~ -0.5 +- 0.1", "0.5", Some("0.1"), -0.7), "x ~ -0.7 +- 0.1");
        assert_eq!(blessed("x ~ -0.5 +- 0.1", "0.5", Some("0.1"), 0.7), "x ~ 0.7 +- 0.1");
        assert_eq!(blessed("x ~ -0.5 +- 0.1", "-0.5", Some("0.1"), 0.7), "x ~ 0.7 +- 0.1");
    }

    #[test]
    fn an_equal_number_and_nan_change_nothing() {
        assert_eq!(blessed("x ~ 0.50 +- 0.1", "0.50", Some("0.1"), 0.5001), "x ~ 0.50 +- 0.1");
        assert_eq!(blessed("x ~ 0.50 +- 0.1", "0.50", Some("0.1"), f64::NAN), "x ~ 0.50 +- 0.1");
    }

    #[test]
    fn a_missing_hash_is_filled_in() {
        let text = "input w = file(\"a (1).bin\")\nprint(1)\n";
        let input = |sha256| InputSite {
            name: "w".to_string(),
            path: "a (1).bin".to_string(),
            folder: false,
            sha256,
            span: span_of(text, "input w = file(\"a (1).bin\")"),
        };
        let hashes = [("w".to_string(), "abcd".to_string())];
        let (new, changes) = apply(text, hash_edits(text, &[input(None)], &hashes));
        assert_eq!(new, "input w = file(\"a (1).bin\", sha256: \"abcd\")\nprint(1)\n");
        assert_eq!(changes.len(), 1);
        assert!(hash_edits(text, &[input(Some("ff".to_string()))], &hashes).is_empty());
    }

    #[test]
    fn a_hash_that_is_left_open_is_filled_in() {
        let text = "input w = file(\"a.bin\", sha256: \"?\")\n";
        let span = span_of(text, text.trim_end());
        let input = InputSite {
            name: "w".to_string(),
            path: "a.bin".to_string(),
            folder: false,
            sha256: Some("?".to_string()),
            span,
        };
        let (new, _) = apply(text, hash_edits(text, &[input], &[("w".to_string(), "abcd".to_string())]));
        assert_eq!(new, "input w = file(\"a.bin\", sha256: \"abcd\")\n");
    }
}
