//! Public keys made by ssh-keygen, with what `openssl md5 -c` and `ssh-keygen -l` show for them.

pub const RSA_LINE: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCs9WCeozBcS/WDCkwMBaL4ysXrwPzmZZc9/6nRqDn+R0VlOU+DqbtJ8t7yvG/tWUTUDnCffgKA90vSa/5rvVCN9eqJfralrnCIoge7fA2g5gYeGdG/3NFZJWCbWcAL132IwNsibUJ8tdqWgwHT9MApQTGUNJDGaaETISNw2q/KjQ== me@here";
pub const RSA_MD5: &str = "84:74:2c:e7:68:4f:72:5d:a0:97:4b:14:f4:fc:99:d1";
pub const RSA_DER: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCs9WCeozBcS/WDCkwMBaL4ysXrwPzmZZc9/6nRqDn+R0VlOU+DqbtJ8t7yvG/tWUTUDnCffgKA90vSa/5rvVCN9eqJfralrnCIoge7fA2g5gYeGdG/3NFZJWCbWcAL132IwNsibUJ8tdqWgwHT9MApQTGUNJDGaaETISNw2q/KjQIDAQAB";
pub const RSA_RFC4716: &str = r#"---- BEGIN SSH2 PUBLIC KEY ----
Comment: "1024-bit RSA, converted by me@here from OpenSSH"
AAAAB3NzaC1yc2EAAAADAQABAAAAgQCs9WCeozBcS/WDCkwMBaL4ysXrwPzmZZc9/6nRqD
n+R0VlOU+DqbtJ8t7yvG/tWUTUDnCffgKA90vSa/5rvVCN9eqJfralrnCIoge7fA2g5gYe
GdG/3NFZJWCbWcAL132IwNsibUJ8tdqWgwHT9MApQTGUNJDGaaETISNw2q/KjQ==
---- END SSH2 PUBLIC KEY ----"#;
pub const ED25519_LINE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPOnFFiOgl9BUxHlvjSsZ3w3fHX9QOxqOoU135Iq9awX me@here";
pub const ED25519_SHA256: &str = "dbk5/iJ5EERsmTRpf4/q2JwMh+BuoPTgIfoRWdhpfL8";
