//! Request ids: a random UUID for each reply.

use std::fmt;

/// A version 4 UUID (RFC 9562), by which a client and the log mean the same request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RequestId([u8; 16]);

impl RequestId {
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        // Without randomness ids repeat, which harms nobody: they carry no authority.
        if getrandom::fill(&mut bytes).is_err() {
            tracing::warn!("no randomness for a request id");
        }
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let places = (0..36).filter(|at| !matches!(at, 8 | 13 | 18 | 23));
        for (nibble, at) in places.enumerate() {
            let byte = self.0[nibble / 2];
            text[at] = DIGITS[usize::from(if nibble % 2 == 0 { byte >> 4 } else { byte & 15 })];
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn it_is_a_version_4_uuid_and_each_is_another() {
        let (one, other) = (RequestId::random().to_string(), RequestId::random().to_string());
        assert_ne!(one, other);
        let dashes: Vec<usize> = one.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((one.len(), dashes), (36, vec![8, 13, 18, 23]));
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]));
    }
}
