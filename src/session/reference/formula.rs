//! Formulas as the documentation writes them, in plain text, set as formulas: `sum_l n_l (m_l - m)^2`, `Sigma_xx^(-1/2)`, `x_hat`.
//!
//! Only signs that cannot mean anything else change: what follows `_` is lowered where it looks like an index, what follows `^` is raised,
//! Greek names become letters. Names of programs, such as `half_width`, stay as they are.

use std::fmt::Write;

use crate::base::markup::escaped;

const GREEK: &[(&str, &str)] = &[
    ("alpha", "α"),
    ("beta", "β"),
    ("gamma", "γ"),
    ("delta", "δ"),
    ("eps", "ε"),
    ("epsilon", "ε"),
    ("eta", "η"),
    ("theta", "θ"),
    ("kappa", "κ"),
    ("lambda", "λ"),
    ("mu", "μ"),
    ("pi", "π"),
    ("phi", "φ"),
    ("rho", "ρ"),
    ("sigma", "σ"),
    ("tau", "τ"),
    ("Sigma", "Σ"),
    ("Delta", "Δ"),
];
/// Indices of indices of indices are shown as they were written.
const DEEPEST: usize = 4;

/// Text with formulas in it, as markup.
pub fn set(text: &str) -> String {
    let mut out = String::new();
    Setter { out: &mut out, depth: 0 }.set(text);
    out
}

struct Setter<'o> {
    out: &'o mut String,
    depth: usize,
}

impl Setter<'_> {
    fn set(&mut self, text: &str) {
        let mut rest = text;
        // What stands before; a space at the start of a line.
        let mut last = ' ';
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '^' if !last.is_whitespace() => self.raised(rest),
                _ if first.is_alphabetic() && !(last.is_alphanumeric() || last == '_' || last == '.') => {
                    self.word(rest)
                }
                _ if first.is_alphanumeric() || first == '_' => self.plain(rest, run(rest)),
                _ => self.sign(rest, last),
            };
            let (taken, after) = rest.split_at_checked(length.max(first.len_utf8())).unwrap_or((rest, ""));
            last = taken.chars().next_back().unwrap_or(' ');
            rest = after;
        }
    }

    fn plain(&mut self, text: &str, length: usize) -> usize {
        self.out.push_str(&escaped(text.get(..length).unwrap_or(text)));
        length
    }

    fn inner(&mut self, element: &str, text: &str) {
        let _ = write!(self.out, "<{element}>");
        if self.depth < DEEPEST {
            Setter { out: self.out, depth: self.depth + 1 }.set(text);
        } else {
            self.out.push_str(&escaped(text));
        }
        let _ = write!(self.out, "</{element}>");
    }

    /// A letter or a name, with its index.
    fn word(&mut self, rest: &str) -> usize {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len()).max(1);
        let Some(base) = rest.get(..length) else { return self.plain(rest, run(rest)) };
        let after = rest.get(length..).unwrap_or("");
        if base == "sqrt" && (after.starts_with('(') || after.starts_with(" 2")) {
            self.out.push('√');
            return length + usize::from(after.starts_with(' '));
        }
        let index = after.strip_prefix('_').and_then(|after| Some((index(after)?, after)));
        let Some((taken, after)) = index.filter(|(taken, after)| is_index(base, after.get(..*taken).unwrap_or("")))
        else {
            let whole = run(rest);
            if whole > length {
                return self.plain(rest, whole);
            }
            self.out.push_str(greek(base).unwrap_or(base));
            return length;
        };
        self.out.push_str(if base == "sum" { "∑" } else { greek(base).unwrap_or(base) });
        let written = after.get(..taken).unwrap_or("");
        let below = match written.strip_prefix("hat") {
            Some(further) if further.is_empty() || further.starts_with('_') => {
                self.out.push('\u{302}');
                further.trim_start_matches('_')
            }
            _ => written.trim_start_matches('{').trim_end_matches('}'),
        };
        if !below.is_empty() {
            self.inner("sub", &below.replace('_', ","));
        }
        length + 1 + taken
    }

    /// `^2`, `^T`, `^-1`, `^(-1/2)`, `^+`.
    fn raised(&mut self, rest: &str) -> usize {
        let after = rest.get(1..).unwrap_or("");
        let signed = after.strip_prefix('-').unwrap_or(after);
        let sign = after.len() - signed.len();
        let length = match signed.chars().next() {
            Some('(' | '{') if sign == 0 => group(after),
            Some('+' | '*') if sign == 0 => Some(1),
            Some(c) if c.is_ascii_alphanumeric() => {
                Some(sign + signed.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(signed.len()))
            }
            _ => None,
        };
        let Some(length) = length else { return self.plain(rest, 1) };
        let written = after.get(..length).unwrap_or("");
        let bare = written.strip_prefix(['(', '{']).and_then(|inside| inside.strip_suffix([')', '}']));
        self.inner("sup", &bare.unwrap_or(written).replace('-', "−"));
        1 + length
    }

    fn sign(&mut self, rest: &str, last: char) -> usize {
        const SIGNS: &[(&str, &str)] =
            &[("<=", "≤"), (">=", "≥"), ("!=", "≠"), ("+-", "±"), ("->", "→"), ("- ", "− "), ("* ", "· ")];
        let spaced = |sign: &str| !sign.ends_with(' ') || last == ' ';
        match SIGNS.iter().find(|(sign, _)| rest.starts_with(sign) && spaced(sign)) {
            Some((sign, shown)) => {
                self.out.push_str(shown);
                sign.len()
            }
            None => self.plain(rest, rest.chars().next().map_or(1, char::len_utf8)),
        }
    }
}

