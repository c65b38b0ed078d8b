//! `blockchain monitor`: watches nodes and tells when one rewrites its history.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::error::{Error, ErrorKind};
use super::files::expand;
use super::output::Output;
use super::signals::Signals;
use super::trust;
use super::units::Interval;
use crate::chain::BlockHash;
use crate::client::{HttpClient, NodeAddress};
use crate::clock::{Clock, SystemClock};
use crate::monitor::event::{Event, Kind};
use crate::monitor::outbox::Outbox;
use crate::monitor::round::Monitor;
use crate::monitor::state::State;
use crate::monitor::{MonitorError, MonitorSettings, settle};
use crate::proofs::Trusted;
use crate::text::escape_json;

/// Minimum time between two polls.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct MonitorArgs {
    /// Nodes to watch
    #[arg(
        value_name = "HOST:PORT",
        value_delimiter = ',',
        env = "BLOCKCHAIN_MONITOR_NODES"
    )]
    nodes: Vec<NodeAddress>,
    /// Folder of the state, with a sub-folder per network
    #[arg(
        long,
        value_name = "DIR",
        default_value = "~/.blockchain/monitor",
        env = "BLOCKCHAIN_MONITOR_STATE"
    )]
    state: PathBuf,
    /// Checkpoint that you trust, for the first start: a line, a file of lines, or the hash of a
    /// sealed block (default: trust the first node that answers)
    #[arg(long, value_name = "LINE|FILE|HASH", env = "BLOCKCHAIN_MONITOR_TRUST")]
    trust: Option<String>,
    /// Time between two polls, at least 1s
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        env = "BLOCKCHAIN_MONITOR_INTERVAL"
    )]
    interval: Interval,
    /// Number of newest blocks that may still be replaced without an alarm
    #[arg(
        long,
        value_name = "N",
        default_value_t = 6,
        env = "BLOCKCHAIN_MONITOR_DEPTH"
    )]
    depth: u64,
    /// Time without a new block after which pending messages are an alarm
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        env = "BLOCKCHAIN_MONITOR_STALL"
    )]
    stall: Interval,
    /// Number of random older blocks whose content is checked in each poll
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(..=1000),
        env = "BLOCKCHAIN_MONITOR_SAMPLE"
    )]
    sample: u16,
    /// Command that `sh -c` runs for each alarm, `reorg` and `recovered`. It gets the event as JSON
    /// on standard input and the kind of the event in `BLOCKCHAIN_EVENT`
    #[arg(long, value_name = "COMMAND", env = "BLOCKCHAIN_MONITOR_EXEC")]
    exec: Option<String>,
    /// Poll once and exit, for cron and timers
    #[arg(long, env = "BLOCKCHAIN_MONITOR_ONCE")]
    once: bool,
    /// Interval at which an alarm that persists is repeated
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "24h",
        env = "BLOCKCHAIN_MONITOR_REPEAT"
    )]
    repeat: Interval,
    /// Accept the other branch, record that and exit. HASH is the hash of its block at the settled
    /// index; `offered.txt` in the evidence folder contains it
    #[arg(long, value_name = "HASH", conflicts_with_all = ["trust", "once"])]
    accept: Option<BlockHash>,
}

const AFTER_HELP: &str = "\
Exit codes with --once: 0 all nodes extend the settled checkpoint, 1 an alarm stands, 2 wrong usage,
3 a node does not answer and no other alarm stands. Without --once: 0 when stopped, 3 if the state
cannot be written.

The monitor keeps the history that it saw up to the settled block, and both branches of a rewrite in
an evidence folder, STATE/GENESIS/evidence/. An alarm about the history stands until the node has
the kept history again, or until a person has looked at that folder and says --accept HASH.";

