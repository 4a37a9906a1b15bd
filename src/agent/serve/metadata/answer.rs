//! From a question to an answer. Pure.

use hyper::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;

use super::token::{LONGEST, Tokens};
use super::tree;
use crate::agent::serve::Place;
use crate::types::Micros;

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";

/// What is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
    pub content_type: &'static str,
    /// A session token: it may not travel far.
    pub is_token: bool,
    pub token_seconds: Option<u32>,
}

impl Answer {
    fn new(status: StatusCode, body: impl Into<Vec<u8>>) -> Self {
        let content_type = "text/plain";
        Self { status, body: body.into(), content_type, is_token: false, token_seconds: None }
    }

    fn error(status: StatusCode) -> Self {
        Self::new(status, format!("{status}\n"))
    }

    pub fn forbidden() -> Self {
        Self::error(StatusCode::FORBIDDEN)
    }
}

/// Answers one request.
pub fn answer<B>(request: &Request<B>, place: &Place, tokens: &Tokens, now: Micros) -> Answer {
    if !place.instance.metadata_enabled {
        return Answer::forbidden();
    }
    // Clients that quote a name, as the colons of a MAC, mean the same.
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match *request.method() {
        Method::PUT => put(request, &path, place, tokens, now),
        Method::GET | Method::HEAD => get(request, &path, place, tokens, now),
        _ => Answer::error(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn put<B>(request: &Request<B>, path: &[&str], place: &Place, tokens: &Tokens, now: Micros) -> Answer {
    if *path != ["latest", "api", "token"] {
        return Answer::error(StatusCode::METHOD_NOT_ALLOWED);
    }
    // Whoever forwards is not the instance.
    if request.headers().contains_key("x-forwarded-for") {
        return Answer::forbidden();
    }
    let seconds = request.headers().get(TTL).and_then(|value| value.to_str().ok()?.parse().ok());
    match seconds {
        Some(seconds) if (1..=LONGEST).contains(&seconds) => Answer {
            is_token: true,
            token_seconds: Some(seconds),
            ..Answer::new(StatusCode::OK, tokens.make(place.instance.id, seconds, now))
        },
        _ => Answer::error(StatusCode::BAD_REQUEST),
    }
}

fn get<B>(request: &Request<B>, path: &[&str], place: &Place, tokens: &Tokens, now: Micros) -> Answer {
    let good = request
        .headers()
        .get(TOKEN)
        .map(|token| token.to_str().is_ok_and(|token| tokens.check(token, place.instance.id, now)));
    if good == Some(false) || (good.is_none() && place.instance.tokens_required) {
        return Answer::error(StatusCode::UNAUTHORIZED);
    }
    match tree::find(path, place) {
        Some(found) => {
            let content_type = if found.is_user_data { "application/octet-stream" } else { "text/plain" };
            Answer { content_type, ..Answer::new(StatusCode::OK, found.bytes) }
        }
        None => Answer::error(StatusCode::NOT_FOUND),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::serve::metadata::tree::tests::place;

    fn ask(method: &str, path: &str, headers: &[(&str, &str)], place: &Place, tokens: &Tokens) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(&request.body(()).unwrap(), place, tokens, Micros(1))
    }

    fn edited(edit: impl Fn(&mut crate::plan::InstanceSection)) -> Place {
        let mut place = place();
        let mut instance = (*place.instance).clone();
        edit(&mut instance);
        place.instance = instance.into();
        place
    }

    #[test]
    fn a_token_opens_what_requires_one() {
        let (place, tokens) = (edited(|instance| instance.tokens_required = true), Tokens::new());
        let status = |headers: &[(&str, &str)]| {
            ask("GET", "/latest/meta-data/instance-id", headers, &place, &tokens).status
        };
        let token = ask("PUT", "/latest/api/token", &[(TTL, "60")], &place, &tokens);
        assert!(token.is_token);
        let token = String::from_utf8(token.body).unwrap();
        assert_eq!(status(&[]), StatusCode::UNAUTHORIZED);
        assert_eq!(status(&[(TOKEN, "forged")]), StatusCode::UNAUTHORIZED);
        assert_eq!(status(&[(TOKEN, &token)]), StatusCode::OK);
    }

    #[test]
    fn version_1_is_open_unless_a_bad_token_is_shown() {
        let (place, tokens) = (place(), Tokens::new());
        let path = "/latest/meta-data/instance-id";
        assert_eq!(ask("GET", path, &[], &place, &tokens).status, StatusCode::OK);
        assert_eq!(ask("GET", path, &[(TOKEN, "x")], &place, &tokens).status, StatusCode::UNAUTHORIZED);
    }

    #[test]
    fn tokens_are_asked_for_properly() {
        let (place, tokens) = (place(), Tokens::new());
        let status =
            |headers: &[(&str, &str)]| ask("PUT", "/latest/api/token", headers, &place, &tokens).status;
        for bad in ["", "0", "21601", "-1", "x"] {
            assert_eq!(status(&[(TTL, bad)]), StatusCode::BAD_REQUEST, "{bad}");
        }
        assert_eq!(status(&[]), StatusCode::BAD_REQUEST);
        assert_eq!(status(&[(TTL, "60"), ("X-Forwarded-For", "10.0.0.1")]), StatusCode::FORBIDDEN);
        assert_eq!(status(&[(TTL, "21600")]), StatusCode::OK);
        assert_eq!(ask("POST", "/latest", &[], &place, &tokens).status, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn a_quoted_name_is_the_name() {
        let (place, tokens) = (place(), Tokens::new());
        let macs = "/latest/meta-data/network/interfaces/macs";
        let quoted = ask("GET", &format!("{macs}/02%3A00%3A00%3A00%3A00%3A09/mac"), &[], &place, &tokens);
        assert_eq!((quoted.status, quoted.body.as_slice()), (StatusCode::OK, &b"02:00:00:00:00:09"[..]));
    }

    #[test]
    fn a_disabled_service_says_nothing() {
        let (place, tokens) = (edited(|instance| instance.metadata_enabled = false), Tokens::new());
        for method in ["GET", "PUT"] {
            let path = "/latest/api/token";
            assert_eq!(ask(method, path, &[(TTL, "60")], &place, &tokens).status, StatusCode::FORBIDDEN);
        }
    }
}
