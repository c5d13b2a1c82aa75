//! "Did you mean": the candidate that a misspelt name most likely stands for.

/// The closest candidate: at most a third of the name's letters differ, or one contains the other. The first of
/// equals wins, so the answer follows the order of the candidates.
pub fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = name.to_lowercase().chars().collect();
    let mut best: Option<(usize, &str)> = None;
    let mut contained: Option<&str> = None;
    for candidate in candidates.filter(|candidate| *candidate != name) {
        let other: Vec<char> = candidate.to_lowercase().chars().collect();
        let limit = letters.len().max(other.len()) / 3;
        let distance = distance(&letters, &other, limit);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
        if contained.is_none() && contains(name, candidate) {
            contained = Some(candidate);
        }
    }
    best.map(|(_, candidate)| candidate).or(contained)
}

/// One letter or two say nothing about the rest of a name.
fn contains(name: &str, candidate: &str) -> bool {
    name.len() >= 3 && candidate.len() >= 3 && (name.contains(candidate) || candidate.contains(name))
}

/// Letters to insert, remove, replace or swap with their neighbour; `limit + 1` when it is more than `limit`.
fn distance(a: &[char], b: &[char], limit: usize) -> usize {
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(name: &str, list: &[&'static str]) -> Option<&'static str> {
        closest(name, list.iter().copied())
    }

    #[test]
    fn typing_slips_are_found() {
        assert_eq!(among("featrue", &["batch", "feature", "features_of"]), Some("feature"));
        assert_eq!(among("dmodle", &["dhead", "dmodel"]), Some("dmodel"));
        assert_eq!(among("Mean", &["max", "mean"]), Some("mean"));
    }

    #[test]
    fn parts_of_names_are_found() {
        assert_eq!(among("resid", &["q", "resid_pre"]), Some("resid_pre"));
        assert_eq!(among("softmax_last", &["softmax"]), Some("softmax"));
    }

    #[test]
    fn unrelated_names_are_not() {
        assert_eq!(among("tokens", &["batch", "q", "weights"]), None);
        assert_eq!(among("x", &["y", "max"]), None);
        assert_eq!(among("pos", &["pos"]), None);
        assert_eq!(among("", &["a", ""]), None);
    }

    #[test]
    fn the_nearest_wins_and_then_the_first() {
        assert_eq!(among("kposs", &["qposs", "kpos", "kpost"]), Some("qposs"));
        assert_eq!(among("rank", &["bank", "tank"]), Some("bank"));
    }
}
