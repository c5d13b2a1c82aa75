//! Whether it is the program that cannot bear rounding, where the passes changed more than rounding does.
//!
//! A comparison, a sort or `keep_top` between numbers that would be equal without rounding, and a difference of nearly equal
//! ones, make of a last bit whatever they like. Such a program does the same to itself: when the numbers that it is made of are
//! changed in their last bits, and no pass runs, the same value changes as much. And sums of products may be taken apart only of
//! finite numbers: where the difference is one of infinities or NaN, the program must agree once they are replaced.

use super::engines::{Far, Left, Prepared, far, numbers};
use locus::session::EngineKind;

/// So many ways to change last bits.
const SHAKES: u32 = 48;
/// What changed of itself must be this part of what the passes changed.
const PART: f64 = 0.1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitive {
    ToRounding,
    ToInfinities,
}

/// What a program is sensitive to, if that is why the passes changed so much.
pub fn sensitive(text: &str, found: &Far) -> Option<Sensitive> {
    if changes_of_itself(text, found) == Some(true) {
        return Some(Sensitive::ToRounding);
    }
    let finite = tamed(text);
    let tame = finite != text && !found.by.is_finite() && Prepared::new(&finite).is_ok_and(|ready| agrees(&ready));
    tame.then_some(Sensitive::ToInfinities)
}

fn changes_of_itself(text: &str, found: &Far) -> Option<bool> {
    let global = found.global?;
    let before = Prepared::new(text).ok()?.run(EngineKind::InterpUnoptimised);
    let changes = |shake: u32| {
        let ready = Prepared::new(&shaken(text, shake)).ok()?;
        Some(distance(&before, &ready.run(EngineKind::InterpUnoptimised), global) >= found.by * PART)
    };
    Some((1..=SHAKES).any(|shake| changes(shake) == Some(true)))
}

fn agrees(ready: &Prepared) -> bool {
    let [after, before] = [EngineKind::Interp, EngineKind::InterpUnoptimised].map(|kind| ready.run(kind));
    far(&ready.names(), &after, &before).is_none()
}

/// How far two runs are apart in one value; a run that failed, or has other lengths, is as far as can be.
fn distance(one: &Left, other: &Left, global: usize) -> f64 {
    let of = |left: &Left| {
        let mut found = Vec::new();
        left.globals.get(global).into_iter().for_each(|value| numbers(value, &mut found));
        found
    };
    let (x, y) = (of(one), of(other));
    // Places and messages differ where the text does.
    let end = |left: &Left| left.fault.as_ref().map(|fault| (fault.code, fault.item));
    if x.len() != y.len() || end(one) != end(other) {
        return f64::INFINITY;
    }
    let apart = |(x, y): (&f64, &f64)| if x.to_bits() == y.to_bits() { 0.0 } else { (x - y).abs() };
    x.iter().zip(&y).map(apart).fold(0.0, |most, apart| if apart > most || apart.is_nan() { apart } else { most })
}

/// The numbers of a comprehension, `float((..) % 9) * 0.25 - 1.25`, differ in their last bits of 24, each by another part.
fn shaken(text: &str, shake: u32) -> String {
    let factor = 1.0 + 1.5e-7 * f64::from(shake);
    let mut parts = text.split(") * ");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let end = part.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(part.len());
        let step = part[..end].parse::<f64>().ok().filter(|_| part[end..].starts_with(" - "));
        out += ") * ";
        match step {
            Some(step) => out += &format!("{:?}{}", step * factor, &part[end..]),
            None => out += part,
        }
    }
    out
}

/// Without literals that are infinite or none, and without zeros that something could be divided by: nothing is divided by
/// what `keep_top` leaves of a code, whose zeros have no sign once they are not stored.
fn tamed(text: &str) -> String {
    let text = text.replace("exp(800.0)", "exp(1.1)").replace("log(-1.0)", "log(1.7)").replace("](0.0)", "](0.3)");
    // What overflows becomes infinite, and so does what is divided by next to nothing.
    let wild =
        [("3.4e38", "3.4"), ("1e38", "1.3"), ("1e300", "1.3"), ("1e-45", "0.7"), ("1e-40", "0.7"), ("1e-308", "0.7")];
    let text = wild.iter().fold(text, |text, (wild, tame)| text.replace(wild, tame));
    // A power of a negative number is mostly none.
    let text = ["0.3", "0.5", "1.0", "2.25", "3.4"]
        .iter()
        .fold(text, |text, base| text.replace(&format!("(-{base}) ^ "), &format!("{base} ^ ")));
    let text = text.replace(" / (keep_top[", " * (keep_top[").replace(" / keep_top[", " * keep_top[");
    ["1.0", "0.5", "0.25", "0.1"].iter().fold(text, |text, step| {
        text.replace(&format!(" * {step} - 0.0"), &format!(" * {step} - -0.0137"))
            .replace(&format!(" * {step} - 0.5"), &format!(" * {step} - 0.5137"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_of_a_text() {
        let text = "f32([i in a => float((3 * int(i)) % 5) * 0.5 - 0.0]) * 2.0 + exp(800.0)";
        assert_eq!(tamed(text), "f32([i in a => float((3 * int(i)) % 5) * 0.5 - -0.0137]) * 2.0 + exp(1.1)");
        assert_eq!(tamed("x / (keep_top[a](y, 0) * z)"), "x * (keep_top[a](y, 0) * z)");
        assert_eq!(tamed("x * (-3.4e38) / f32(1e-45)"), "x * (-3.4) / f32(0.7)");
        assert_eq!(tamed("(-0.3) ^ y"), "0.3 ^ y");
        let changed = shaken(text, 2);
        assert_eq!(changed, "f32([i in a => float((3 * int(i)) % 5) * 0.50000015 - 0.0]) * 2.0 + exp(800.0)");
    }

    #[test]
    fn a_program_that_bears_rounding_is_not_excused() {
        let text = "axis a = 3\nlet x = [i in a => float((2 * int(i)) % 3) * 0.1 - 0.0]\nlet y = total(x)\n\
            let z = if x[a: 1] + x[a: 2] > 0.30000000000000004 { 1.0 } else { 0.0 }\nlet w = total(x / exp(800.0))\n";
        let ready = Prepared::new(text).unwrap();
        let judged = |name: &str, text: &str, by: f64| {
            let global = ready.names().iter().position(|known| *known == name);
            sensitive(text, &Far { what: String::new(), global, by })
        };
        let finite = text.replace("exp(800.0)", "exp(8.0)");
        assert_eq!(judged("y", &finite, 1.0), None);
        assert_eq!(judged("z", &finite, 1.0), Some(Sensitive::ToRounding));
        assert_eq!(judged("w", text, f64::INFINITY), Some(Sensitive::ToInfinities));
    }
}
