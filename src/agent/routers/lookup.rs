//! Names that are not instances' are looked up from the host's own network namespace: a router has no way to its resolvers.

use std::net::SocketAddr;

use tokio::sync::{mpsc, oneshot};

use crate::agent::serve::dns::{Way, forward};

/// How many questions may wait.
const WAITING: usize = 256;

/// A question, and where its answer goes.
pub struct Question {
    pub message: Vec<u8>,
    pub resolvers: Vec<SocketAddr>,
    pub way: Way,
    pub answer: oneshot::Sender<Option<Vec<u8>>>,
}

/// Takes questions from any thread.
pub type Lookups = mpsc::Sender<Question>;

/// Answers questions from where it was called, until all who may ask are gone.
pub fn start() -> Lookups {
    let (sender, mut questions) = mpsc::channel::<Question>(WAITING);
    tokio::spawn(async move {
        while let Some(question) = questions.recv().await {
            tokio::spawn(async move {
                let Question { message, resolvers, way, answer } = question;
                // Nobody may be waiting any more.
                let _ = answer.send(forward(&message, &resolvers, way).await);
            });
        }
    });
    sender
}
