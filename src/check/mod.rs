//! `fogbank check`: what on this host would stand in the way, before anything is changed.
//!
//! It reads and tells; it changes nothing. A finding says what it means and what to do.

mod firewall;
mod interfaces;
mod routes;
mod software;

use std::fmt::{self, Display};
use std::process::ExitCode;

use crate::config::Config;
use crate::operator;

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    Fine,
    /// Works, but somebody should know.
    Note,
    /// Something that was promised will not work.
    Stop,
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub level: Level,
    pub text: String,
}

impl Finding {
    fn fine(text: impl Into<String>) -> Self {
        Self { level: Level::Fine, text: text.into() }
    }

    fn note(text: impl Into<String>) -> Self {
        Self { level: Level::Note, text: text.into() }
    }

    fn stop(text: impl Into<String>) -> Self {
        Self { level: Level::Stop, text: text.into() }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Fine => "ok  ",
            Level::Note => "note",
            Level::Stop => "STOP",
        };
        write!(f, "{level}  {}", self.text)
    }
}

/// Looks at everything, prints it, and fails where something stands in the way.
pub async fn run(config: &Config) -> ExitCode {
    let findings = findings(config).await;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().any(|finding| finding.level == Level::Stop) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

async fn findings(config: &Config) -> Vec<Finding> {
    let mut all = software::findings(config);
    let Some(host) = &config.host else {
        all.push(Finding::fine("no [host] table: no agent runs here"));
        return all;
    };
    all.extend(interfaces::findings(host));
    let list = operator::parse(&["network", "list"]);
    let networks = match list {
        Ok(list) => operator::ask(&config.state_dir, &list).await,
        Err(_) => None,
    };
    all.extend(routes::findings(host, networks));
    all.extend(firewall::findings(host).await);
    all
}
