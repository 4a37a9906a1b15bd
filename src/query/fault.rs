//! Faults: what EC2 answers when it does not do what was asked.

use super::api::FaultCode;

/// An EC2 error: a code that programs read and a message that says what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}: {message}", .code.as_str())]
pub struct Fault {
    pub code: FaultCode,
    pub message: String,
}

impl FaultCode {
    /// The fault with this code.
    pub fn with(self, message: impl Into<String>) -> Fault {
        Fault { code: self, message: message.into() }
    }
}
