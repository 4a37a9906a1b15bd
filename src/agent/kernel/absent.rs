//! What is to be removed may be gone already.

use nix::errno::Errno;
use rtnetlink::Error;

/// The kernel takes routes and neighbours away with an interface or an address that they need, and others may have been
/// quicker: nothing is wrong then.
pub fn is_removed(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::NetlinkError(message)) if says_absent(message.raw_code()) => Ok(()),
        other => other,
    }
}

fn says_absent(code: i32) -> bool {
    let absent = [Errno::ENOENT, Errno::ESRCH, Errno::ENODEV, Errno::EADDRNOTAVAIL];
    absent.contains(&Errno::from_raw(-code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_that_it_is_gone_is_right() {
        assert!(says_absent(-nix::libc::ESRCH) && says_absent(-nix::libc::EADDRNOTAVAIL));
        assert!(!says_absent(-nix::libc::EPERM) && !says_absent(-nix::libc::EBUSY));
    }
}
