//! Where a lab keeps what it knows of itself.

use std::fmt::{self, Display};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use crate::server::BoxError;

/// The folder of all labs; gone with the last of them.
pub const ROOT: &str = "/run/fogbank-lab";

/// A lab's name, short enough for namespaces and safe in paths.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Name(String);

impl FromStr for Name {
    type Err = BoxError;

    fn from_str(text: &str) -> Result<Self, BoxError> {
        let fits = (1..=12).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("'{text}' is no name for a lab: use 1 to 12 small letters and digits").into())
        }
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Name {
    /// The network namespace of one of the lab's places.
    pub fn namespace(&self, place: &str) -> String {
        format!("fb-{self}-{place}")
    }

    pub fn folder(&self) -> PathBuf {
        Path::new(ROOT).join(&self.0)
    }

    /// The state folder, log and instances of a place.
    pub fn place_folder(&self, place: &str) -> PathBuf {
        self.folder().join(place)
    }

    /// Where a host keeps its instances.
    pub fn instances(&self, host: &str) -> PathBuf {
        self.place_folder(host).join("instances")
    }
}

/// What clients need of a running lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lab {
    pub name: Name,
    pub layout: Layout,
    /// The EC2 API of each server, the first server's first.
    pub endpoints: Vec<String>,
    pub account: String,
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
    pub image: String,
}

impl Lab {
    /// Makes the lab's folder, which says that the name is taken.
    ///
    /// # Errors
    /// There is a lab of this name.
    pub fn claim(name: &Name) -> Result<(), BoxError> {
        let private = |path: &Path| fs::DirBuilder::new().mode(0o700).create(path);
        match private(Path::new(ROOT)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(format!("cannot make {ROOT}: {error}").into());
            }
            _ => {}
        }
        private(&name.folder()).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("there is a lab '{name}': remove it with `fogbank lab down --name {name}`, or choose another --name")
                    .into()
            }
            _ => format!("cannot make {}: {error}", name.folder().display()).into(),
        })
    }

    /// # Errors
    /// The file cannot be written.
    pub fn write(&self) -> io::Result<()> {
        let path = self.name.folder().join("lab.json");
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(serde_json::to_writer_pretty(file, self)?)
    }

    /// # Errors
    /// There is no such lab, or it does not serve yet.
    pub fn read(name: &Name) -> Result<Self, BoxError> {
        let text = fs::read(name.folder().join("lab.json"))
            .map_err(|_| format!("no lab '{name}' is up: start one with `fogbank lab up --name {name}`"))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Shell exports for the common clients.
    pub fn exports(&self) -> String {
        let Self { endpoints, access_key, secret_key, region, image, account, .. } = self;
        let endpoint = endpoints.first().map_or("", String::as_str);
        let all = endpoints.join(" ");
        format!(
            "export EC2_URL='{endpoint}/'\nexport AWS_ENDPOINT_URL='{endpoint}'\nexport FOGBANK_ENDPOINTS='{all}'\n\
             export AWS_ACCESS_KEY_ID='{access_key}'\nexport AWS_SECRET_ACCESS_KEY='{secret_key}'\n\
             export EC2_ACCESS_KEY='{access_key}'\nexport EC2_SECRET_KEY='{secret_key}'\n\
             export AWS_DEFAULT_REGION='{region}'\nexport AWS_ACCOUNT_ID='{account}'\nexport FOGBANK_IMAGE='{image}'\n"
        )
    }
}

/// The names of the labs that there are, whole or in part.
///
/// # Errors
/// The folder cannot be read.
pub fn list() -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(ROOT) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names: Vec<_> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_neither_leave_the_folder_nor_be_too_long() {
        for bad in ["", "..", "a/b", "A", "a-b", "abcdefghijklm", "a b"] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        assert_eq!("t42".parse::<Name>().unwrap().namespace("host1"), "fb-t42-host1");
    }
}
