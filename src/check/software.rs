//! Rights, programs, kernel.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Finding;
use crate::config::Config;

/// The first kernel whose nft tables can have an owner (`owner`, `persist`).
const OWNED_TABLES: (u32, u32) = (6, 9);

pub fn findings(config: &Config) -> Vec<Finding> {
    let mut all = vec![root(), nft(), kernel(), overlay(), busybox()];
    if config.state_dir.exists() && fs::read_dir(&config.state_dir).is_err() {
        all.push(Finding::stop(format!("{} cannot be read: it is root's", config.state_dir.display())));
    }
    all
}

fn root() -> Finding {
    match nix::unistd::geteuid().is_root() {
        true => Finding::fine("runs as root"),
        false => Finding::stop("is not root: the kernel's network can only be programmed by root"),
    }
}

fn nft() -> Finding {
    match Command::new("nft").arg("--version").output() {
        Ok(output) if output.status.success() => {
            Finding::fine(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        _ => Finding::stop("nft cannot be run: install the package nftables"),
    }
}

fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    match version(release) {
        Some(found) if found >= OWNED_TABLES => Finding::fine(format!("Linux {release}")),
        Some(_) => Finding::note(format!(
            "Linux {release} has no nft tables with an owner (6.9 has): when another program flushes all rules, \
             instances are open until ours are back, within a second"
        )),
        None => Finding::note(format!("Linux {release}: a version that cannot be read")),
    }
}

/// Major and minor of a release such as `6.1.0-18-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn overlay() -> Finding {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    match known.split_whitespace().any(|word| word == "overlay") {
        true => Finding::fine("overlayfs is there"),
        false => Finding::note(
            "overlayfs is not loaded (`modprobe overlay`): instances would get copies of their image",
        ),
    }
}

fn busybox() -> Finding {
    match Path::new("/bin/busybox").exists() {
        true => Finding::fine("/bin/busybox is there, for the stock image"),
        false => Finding::note(
            "no /bin/busybox: install busybox-static if instances of the stock image are wanted",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_by_number() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert!(version("6.18.2+deb14") > Some(OWNED_TABLES));
        assert_eq!(version("rolling"), None);
    }
}
