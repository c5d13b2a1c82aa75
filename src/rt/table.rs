//! Every function of the runtime that a program can reach by name. The checker, the engines and machine code know
//! them by these names only; what they take and give stands at each adapter in `builtins`.

use super::builtins;
use super::ctx::Ctx;
use super::error::Result;
use super::value::Value;
use crate::base::axis::Axis;
use std::collections::HashMap;
use std::sync::OnceLock;

/// A function of the runtime. The axes are the explicit axis arguments, in order.
pub struct Builtin {
    pub name: &'static str,
    pub run: fn(&mut Ctx, &[Axis], &[Value]) -> Result<Vec<Value>>,
}

/// All of them, group by group.
pub fn all() -> impl Iterator<Item = &'static Builtin> {
    builtins::GROUPS.iter().copied().flatten()
}

/// The builtin of this name. Engines ask at every call, so this does not search.
pub fn lookup(name: &str) -> Option<&'static Builtin> {
    static BY_NAME: OnceLock<HashMap<&'static str, &'static Builtin>> = OnceLock::new();
    BY_NAME.get_or_init(|| all().map(|builtin| (builtin.name, builtin)).collect()).get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let mut names: Vec<&str> = all().map(|builtin| builtin.name).collect();
        for name in &names {
            assert_eq!(lookup(name).map(|builtin| builtin.name), Some(*name));
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(lookup("no such thing").is_none());
    }
}