/// Letters, digits and underscores from the start.
fn run(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

fn greek(word: &str) -> Option<&'static str> {
    GREEK.iter().find(|(name, _)| *name == word).map(|(_, letter)| *letter)
}

/// How long the index is that starts here: a name, perhaps with `,i` behind it, or something in brackets.
fn index(text: &str) -> Option<usize> {
    match text.chars().next()? {
        '{' | '(' => group(text),
        c if c.is_ascii_alphanumeric() => {
            let length = run(text);
            let rest = text.get(length..).unwrap_or("").as_bytes();
            let further = matches!(rest, [b',', letter, ..] if letter.is_ascii_alphabetic())
                && !rest.get(2).is_some_and(u8::is_ascii_alphanumeric);
            Some(length + if further { 2 } else { 0 })
        }
        _ => None,
    }
}

/// The length of a bracket with what is in it.
fn group(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// Is it a letter with an index, rather than a name of a program?
fn is_index(base: &str, index: &str) -> bool {
    let capitals = base.len() <= 4 && base.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if base.len() > 1 && index.contains('_') {
        return false;
    }
    let single = index.len() == 1 && base.len() <= 7;
    base.len() == 1 || capitals || greek(base).is_some() || single || index.starts_with(['{', '(']) || base == "sum"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_and_powers() {
        for (text, shown) in [
            ("sum_l n_l (m_l - m)^2", "∑<sub>l</sub> n<sub>l</sub> (m<sub>l</sub> − m)<sup>2</sup>"),
            ("W = Sigma_xx^(-1/2)", "W = Σ<sub>xx</sub><sup>−1/2</sup>"),
            ("x_hat = f W_dec + b_dec", "x\u{302} = f W<sub>dec</sub> + b<sub>dec</sub>"),
            (
                "softmax(q_hat_x k_hat_x^T / sqrt(dhead))",
                "softmax(q\u{302}<sub>x</sub> k\u{302}<sub>x</sub><sup>T</sup> / √(dhead))",
            ),
            ("n 2^-52, W^+ U", "n 2<sup>−52</sup>, W<sup>+</sup> U"),
            ("n_{c,doc}^2 <= 1", "n<sub>c,doc</sub><sup>2</sup> ≤ 1"),
            ("f_i |W_dec,i|, mu", "f<sub>i</sub> |W<sub>dec,i</sub>|, μ"),
            ("(2^(2/3) - 1)", "(2<sup>2/3</sup> − 1)"),
        ] {
            assert_eq!(set(text), shown, "{text}");
        }
    }

    #[test]
    fn names_and_prose_stay() {
        for text in [
            "half_width of it",
            "resid_pre, q, k",
            "x ^ y",
            "the sum of all, -1 is none",
            "l2_ratio",
            "r.mu_x",
            "tau_after_content",
        ] {
            assert_eq!(set(text), text);
        }
        assert_eq!(set("a < b & <script>"), "a &lt; b &amp; &lt;script&gt;");
    }

    #[test]
    fn any_text_is_set() {
        for text in ["^", "x^", "x_", "x^(", "_", "é_1^é", "x_{", "x^-", "x_hat_", "^^^^(((", "sqrt"] {
            set(text);
        }
        let deep = "x^(".repeat(5_000) + &")".repeat(5_000);
        assert!(set(&deep).contains("<sup>"));
    }
}
