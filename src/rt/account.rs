//! What one session takes of the memory and the disk, beside what the whole process takes.
//!
//! A command is one session in one process and needs no account. Sessions that share a process have one each, so that
//! none can lift or use up the limit of another. An account follows the threads that a session owns (`enter`), and every
//! large array, tile and place in the store remembers whose it is, whoever frees it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::chunked::cache::{Tiles, USUAL};

/// The account of one session.
#[derive(Debug)]
pub struct Account {
    /// Bytes of its large arrays and open inputs.
    live: AtomicUsize,
    /// The most that `live` may be.
    memory: usize,
    /// Bytes that it has in the store.
    stored: AtomicU64,
    /// The most that `stored` may be.
    disk: u64,
    /// The tiles that it has in memory.
    pub tiles: Tiles,
}

impl Account {
    pub fn new(memory: Option<usize>, disk: Option<u64>) -> Arc<Account> {
        let memory = memory.unwrap_or(usize::MAX);
        Arc::new(Account {
            live: AtomicUsize::new(0),
            memory,
            stored: AtomicU64::new(0),
            disk: disk.unwrap_or(u64::MAX),
            tiles: Tiles::new((memory / 6).min(USUAL)),
        })
    }

    /// The most bytes that it may take in memory.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Bytes that it takes in memory now.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Bytes that it may take yet.
    pub fn left(&self) -> usize {
        self.memory.saturating_sub(self.live())
    }

    pub fn take(&self, bytes: usize) {
        self.live.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn give_back(&self, bytes: usize) {
        self.live.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Notes bytes in the store; `Err` with what would be needed and what is allowed, if they do not fit.
    pub fn store(&self, bytes: u64) -> Result<(), (u64, u64)> {
        let before = self.stored.fetch_add(bytes, Ordering::Relaxed);
        let needed = before.saturating_add(bytes);
        if needed <= self.disk {
            return Ok(());
        }
        self.unstore(bytes);
        Err((needed, self.disk))
    }

    pub fn unstore(&self, bytes: u64) {
        self.stored.fetch_sub(bytes, Ordering::Relaxed);
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Account>>> = const { RefCell::new(None) };
}

/// The account of the session that owns this thread.
pub fn current() -> Option<Arc<Account>> {
    CURRENT.with(|current| current.borrow().clone())
}

/// From now on this thread works for the account.
pub fn own(account: Arc<Account>) {
    CURRENT.with(|current| current.replace(Some(account)));
}

/// Until the guard goes, this thread works for the account.
pub fn enter(account: Option<Arc<Account>>) -> Entered {
    Entered(CURRENT.with(|current| current.replace(account)))
}

/// See `enter`.
#[must_use]
pub struct Entered(Option<Arc<Account>>);

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.take();
        // A thread that ends may have lost its place for the account already.
        let _ = CURRENT.try_with(|current| current.replace(before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::aligned::{self, Aligned, Held};

    #[test]
    fn an_array_counts_for_the_account_it_was_made_under() {
        let (one, other) = (Account::new(Some(1 << 20), None), Account::new(None, None));
        let entered = enter(Some(one.clone()));
        let array = Aligned::<u8>::zeros(300 << 10);
        let held = Held::new(100 << 10);
        assert!(one.live() >= 400 << 10);
        assert!(aligned::lacks_room(1 << 20).is_some());
        assert!(aligned::lacks_room(500 << 10).is_none());
        drop(entered);
        assert!(aligned::lacks_room(1 << 20).is_none(), "the limit of one is not that of others");
        let _entered = enter(Some(other.clone()));
        drop((array, held));
        assert_eq!((one.live(), other.live()), (0, 0));
    }

    #[test]
    fn the_disk_of_one_is_not_that_of_another() {
        let (one, other) = (Account::new(None, Some(100)), Account::new(None, None));
        assert_eq!(one.store(60), Ok(()));
        assert_eq!(one.store(60), Err((120, 100)));
        assert_eq!(other.store(1000), Ok(()));
        one.unstore(60);
        assert_eq!(one.store(100), Ok(()));
    }
}
