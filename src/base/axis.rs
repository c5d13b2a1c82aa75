//! Axis names, interned.
//!
//! An `Axis` is an identity, not a string: `rank` of one module and `rank` of another are two axes that print
//! alike. Rigid axis variables and rows of a generic function are axes too, so that the typing rules need no
//! second case for them. The table only grows; it is process-wide because tensors of all sessions carry axes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, OnceLock};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Axis(u32);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
        let mut table = table();
        let axis = Axis(table.entries.len() as u32);
        table.entries.push(Entry { shown: shown.to_string(), kind, key: None });
        axis
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
