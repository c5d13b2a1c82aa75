//! The names of a session as the line editor sees them: a copy, so that the session is never borrowed.

use std::cell::{Ref, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use crate::check::{NameKind, Visible};

#[derive(Clone, Default)]
pub struct Words(Rc<RefCell<Known>>);

#[derive(Default)]
pub struct Known {
    pub names: Vec<Visible>,
    pub axes: Vec<String>,
    /// What paths of files are relative to.
    pub folder: PathBuf,
}

impl Words {
    pub fn set(&self, known: Known) {
        *self.0.borrow_mut() = known;
    }

    pub fn known(&self) -> Ref<'_, Known> {
        self.0.borrow()
    }
}

impl Known {
    pub fn find(&self, name: &str) -> Option<&Visible> {
        self.names.iter().find(|known| known.name == name)
    }

    /// The type or signature that `path` stands for: `weights.deep.a`, `sae.encode`.
    pub fn shown(&self, path: &[&str]) -> Option<String> {
        let (first, rest) = path.split_first()?;
        let owner = self.find(first)?;
        if owner.kind == NameKind::Module {
            return match rest {
                [] => Some(format!("module {}", owner.shown)),
                [member, fields @ ..] => {
                    let (_, shown) = owner.members.iter().find(|(name, _)| name == member)?;
                    field(shown, fields)
                }
            };
        }
        field(&owner.shown, rest)
    }

    /// What can stand after `path.`.
    pub fn members(&self, path: &[&str]) -> Vec<String> {
        match path {
            [first] if self.find(first).is_some_and(|owner| owner.kind == NameKind::Module) => {
                let members = self.find(first).into_iter().flat_map(|owner| &owner.members);
                members.map(|(name, _)| name.clone()).collect()
            }
            _ => self.shown(path).map_or(Vec::new(), |ty| fields(&ty).into_iter().map(|(name, _)| name).collect()),
        }
    }
}

/// The type of a field of a field of a record type.
fn field(ty: &str, path: &[&str]) -> Option<String> {
    match path {
        [] => Some(ty.to_string()),
        [first, rest @ ..] => fields(ty).iter().find(|(name, _)| name == first).and_then(|(_, ty)| field(ty, rest)),
    }
}

/// The fields of a record type as shown: `{ W: f32[d, f], b: { c: int } }` has `W` and `b`.
pub fn fields(ty: &str) -> Vec<(String, String)> {
    let Some(inner) = ty.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return Vec::new();
    };
    let (mut depth, mut start, mut parts, mut last) = (0, 0, Vec::new(), ' ');
    for (place, c) in inner.char_indices() {
        match c {
            '{' | '[' | '(' | '<' => depth += 1,
            // The arrow of a function's type closes nothing.
            '>' if last == '-' || last == '=' => {}
            '}' | ']' | ')' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..place]);
                start = place + 1;
            }
            _ => {}
        }
        last = c;
    }
    parts.push(&inner[start..]);
    let split = |part: &&str| part.split_once(':').map(|(name, ty)| (name.trim().to_string(), ty.trim().to_string()));
    parts.iter().filter_map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_shown_types() {
        let names = |ty: &str| fields(ty).into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ");
        assert_eq!(
            names("{ W: f32[d, f], forward: fn(x: f32[d], k = 3) -> f32, deep: { a: int, b: int } }"),
            "W forward deep"
        );
        assert_eq!(names("f32[d]"), "");
        assert_eq!(field("{ a: { b: { c: int } } }", &["a", "b"]).unwrap(), "{ c: int }");
    }
}