pub(super) async fn run(args: MonitorArgs, output: Output) -> Result<(), Error> {
    if args.nodes.is_empty() {
        let error = Error::usage("name at least one node to watch");
        return Err(error.hint("blockchain monitor HOST:PORT"));
    }
    if args.interval.0 < MIN_INTERVAL {
        return Err(Error::usage("--interval must be at least 1s"));
    }
    let mut nodes: Vec<HttpClient> = Vec::new();
    for address in &args.nodes {
        if nodes.iter().all(|node| node.address() != address) {
            nodes.push(HttpClient::with_compression(address.clone())?);
        }
    }
    let trust = trust::read_all(args.trust.as_slice())?;
    let trust: Vec<Trusted> = trust.into_iter().map(|trust| trust.trusted).collect();
    if args.once || args.accept.is_some() {
        return once(&args, nodes, &trust, output).await;
    }
    watch(&args, nodes, &trust, output).await
}

impl MonitorArgs {
    fn settings(&self) -> MonitorSettings {
        MonitorSettings {
            depth: self.depth,
            stall: self.stall.0,
            sample: self.sample.into(),
            repeat: self.repeat.0,
        }
    }

    async fn open(
        &self,
        nodes: &[HttpClient],
        trust: &[Trusted],
    ) -> Result<(State, Event, bool), MonitorError> {
        let root = expand(&self.state);
        settle::open(nodes, &root, trust, &self.settings(), now()).await
    }

    fn monitor(&self, nodes: Vec<HttpClient>, state: State) -> Result<Monitor<HttpClient>, Error> {
        let outbox = match self.exec.clone() {
            Some(command) => Some(Outbox::read(command, &state)?),
            None => None,
        };
        if let Some(outbox) = outbox.as_ref().filter(|_| !self.once) {
            let started = outbox.start();
            started.map_err(|source| Error::io("thread of --exec", source))?;
        }
        Ok(Monitor::new(
            nodes,
            state,
            self.settings(),
            outbox,
            self.once,
        ))
    }
}

/// Polls once, or accepts another branch.
async fn once(
    args: &MonitorArgs,
    nodes: Vec<HttpClient>,
    trust: &[Trusted],
    output: Output,
) -> Result<(), Error> {
    let (mut state, started, is_new) = args.open(&nodes, trust).await?;
    if let Some(hash) = &args.accept {
        let event = settle::accept(&mut state, &nodes, &hash.to_string(), now()).await?;
        print(output, &event);
        return Ok(());
    }
    if is_new {
        print(output, &started);
    }
    let mut monitor = args.monitor(nodes, state)?;
    monitor
        .round(now(), &mut |event| print(output, event))
        .await?;
    match monitor.exit_code() {
        0 => Ok(()),
        1 => Err(ErrorKind::Negative.into()),
        _ => Err(Error::failed("not every node answers")),
    }
}

/// Polls until a signal.
async fn watch(
    args: &MonitorArgs,
    nodes: Vec<HttpClient>,
    trust: &[Trusted],
    output: Output,
) -> Result<(), Error> {
    let stopped = CancellationToken::new();
    Signals::listen()?.stop_with(stopped.clone());
    let work = async {
        let (mut state, started, is_new) = loop {
            match args.open(&nodes, trust).await {
                Err(MonitorError::Client(error)) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "no node answers yet"
                    );
                    tokio::time::sleep(args.interval.0).await;
                }
                opened => break opened?,
            }
        };
        print(output, &started);
        if !is_new {
            settle::note_start(&mut state, &started, now())?;
        }
        let mut monitor = args.monitor(nodes, state)?;
        let mut polls = interval(args.interval.0);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            polls.tick().await;
            monitor
                .round(now(), &mut |event| print(output, event))
                .await?;
        }
    };
    tokio::select! {
        ended = work => ended,
        () = stopped.cancelled() => Ok(()),
    }
}

fn now() -> u64 {
    SystemClock.millis() / 1000
}

/// Prints an event. A closed output stops no monitor.
fn print(output: Output, event: &Event) {
    let mut stdout = anstream::stdout().lock();
    let _ = if output.is_json() {
        writeln!(stdout, "{}", escape_json(&event.line()))
    } else {
        let style = match event.kind {
            kind if kind.is_alarm() => AnsiColor::Red.on_default().bold(),
            Kind::Reorg | Kind::Behind => AnsiColor::Yellow.on_default(),
            Kind::Recovered | Kind::Accepted => AnsiColor::Green.on_default(),
            _ => Style::new(),
        };
        writeln!(stdout, "{style}{event}{style:#}")
    };
    let _ = stdout.flush();
}
