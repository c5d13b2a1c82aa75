//! Which kept tiles are in memory: those that came last, up to a fixed number of bytes; older ones go to the store.
//!
//! The limit is small on purpose. What a program holds of its streamed data is then the same for a thousand
//! sequences and for ten million, and the system's own cache of the store's file makes reading back cheap.

use super::tile::Tile;
use crate::rt::error::Result;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

#[derive(Debug)]
struct Cache {
    /// The tiles in memory, oldest first; one that its tensor gave up is an empty reference.
    tiles: VecDeque<(Weak<Tile>, usize)>,
    bytes: usize,
    limit: usize,
}

/// Unless `--memory` is smaller: see `session::machine`.
pub const USUAL: usize = 64 << 20;

/// The tiles in memory of the process, or of one session that has an account.
#[derive(Debug)]
pub struct Tiles(Mutex<Cache>);

static CACHE: Tiles = Tiles::new(USUAL);

impl Tiles {
    /// At most so many bytes are in memory.
    pub const fn new(limit: usize) -> Tiles {
        Tiles(Mutex::new(Cache { tiles: VecDeque::new(), bytes: 0, limit }))
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // A panic under the lock leaves the queue whole.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The bytes of tiles that may be in memory at once.
pub fn set_limit(bytes: usize) {
    CACHE.lock().limit = bytes;
}

/// A tile came into memory. Older ones of its owner leave it.
pub fn entered(tile: &Arc<Tile>, bytes: usize) -> Result<()> {
    let mut leaving = Vec::new();
    {
        let mut cache = tile.account().map_or(&CACHE, |account| &account.tiles).lock();
        cache.tiles.push_back((Arc::downgrade(tile), bytes));
        cache.bytes += bytes;
        if cache.bytes > cache.limit {
            cache.forget_dropped();
        }
        while cache.bytes > cache.limit {
            let Some((tile, bytes)) = cache.tiles.pop_front() else { break };
            cache.bytes -= bytes;
            leaving.extend(tile.upgrade());
        }
    }
    // Outside the lock: writing takes time, and the last owner of a tile may be us.
    leaving.iter().try_for_each(|tile| tile.spill())
}

impl Cache {
    fn forget_dropped(&mut self) {
        let gone = |(tile, _): &(Weak<Tile>, usize)| tile.strong_count() == 0;
        let freed: usize = self.tiles.iter().filter(|tile| gone(tile)).map(|(_, bytes)| bytes).sum();
        self.tiles.retain(|tile| !gone(tile));
        self.bytes -= freed;
    }
}
