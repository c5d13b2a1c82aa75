//! Messages that wait: requests that are called off before their turn are never worked on.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use lsp_server::{Connection, Message, RequestId};
use serde::Deserialize;

pub struct Queue {
    /// What has come in while the server was at work.
    incoming: Receiver<Message>,
    waiting: VecDeque<Next>,
}

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
    /// Takes over what a connection receives. It hands one message at a time from its reader to whoever asks; here they
    /// are taken as they come, so that a call-off is seen while the request still waits.
    pub fn of(connection: &Connection) -> io::Result<Queue> {
        let (sender, incoming) = channel();
        let receiver = connection.receiver.clone();
        let forward = move || receiver.into_iter().try_for_each(|message| sender.send(message)).unwrap_or_default();
        thread::Builder::new().name("locus-lsp-queue".to_string()).spawn(forward)?;
        Ok(Queue { incoming, waiting: VecDeque::new() })
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Everything that has come in.
    pub fn take_all(&mut self) {
        while let Ok(message) = self.incoming.try_recv() {
            self.add(message);
        }
    }

    /// The next thing to do; waits for it.
    pub fn next(&mut self) -> Next {
        loop {
            if let Some(next) = self.waiting.pop_front() {
                return next;
            }
            match self.incoming.recv() {
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
            _ => return self.waiting.push_back(Next::Message(message)),
        };
        let waits =
            |next: &&mut Next| matches!(next, Next::Message(Message::Request(asked)) if Some(&asked.id) == id.as_ref());
        if let Some(next) = self.waiting.iter_mut().find(waits)
            && let Some(id) = id
        {
            *next = Next::CalledOff(id);
        }
    }
}
