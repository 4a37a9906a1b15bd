//! The `fogbank` command: subcommands and nothing else.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fogbank::agent;
use fogbank::check;
use fogbank::compute;
use fogbank::config::{self, Config};
use fogbank::lab::{self, LabCommand};
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
    /// Serves the EC2 API alone; agents on other hosts follow it.
    Server,
    /// Runs this host's agent, on the servers that the configuration names.
    Agent {
        /// Joins the deployment with the token of `fogbank host add`, and ends.
        #[arg(long, value_name = "TOKEN")]
        join: Option<String>,
    },
    /// Says what on this host would stand in the way; changes nothing.
    Check,
    /// Makes and removes clusters of network namespaces on this machine.
    #[command(subcommand)]
    Lab(LabCommand),
    #[command(flatten)]
    Operator(OperatorCommand),
    /// The way into an instance; the server runs it.
    #[command(hide = true)]
    InstanceInit { stage: compute::Stage, arguments: Vec<String> },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fogbank: {}", server::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, BoxError> {
    match cli.command {
        Command::Serve => {
            start_log();
            server::runtime()?.block_on(server::serve(hosts_config(&cli)?))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Server => {
            start_log();
            server::runtime()?.block_on(server::server(hosts_config(&cli)?))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Agent { join: None } => {
            start_log();
            server::runtime()?.block_on(agent::follow_servers(hosts_config(&cli)?))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Agent { join: Some(ref token) } => {
            let config = hosts_config(&cli)?;
            let host = server::runtime()?.block_on(agent::join(&config, token))?;
            println!("joined as {host}: start `fogbank agent` now");
            Ok(ExitCode::SUCCESS)
        }
        Command::InstanceInit { stage, arguments } => {
            compute::instance_init(stage, &arguments)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check => Ok(server::runtime()?.block_on(check::run(&hosts_config(&cli)?))),
        Command::Lab(command) => lab::run(command),
        Command::Operator(command) => {
            let command = with_secret(command)?;
            let config = operators_config(cli.config.as_deref())?;
            let state_dir = cli.state_dir.or(config.as_ref().map(|config| config.state_dir.clone()));
            let state_dir = state_dir.unwrap_or_else(config::default_state_dir);
            let (region, database) = config
                .map_or_else(|| (config::default_region(), None), |config| (config.region, config.database));
            let answer = operator::run(&state_dir, database.as_deref(), &region, command);
            let answer = server::runtime()?.block_on(answer)?;
            if cli.json {
                println!("{answer:#}");
            } else {
                print!("{}", operator::print(&answer));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The configuration that this host must have.
fn hosts_config(cli: &Cli) -> Result<Config, BoxError> {
    let mut config = Config::read(cli.config.as_deref().unwrap_or(Path::new(config::DEFAULT_PATH)))?;
    if let Some(state_dir) = &cli.state_dir {
        config.state_dir.clone_from(state_dir);
    }
    Ok(config)
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

fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("FOGBANK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
