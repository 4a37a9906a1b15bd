//! GetCallerIdentity, which many tools ask before anything else.

use super::View;
use crate::query::Fault;
use crate::query::api::{GetCallerIdentityRequest, GetCallerIdentityResponse};

pub fn get_caller_identity(
    view: &View,
    _request: &GetCallerIdentityRequest,
) -> Result<GetCallerIdentityResponse, Fault> {
    let account = view.caller.owner.account;
    Ok(GetCallerIdentityResponse {
        // Fogbank has no users: every key stands for its whole account.
        arn: format!("arn:aws:iam::{account}:root"),
        user_id: account.to_string(),
        account,
    })
}
