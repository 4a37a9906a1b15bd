//! The `fogbank` command: subcommands and nothing else.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fogbank::config::{self, Config};
use fogbank::operator::{self, OperatorCommand};
use fogbank::server::{self, BoxError};

/// EC2 networking on your own Linux hosts.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// The configuration file; examples/fogbank.toml is a commented one.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// The state folder, where it is not the configuration's.
    #[arg(long, global = true)]
    state_dir: Option<PathBuf>,
    /// Answer in JSON (operator's subcommands).
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the EC2 API and runs this host's agent.
    Serve,
    #[command(flatten)]
    Operator(OperatorCommand),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fogbank: {}", server::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), BoxError> {
    match cli.command {
        Command::Serve => {
            start_log();
            let path = cli.config.unwrap_or_else(|| config::DEFAULT_PATH.into());
            let mut config = Config::read(&path)?;
            config.state_dir = cli.state_dir.unwrap_or(config.state_dir);
            runtime()?.block_on(server::serve(config))
        }
        Command::Operator(command) => {
            let command = with_secret(command)?;
            let config = operators_config(cli.config.as_deref())?;
            let state_dir = cli.state_dir.or(config.as_ref().map(|config| config.state_dir.clone()));
            let state_dir = state_dir.unwrap_or_else(config::default_state_dir);
            let region = config.map_or_else(config::default_region, |config| config.region);
            let answer = runtime()?.block_on(operator::run(&state_dir, &region, command))?;
            if cli.json {
                println!("{answer:#}");
            } else {
                print!("{}", operator::print(&answer));
            }
            Ok(())
        }
    }
}

/// The configuration, where one is named or lies in its place.
fn operators_config(named: Option<&Path>) -> Result<Option<Config>, BoxError> {
    match named {
        Some(path) => Ok(Some(Config::read(path)?)),
        None if Path::new(config::DEFAULT_PATH).exists() => {
            Ok(Some(Config::read(Path::new(config::DEFAULT_PATH))?))
        }
        None => Ok(None),
    }
}

/// An imported secret comes by standard input: arguments are there for all to see.
fn with_secret(mut command: OperatorCommand) -> Result<OperatorCommand, BoxError> {
    if let OperatorCommand::Key(operator::KeyCommand::Create { secret_stdin: true, secret, .. }) =
        &mut command
    {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        *secret = Some(text.trim().to_owned());
    }
    Ok(command)
}

fn runtime() -> Result<tokio::runtime::Runtime, BoxError> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("FOGBANK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
