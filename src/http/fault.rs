//! The door's own errors as EC2's faults.

use super::body::BodyError;
use crate::auth::AuthError;
use crate::query::{Fault, FaultCode};

impl From<AuthError> for Fault {
    /// Codes as EC2 gives them (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>):
    /// a wrong SigV2 signature is AuthFailure there, and so is an unknown key in either version.
    fn from(error: AuthError) -> Self {
        let code = match &error {
            AuthError::Missing => FaultCode::MissingAuthenticationToken,
            AuthError::TwoMethods | AuthError::Incomplete(_) => FaultCode::IncompleteSignature,
            AuthError::UnknownKey | AuthError::MismatchV2 | AuthError::SigV2Off => FaultCode::AuthFailure,
            AuthError::MismatchV4 | AuthError::ContentHash(_) => FaultCode::SignatureDoesNotMatch,
            AuthError::Expired(_) => FaultCode::RequestExpired,
            AuthError::SessionToken => FaultCode::InvalidClientTokenId,
            AuthError::Form(_) => FaultCode::MalformedQueryString,
        };
        code.with(error.to_string())
    }
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => FaultCode::RequestEntityTooLarge
                .with(format!("The request body must not have more than {} bytes", super::body::MAX_BODY)),
            BodyError::TooSlow => FaultCode::RequestTimeout
                .with("The request body was not sent within the timeout period; send the request again"),
            BodyError::Broken => {
                FaultCode::MalformedQueryString.with("The request body ended early or its framing is wrong")
            }
        }
    }
}
