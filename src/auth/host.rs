//! What clients take for "the host" when they sign.

use http::HeaderMap;

use super::AuthError;

/// The request's one Host header, as sent.
pub(super) fn of(headers: &HeaderMap) -> Result<&str, AuthError> {
    let mut hosts = headers.get_all(http::header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            host.to_str().map_err(|_| AuthError::incomplete("The Host header is not readable text"))
        }
        (None, _) => Err(AuthError::incomplete("The request has no Host header")),
        (Some(_), Some(_)) => Err(AuthError::incomplete("The request has more than one Host header")),
    }
}

/// Every host that a client which sent this header may have signed, the likeliest first.
///
/// Clients differ on whether the port belongs to it (boto 2 signs none on port 80 but sends it,
/// others the reverse) and on its case. The host carries no authority here, so that trying a few
/// spellings costs no safety.
pub(super) fn candidates(sent: &str) -> Vec<String> {
    let sent = sent.trim();
    let lower = sent.to_ascii_lowercase();
    let mut hosts = with_and_without_port(sent);
    if lower != sent {
        hosts.extend(with_and_without_port(&lower));
    }
    hosts
}

fn with_and_without_port(host: &str) -> Vec<String> {
    let port = host.rsplit_once(':').filter(|(name, port)| {
        // A colon inside brackets belongs to an IPv6 address.
        !port.is_empty()
            && port.bytes().all(|b| b.is_ascii_digit())
            && (!name.contains(':') || name.ends_with(']'))
    });
    match port {
        Some((name, _)) => vec![host.to_owned(), name.to_owned()],
        None => vec![host.to_owned(), format!("{host}:80"), format!("{host}:443")],
    }
}

#[cfg(test)]
mod tests {
    use super::candidates;

    #[test]
    fn both_spellings_of_a_port_are_tried() {
        assert_eq!(candidates("localhost:8773"), ["localhost:8773", "localhost"]);
        assert_eq!(candidates("[::1]:8773"), ["[::1]:8773", "[::1]"]);
        assert_eq!(candidates("[::1]"), ["[::1]", "[::1]:80", "[::1]:443"]);
        assert_eq!(candidates("Host:1"), ["Host:1", "Host", "host:1", "host"]);
    }
}
