//! What a name meant where it was read, entry by entry.
//!
//! These are the rules of the prompt. Code sees what its names mean where it stands. A function sees, each time it is
//! used, the functions and types of that moment, but goes on to read the values that it read first.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Part, PartKind};
use crate::syntax::free::{DefKind, Space};

/// An item: the number of its entry, and its own in that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    pub entry: usize,
    pub item: usize,
}

/// What every name that is read on the way means; by the item that reads it and the number of the read.
pub type World = BTreeMap<(Place, usize), Place>;

pub struct Meanings<'a> {
    entries: &'a [Entry],
    /// The names of the library, if they are known.
    library: Option<&'a BTreeSet<String>>,
    /// Of each name the items that gave it a meaning, the oldest first.
    defined: BTreeMap<(Space, String), Vec<Place>>,
}

impl<'a> Meanings<'a> {
    pub fn new(entries: &'a [Entry], library: Option<&'a BTreeSet<String>>) -> Meanings<'a> {
        let mut defined: BTreeMap<(Space, String), Vec<(usize, bool, Place)>> = BTreeMap::new();
        for (entry, found) in entries.iter().enumerate() {
            for (item, part) in found.items.iter().enumerate().filter(|(_, part)| part.kept) {
                for def in &part.names.defs {
                    let space = match def.kind {
                        DefKind::Value | DefKind::Function => Space::Value,
                        DefKind::Type => Space::Type,
                        DefKind::Import => continue,
                    };
                    // A declaration holds from the beginning of its text.
                    let runs = def.kind == DefKind::Value;
                    defined.entry((space, def.name.clone())).or_default().push((entry, runs, Place { entry, item }));
                }
            }
        }
        let sorted = defined.into_iter().map(|(name, mut all)| {
            all.sort();
            (name, all.into_iter().map(|(.., place)| place).collect())
        });
        Meanings { entries, library, defined: sorted.collect() }
    }

    pub fn part(&self, place: Place) -> Option<&'a Part> {
        self.entries.get(place.entry)?.items.get(place.item)
    }

    pub fn is_declared(&self, place: Place) -> bool {
        self.part(place).is_some_and(|part| part.kind == PartKind::Declared)
    }

    /// All items that gave a name a meaning, the oldest first.
    pub fn all(&self, name: &str, space: Space) -> &[Place] {
        self.defined.get(&(space, name.to_string())).map_or(&[], Vec::as_slice)
    }

    /// What a name means in an entry: to its item number `before`, or at its end.
    pub fn current(&self, name: &str, space: Space, entry: usize, before: Option<usize>) -> Option<Place> {
        let seen = |place: &&Place| {
            let earlier = before.is_none_or(|item| place.item < item);
            place.entry < entry || (place.entry == entry && (self.is_declared(**place) || earlier))
        };
        self.all(name, space).iter().rfind(seen).copied()
    }

    /// What read number `read` of an item means, if the item is used in entry `used`.
    pub fn meaning(&self, place: Place, read: usize, used: usize) -> Option<Place> {
        let read = self.part(place)?.names.reads.get(read)?;
        if !self.is_declared(place) {
            let found = self.current(&read.name, read.space, place.entry, Some(place.item));
            return found.or_else(|| self.later(&read.name, read.space));
        }
        if read.space == Space::Type {
            return self.current(&read.name, Space::Type, used, None);
        }
        let mut found = self.current(&read.name, Space::Value, place.entry, None);
        for &later in self.all(&read.name, Space::Value) {
            if found.is_some_and(|found| !self.is_declared(found)) {
                break;
            }
            if later.entry > place.entry && later.entry <= used {
                found = Some(later);
            }
        }
        found
    }

    /// A function value may name a function that is entered after it. A name of the library means that of the library.
    fn later(&self, name: &str, space: Space) -> Option<Place> {
        let library = self.library?.contains(name) || space == Space::Type;
        let imported = |part: &Part| part.names.defs.iter().any(|def| def.kind == DefKind::Import && def.name == name);
        let known = library || self.entries.iter().flat_map(|entry| &entry.items).any(imported);
        if known { None } else { self.all(name, space).iter().copied().find(|place| self.is_declared(*place)) }
    }

    /// All that the functions and types at and below a declaration read, if it is used in entry `used`.
    pub fn world(&self, place: Place, used: usize) -> World {
        let (mut world, mut pending, mut seen) = (World::new(), vec![place], BTreeSet::new());
        while let Some(place) = pending.pop() {
            if !self.is_declared(place) || !seen.insert(place) {
                continue;
            }
            for read in 0..self.part(place).map_or(0, |part| part.names.reads.len()) {
                if let Some(target) = self.meaning(place, read, used) {
                    world.insert((place, read), target);
                    pending.push(target);
                }
            }
        }
        world
    }

    /// Did the value at `place` come, through functions and other values, from `target`?
    pub fn leads_to(&self, place: Place, target: Place) -> bool {
        let (mut pending, mut seen) = (vec![place], BTreeSet::new());
        while let Some(place) = pending.pop() {
            if !seen.insert(place) {
                continue;
            }
            for read in 0..self.part(place).map_or(0, |part| part.names.reads.len()) {
                let Some(found) = self.meaning(place, read, place.entry) else { continue };
                let inner = self.world(found, place.entry);
                if found == target || inner.values().any(|inner| *inner == target) {
                    return true;
                }
                pending.extend(inner.into_values().chain([found]).filter(|found| !self.is_declared(*found)));
            }
        }
        false
    }
}
