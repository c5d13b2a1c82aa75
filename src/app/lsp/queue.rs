//! Messages that wait: requests that are called off before their turn are never worked on.

use std::collections::VecDeque;

use lsp_server::{Connection, Message, RequestId};
use serde::Deserialize;

#[derive(Default)]
pub struct Queue(VecDeque<Next>);

/// What is to be done next.
pub enum Next {
    Message(Message),
    /// A request that the client does not want answered any more; the protocol wants it answered all the same.
    CalledOff(RequestId),
    /// Nothing will come any more.
    Closed,
}

#[derive(Deserialize)]
struct CallOff {
    id: RequestId,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that has come in.
    pub fn take_all(&mut self, connection: &Connection) {
        while let Ok(message) = connection.receiver.try_recv() {
            self.add(message);
        }
    }

    /// The next thing to do; waits for it.
    pub fn next(&mut self, connection: &Connection) -> Next {
        loop {
            if let Some(next) = self.0.pop_front() {
                return next;
            }
            match connection.receiver.recv() {
                Ok(message) => self.add(message),
                Err(_) => return Next::Closed,
            }
        }
    }

    fn add(&mut self, message: Message) {
        let id = match &message {
            Message::Notification(told) if told.method == "$/cancelRequest" => {
                serde_json::from_value::<CallOff>(told.params.clone()).ok().map(|off| off.id)
            }
            _ => return self.0.push_back(Next::Message(message)),
        };
        let waits =
            |next: &&mut Next| matches!(next, Next::Message(Message::Request(asked)) if Some(&asked.id) == id.as_ref());
        if let Some(next) = self.0.iter_mut().find(waits)
            && let Some(id) = id
        {
            *next = Next::CalledOff(id);
        }
    }
}
