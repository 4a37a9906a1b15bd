//! Why a request was not accepted.

use super::form::FormError;

/// Why a request was not accepted; the door turns it into EC2's fault.
///
/// Messages never name a secret, nor the signature that would have been right.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthError {
    #[error("Request is missing Authentication Token: sign it with SigV4, or with SigV2 in the query")]
    Missing,
    #[error(
        "Only one auth mechanism allowed: the Authorization header, X-Amz-* parameters, or AWSAccessKeyId"
    )]
    TwoMethods,
    /// Something of the signature is absent or cannot be read.
    #[error("{0}")]
    Incomplete(String),
    #[error("AWS was not able to validate the provided access credentials")]
    UnknownKey,
    /// The signature of a known key is not the one that its secret gives for this request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details."
    )]
    MismatchV4,
    /// As EC2 answers SigV2: with the same code as for an unknown key.
    #[error("AWS was not able to validate the provided access credentials")]
    MismatchV2,
    #[error("Request has expired. {0}")]
    Expired(String),
    #[error("The security token included in the request is invalid: this endpoint takes no session tokens")]
    SessionToken,
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed: {0}")]
    ContentHash(&'static str),
    #[error("Signature Version 2 is switched off on this endpoint: sign with Signature Version 4")]
    SigV2Off,
    #[error("{0}")]
    Form(#[from] FormError),
}

impl AuthError {
    /// Shorthand for [`AuthError::Incomplete`].
    pub(super) fn incomplete(message: impl Into<String>) -> Self {
        Self::Incomplete(message.into())
    }
}
