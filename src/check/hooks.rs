//! Other names for the sites of a model: a dotted path such as `blocks.3.attn.hook_q`, and the short `q3`.
//!
//! A model that has such names carries them in its field `hooks`, a record of texts by site: `q:
//! "blocks.[layer].attn.hook_q"`. An axis in square brackets stands for a number, the index along it. Nothing here knows
//! an architecture or a name by itself.

use super::value::{Lit, Val};
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::suggest;
use crate::syntax::ast;

/// A site and the indices that its name states.
pub(super) struct Named {
    pub site: String,
    pub pins: Vec<(Axis, Val)>,
    /// Written like a hook, and none of the model's.
    pub is_unmatched: bool,
}

impl Checker {
    /// What a site is called by, where a path that is not among the model's `hooks` is an error.
    pub(super) fn named_site(&mut self, model: &Val, name: &ast::Ident) -> Option<Named> {
        let named = self.site_called(model, name)?;
        if named.is_unmatched {
            self.error(messages::unknown_hook(name.span, &name.name, near_hook(model, &name.name, |_| true)));
            return None;
        }
        Some(named)
    }

    /// What a site is called by: its own name, a path of the model's `hooks`, or a name followed by an index. A path that
    /// is not among the hooks is left as it is, which may be the name of a site.
    pub(super) fn site_called(&mut self, model: &Val, name: &ast::Ident) -> Option<Named> {
        let hooks = hooks_of(model);
        let text = name.name.as_str();
        for (site, pattern) in &hooks {
            if let Some(found) = matched(pattern, text) {
                return self.with_pins(site, found);
            }
        }
        if is_path(text) {
            return Some(Named { site: text.to_string(), pins: Vec::new(), is_unmatched: true });
        }
        let stem = text.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let known = hooks.iter().find(|(site, _)| site == stem && site != text);
        let (Some((site, pattern)), Ok(index)) = (known, text[stem.len()..].parse::<i64>()) else {
            return Some(Named { site: text.to_string(), pins: Vec::new(), is_unmatched: false });
        };
        let found = holes(pattern).map(|axis| (axis.to_string(), index)).collect();
        self.with_pins(site, found)
    }

    fn with_pins(&mut self, site: &str, found: Vec<(String, i64)>) -> Option<Named> {
        let mut pins = Vec::new();
        for (axis, index) in found {
            let axes = self.find_axis(&axis)?;
            pins.extend(axes.iter().map(|&axis| (axis, Val::Lit(Lit::Int(index)))));
        }
        Some(Named { site: site.to_string(), pins, is_unmatched: false })
    }
}

/// Is it written like a hook? A site may be called `hook_x`, too.
pub(super) fn is_path(text: &str) -> bool {
    text.contains('.') || text.starts_with("hook_")
}

/// The hook that a person may have meant who wrote that path, of the sites that are asked for.
pub(super) fn near_hook(model: &Val, path: &str, is_there: impl Fn(&str) -> bool) -> Option<String> {
    let there = hooks_of(model).into_iter().filter(|(site, _)| is_there(site));
    let known: Vec<String> = there.map(|(_, pattern)| filled(&pattern, path)).collect();
    suggest::closest(path, known.iter().map(String::as_str)).map(str::to_string)
}

/// The names by site; none if the model is a bare function or has no such field.
fn hooks_of(model: &Val) -> Vec<(String, String)> {
    let text = |(site, val): &(String, Val)| match val {
        Val::Lit(Lit::Str(pattern)) => Some((site.clone(), pattern.clone())),
        _ => None,
    };
    match model.field("hooks") {
        Some(Val::Record(fields)) => fields.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}

/// The axis that a segment of a pattern stands for.
fn hole(segment: &str) -> Option<&str> {
    segment.strip_prefix('[')?.strip_suffix(']')
}

fn holes(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('.').filter_map(hole)
}

/// The indices that a path gives to the axes of a pattern, if it is of that form.
fn matched(pattern: &str, path: &str) -> Option<Vec<(String, i64)>> {
    let mut found = Vec::new();
    let (mut left, mut right) = (pattern.split('.'), path.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Some(found),
            (Some(segment), Some(given)) => match hole(segment) {
                Some(axis) => found.push((axis.to_string(), given.parse().ok()?)),
                None if segment == given => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

/// The pattern with the first number of the path in its holes: what a person who wrote that path may have meant.
fn filled(pattern: &str, path: &str) -> String {
    let number = path.split('.').find(|segment| segment.parse::<u64>().is_ok()).unwrap_or("0");
    let segments: Vec<&str> = pattern.split('.').map(|segment| hole(segment).map_or(segment, |_| number)).collect();
    segments.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_patterns() {
        let pattern = "blocks.[layer].attn.hook_q";
        assert_eq!(matched(pattern, "blocks.3.attn.hook_q"), Some(vec![("layer".to_string(), 3)]));
        assert_eq!(matched(pattern, "blocks.3.attn.hook_k"), None);
        assert_eq!(matched(pattern, "blocks.x.attn.hook_q"), None);
        assert_eq!(matched(pattern, "blocks.3.attn"), None);
        assert_eq!(matched("hook_embed", "hook_embed"), Some(vec![]));
        assert_eq!(filled(pattern, "blocks.7.attn.hook_w"), "blocks.7.attn.hook_q");
    }
}
