//! Functions that the program around a session registered: the table of builtins that is the session's own.
//!
//! They live in the context and nowhere else, so sessions never see each other's. What they are given and what they must
//! give is checked around the call, in `exec::host`.

use std::collections::HashMap;

use super::error::Result;
use super::value::Value;

/// A function of the host, on values without types. It must not panic: who registers it sees to that.
pub type HostFunction = Box<dyn FnMut(Vec<Value>) -> Result<Value> + Send>;

/// The functions by the names that the IR calls them by (`ir::HOST`, `ir::PURE_HOST`).
#[derive(Default)]
pub struct HostTable(HashMap<&'static str, HostFunction>);

impl HostTable {
    pub fn register(&mut self, name: &'static str, function: HostFunction) {
        self.0.insert(name, function);
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut HostFunction> {
        self.0.get_mut(name)
    }
}
