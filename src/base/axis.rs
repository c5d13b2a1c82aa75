//! Axis names, interned.
//!
//! An `Axis` is an identity, not a string: `rank` of one module and `rank` of another are two axes that print
//! alike. Rigid axis variables and rows of a generic function are axes too, so that the typing rules need no
//! second case for them. The table only grows; it is process-wide because tensors of all sessions carry axes.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, OnceLock};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Axis(u32);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AxisKind {
    /// Declared by an `axis` item.
    Named,
    /// A generic parameter `d` while its function is checked on its own.
    Rigid,
    /// A generic row `..r` while its function is checked on its own: any further axes.
    Row,
}

struct Entry {
    shown: String,
    kind: AxisKind,
    /// What names the axis among all axes, in every process; a fresh axis has none.
    key: Option<String>,
}

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    by_key: HashMap<String, Axis>,
    /// Fresh axes that were given back: equal to new ones in everything that can be asked.
    spare: HashMap<(String, AxisKind), VecDeque<Axis>>,
}

thread_local! {
    /// The fresh axes that this thread made since it began to lend them.
    static LENT: RefCell<Option<Vec<Axis>>> = const { RefCell::new(None) };
}

/// The fresh axes of one piece of work, given back when it is dropped. Whoever checks texts again and again, as an editor's
/// server does, would otherwise make the table grow with every key that is typed. Nothing that holds one of these axes
/// may outlive it.
#[derive(Debug, Default)]
pub struct Lease(Vec<Axis>);

impl Lease {
    /// Does `work`, and holds every fresh axis that it makes on this thread.
    pub fn around<T>(work: impl FnOnce() -> T) -> (T, Lease) {
        let outer = LENT.replace(Some(Vec::new()));
        let mut lease = Lease::default();
        let _ends = Ends { outer };
        let done = work();
        lease.0 = LENT.take().unwrap_or_default();
        (done, lease)
    }
}

/// Puts back what was lent before, also when the work panics: then its axes are never used again.
struct Ends {
    outer: Option<Vec<Axis>>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        LENT.replace(self.outer.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut table = table();
        for axis in std::mem::take(&mut self.0) {
            let entry = &table.entries[axis.0 as usize];
            let key = (entry.shown.clone(), entry.kind);
            table.spare.entry(key).or_default().push_back(axis);
        }
    }
}

fn table() -> std::sync::MutexGuard<'static, Table> {
    static TABLE: OnceLock<Mutex<Table>> = OnceLock::new();
    let mutex = TABLE.get_or_init(|| Mutex::new(Table::default()));
    // A panic while the lock is held leaves the table consistent: entries are only appended.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Axis {
    /// The axis `name` of `module`; the module `""` is shared by all (std.axes).
    pub fn named(module: &str, name: &str) -> Axis {
        let key = if module.is_empty() { name.to_string() } else { format!("{module}::{name}") };
        let mut table = table();
        if let Some(&axis) = table.by_key.get(&key) {
            return axis;
        }
        let axis = Axis(table.entries.len() as u32);
        table.entries.push(Entry { shown: name.to_string(), kind: AxisKind::Named, key: Some(key.clone()) });
        table.by_key.insert(key, axis);
        axis
    }

    /// A fresh axis that equals no other: a rigid variable or a row.
    pub fn fresh(shown: &str, kind: AxisKind) -> Axis {
        let lent = |axis: Axis| {
            LENT.with_borrow_mut(|lent| lent.as_mut().map(|lent| lent.push(axis)));
            axis
        };
        let mut table = table();
        if !table.spare.is_empty()
            && let Some(axis) = table.spare.get_mut(&(shown.to_string(), kind)).and_then(VecDeque::pop_front)
        {
            return lent(axis);
        }
        let axis = Axis(table.entries.len() as u32);
        table.entries.push(Entry { shown: shown.to_string(), kind, key: None });
        lent(axis)
    }

    /// What names a declared axis in every process: `pos`, or `std.sae::rank`. `None` for a fresh one.
    pub fn key(self) -> Option<String> {
        table().entries[self.0 as usize].key.clone()
    }

    /// The axis of a `key` from this or another process.
    pub fn of_key(key: &str) -> Axis {
        match key.rsplit_once("::") {
            Some((module, name)) => Axis::named(module, name),
            None => Axis::named("", key),
        }
    }

    pub fn kind(self) -> AxisKind {
        table().entries[self.0 as usize].kind
    }

    /// The name as the user wrote it; rows print as `..r`.
    pub fn shown(self) -> String {
        let table = table();
        let entry = &table.entries[self.0 as usize];
        match entry.kind {
            AxisKind::Row => format!("..{}", entry.shown),
            _ => entry.shown.clone(),
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown())
    }
}

impl fmt::Debug for Axis {
    /// The key where there is one, so that two axes never look the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.key().unwrap_or_else(|| format!("{}~{}", self.shown(), self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_axes_are_given_back_and_made_again() {
        let kind = AxisKind::Rigid;
        let (first, lease) = Lease::around(|| [Axis::fresh("leased", kind), Axis::fresh("leased", kind)]);
        assert_ne!(first[0], first[1]);
        assert!(!first.contains(&Axis::fresh("leased", kind)), "an axis is in use twice");
        drop(lease);
        let (second, _lease) = Lease::around(|| [Axis::fresh("leased", kind), Axis::fresh("leased", kind)]);
        assert_eq!(first, second);
        assert_eq!(second[0].shown(), "leased");
        assert_ne!(Axis::fresh("leased", AxisKind::Row), first[0]);
    }
}
