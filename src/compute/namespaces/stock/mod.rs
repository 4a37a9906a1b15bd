//! The stock image: Debian's busybox-static, a DHCP client's script and an init that does what cloud-init does.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const BUSYBOX: &str = "/bin/busybox";
const INIT: &str = include_str!("init.sh");
const DHCP: &str = include_str!("dhcp.sh");
const USER_DATA: &str = include_str!("user-data.sh");
const IPV6: &str = include_str!("ipv6.sh");

/// Most user-data begins with `#!/bin/bash`; much of it is plain sh.
const BASH: &str = "#!/bin/sh\nexec /bin/sh \"$@\"\n";

/// Another text when the image would come out differently.
///
/// # Errors
/// There is no busybox.
pub fn version() -> io::Result<String> {
    let busybox = fs::metadata(BUSYBOX).map_err(|_| missing())?;
    Ok(format!("{} {} {INIT} {DHCP} {USER_DATA} {IPV6} {BASH}", busybox.mtime(), busybox.size()))
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "there is no /bin/busybox: install the package busybox-static")
}

/// Makes the image in an empty folder.
///
/// # Errors
/// There is no busybox, it needs libraries, or the folder cannot be written.
pub fn make(root: &Path) -> io::Result<()> {
    for folder in [
        "bin",
        "dev",
        "etc",
        "proc",
        "root",
        "run",
        "sys",
        "tmp",
        "srv",
        "usr/share/udhcpc",
        "var/lib/cloud",
        "var/log",
    ] {
        fs::create_dir_all(root.join(folder))?;
    }
    for (link, target) in
        [("sbin", "bin"), ("usr/bin", "../bin"), ("usr/sbin", "../bin"), ("var/run", "../run")]
    {
        symlink(target, root.join(link))?;
    }
    let busybox = fs::read(BUSYBOX).map_err(|_| missing())?;
    if is_dynamic(&busybox) {
        let message =
            "/bin/busybox needs libraries that an empty image has not: install the package busybox-static";
        return Err(io::Error::other(message));
    }
    program(root, "bin/busybox", &busybox)?;
    let applets = Command::new(BUSYBOX).arg("--list").output()?;
    for applet in
        String::from_utf8_lossy(&applets.stdout).lines().filter(|name| !["busybox", "init"].contains(name))
    {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    program(root, "bin/bash", BASH.as_bytes())?;
    program(root, "bin/init", INIT.as_bytes())?;
    program(root, "bin/fogbank-user-data", USER_DATA.as_bytes())?;
    program(root, "bin/fogbank-ipv6", IPV6.as_bytes())?;
    program(root, "usr/share/udhcpc/default.script", DHCP.as_bytes())?;
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    )?;
    fs::write(root.join("etc/group"), "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n")?;
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    fs::set_permissions(root.join("root"), fs::Permissions::from_mode(0o700))
}

fn program(root: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = root.join(name);
    fs::write(&path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Whether an ELF file asks for an interpreter (elf(5), PT_INTERP), whose path it then holds.
fn is_dynamic(elf: &[u8]) -> bool {
    elf.windows(8).take(4096).any(|window| window == b"/ld-linu" || window == b"/ld-musl")
}
