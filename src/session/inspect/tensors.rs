//! The tensors of an archive, those of all layers in one line: `h.*.attn.weight` stands for every number in that place.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::section;
use crate::rt::files::Listed;

/// Tensors whose names differ in numbers only, of one type and shape.
struct Group<'a> {
    numbers: Vec<Vec<&'a str>>,
    first: &'a Listed,
}

pub fn write(out: &mut String, listed: &[Listed]) {
    if listed.is_empty() {
        return;
    }
    let mut groups: BTreeMap<(String, &str, &[usize]), Group> = BTreeMap::new();
    for one in listed {
        let (pattern, numbers) = pattern(&one.name);
        let group = groups.entry((pattern, &one.stored, &one.shape));
        group.or_insert_with(|| Group { numbers: Vec::new(), first: one }).numbers.push(numbers);
    }
    let total: u128 = listed.iter().map(|one| elements(&one.shape)).sum();
    section(out, &format!("tensors: {}, {} numbers in all", listed.len(), grouped(total)));
    let called = |pattern: &str, group: &Group| {
        let name = if group.numbers.len() == 1 { &group.first.name } else { pattern };
        name.escape_debug().to_string()
    };
    let widest = groups.iter().map(|((pattern, ..), group)| called(pattern, group).chars().count());
    let widest = widest.max().unwrap_or(0).min(60);
    for ((pattern, stored, lengths), group) in &groups {
        let shown = called(pattern, group);
        let of = numbers(&group.numbers);
        let not = if group.first.readable { "" } else { "   not readable here" };
        let _ = writeln!(out, "  {shown:<widest$}  {:<9} {stored:<9} {}{not}", of, shape(lengths));
    }
    for (stored, count, numbers) in kinds(listed) {
        let tensors = if count == 1 { "tensor" } else { "tensors" };
        let _ = writeln!(out, "  {count} {tensors} of {stored}: {} numbers", grouped(numbers));
    }
}

/// `1140 x 128`, or `one number`.
pub fn shape(lengths: &[usize]) -> String {
    if lengths.is_empty() {
        return "one number".to_string();
    }
    lengths.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

fn elements(lengths: &[usize]) -> u128 {
    lengths.iter().map(|&length| length as u128).product()
}

/// The name with a star for each part that is a whole number, and those numbers.
fn pattern(name: &str) -> (String, Vec<&str>) {
    let mut numbers = Vec::new();
    let mut part = |part| {
        let part: &str = part;
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            numbers.push(part);
            return "*";
        }
        part
    };
    (name.split('.').map(&mut part).collect::<Vec<_>>().join("."), numbers)
}

/// Which numbers stand for the star: `0-11`, or how many tensors there are; nothing for one tensor.
fn numbers(found: &[Vec<&str>]) -> String {
    if found.len() == 1 {
        return String::new();
    }
    let single: Option<Vec<u64>> =
        found.iter().map(|numbers| if let [one] = numbers[..] { one.parse().ok() } else { None }).collect();
    let Some(mut single) = single else {
        return format!("{} of them", found.len());
    };
    single.sort_unstable();
    match (single.first(), single.last()) {
        (Some(first), Some(last)) if last - first + 1 == single.len() as u64 => format!("{first}-{last}"),
        _ => format!("{} of them", single.len()),
    }
}

/// Types in the order of their first tensor, with counts of tensors and numbers.
fn kinds(listed: &[Listed]) -> Vec<(&str, usize, u128)> {
    let mut kinds: Vec<(&str, usize, u128)> = Vec::new();
    for one in listed {
        match kinds.iter_mut().find(|(stored, ..)| *stored == one.stored) {
            Some((_, count, numbers)) => (*count, *numbers) = (*count + 1, *numbers + elements(&one.shape)),
            None => kinds.push((&one.stored, 1, elements(&one.shape))),
        }
    }
    kinds
}

/// `1,234,567`.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, shape: &[usize]) -> Listed {
        Listed { name: name.to_string(), stored: "float32".to_string(), readable: true, shape: shape.to_vec() }
    }

    #[test]
    fn layers_stand_in_one_line() {
        let mut names: Vec<Listed> = (0..12).map(|l| listed(&format!("h.{l}.w"), &[4, 3])).collect();
        names.push(listed("h.12.w", &[4, 5]));
        names.push(listed("wte", &[1000, 1000]));
        let mut out = String::new();
        write(&mut out, &names);
        assert!(out.contains("tensors: 14, 1,000,164 numbers in all"), "{out}");
        assert!(out.contains("h.*.w   0-11      float32   4 x 3\n"), "{out}");
        assert!(out.contains("h.12.w            float32   4 x 5\n"), "{out}");
        assert!(out.contains("14 tensors of float32: 1,000,164 numbers"), "{out}");
    }
}
