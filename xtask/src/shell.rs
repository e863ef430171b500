//! Running commands: each is printed first; failures carry the exit code that `xtask` ends with. What a step of a suite
//! says is kept until the step is done, since several run side by side; elsewhere it is printed at once.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::models;

/// Why a run did not pass; the number is the exit code of `xtask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Failed = 1,
    /// clap ends with 2 by itself; what it cannot see is said with this.
    Usage = 2,
    ToolMissing = 3,
    /// No end within the deadline, a lockup of the core, or a HardFault.
    Hang = 4,
}

/// A failure with its exit code.
#[derive(Debug)]
pub struct Fault {
    pub kind: Kind,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// An error of the given kind.
pub fn fault(kind: Kind, message: impl Into<String>) -> anyhow::Error {
    Fault { kind, message: message.into() }.into()
}

/// The kind of an error: what is no [`Fault`] has simply failed.
pub fn kind(error: &anyhow::Error) -> Kind {
    error.downcast_ref::<Fault>().map_or(Kind::Failed, |fault| fault.kind)
}

/// The root of the project, wherever the command was typed.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_owned()
}

/// Whether this is a run of continuous integration, which has time for everything and lets nothing be absent.
pub fn is_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

/// A command that runs in the project's root.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this program.
pub fn cargo() -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The cargo that started this program offers its jobserver, whose pipe a step does not inherit: rustc would warn.
    for variable in ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"] {
        cargo.env_remove(variable);
    }
    // Continuous integration builds once, on a small disk.
    if is_ci() {
        cargo.env("CARGO_INCREMENTAL", "0");
    }
    // Build scripts and tests look there too.
    cargo.envs(models::elsewhere().map(|folder| (models::VARIABLE, folder)));
    cargo
}

/// The command `smolnn`, with the features that the host's tests are built with: the importer is not compiled a second time for it.
pub fn smolnn() -> Command {
    let mut cargo = cargo();
    cargo.args(["run", "--quiet", "--all-features", "--bin", "smolnn", "--"]);
    cargo
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

thread_local! {
    /// What the step that runs on this thread has said; `None` outside of a step.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Prints a line, or keeps it until the step that runs on this thread is done.
pub fn say_line(line: &str) {
    SAID.with_borrow_mut(|said| match said {
        Some(text) => {
            text.push_str(line);
            text.push('\n');
        }
        None => println!("{line}"),
    });
}

/// `println!` for whatever may be called by a step.
macro_rules! say {
    ($($text:tt)*) => { $crate::shell::say_line(&format!($($text)*)) };
}
pub(crate) use say;

/// Cargo's own option for how much it says: its progress where somebody watches a terminal, otherwise nothing but errors.
pub fn quiet() -> Option<&'static str> {
    let is_step = SAID.with_borrow(Option::is_some);
    (is_step || !std::io::stderr().is_terminal()).then_some("--quiet")
}

/// Calls `step` and gives what it said, with its result.
pub fn listen<T>(step: impl FnOnce() -> T) -> (T, String) {
    SAID.set(Some(String::new()));
    let result = step();
    (result, SAID.take().unwrap_or_default())
}

/// Longest that a command may take whose output is kept: none of ours takes half as long.
const LONGEST: Duration = Duration::from_secs(3600);

/// Prints and runs a command; its output goes to the terminal, or to what the step says.
pub fn run(command: &mut Command) -> Result<()> {
    say!("$ {}", shown(command));
    let is_step = SAID.with_borrow(Option::is_some);
    let status = if is_step {
        match watch(command, LONGEST, |line| say_line(&line))? {
            End::Exit(status) => status,
            End::Deadline => return Err(fault(Kind::Hang, format!("`{}` did not end", shown(command)))),
        }
    } else {
        command.status().with_context(|| format!("cannot start {}", shown(command)))?
    };
    if !status.success() {
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and gives what it printed.
pub fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` ended with {}", shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How a watched command ended.
pub enum End {
    /// By itself.
    Exit(ExitStatus),
    /// It was killed when its deadline had passed.
    Deadline,
}

/// Runs a command under a deadline; each line that it prints, on either stream, goes to `line` as it comes.
pub fn watch(command: &mut Command, deadline: Duration, mut line: impl FnMut(String)) -> Result<End> {
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let (sender, lines) = mpsc::channel();
    let streams: [Box<dyn Read + Send>; 2] =
        [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
    for stream in streams {
        let sender = sender.clone();
        thread::spawn(move || {
            for bytes in BufReader::new(stream).split(b'\n') {
                let Ok(bytes) = bytes else { break };
                if sender.send(String::from_utf8_lossy(&bytes).into_owned()).is_err() {
                    break;
                }
            }
        });
    }
    drop(sender);
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        match lines.recv_timeout(left) {
            Ok(text) => line(text),
            // Both streams are closed: the process ends, or has closed them and lives on.
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                return Ok(End::Deadline);
            }
        }
        // A process that prints for ever would never time out above.
        if started.elapsed() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(End::Deadline);
        }
    }
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(End::Exit(status));
        }
        if started.elapsed() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(End::Deadline);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::{listen, quiet, root};

    /// The first `cargo xtask` of a clone compiles for a minute and more: cargo has to show it.
    #[test]
    fn long_builds_are_not_silent() {
        let settings = std::fs::read_to_string(root().join(".cargo/config.toml")).expect("cargo's settings");
        let alias = settings.lines().find(|line| line.starts_with("xtask = ")).expect("the alias");
        assert!(!alias.contains("quiet"), "{alias}");
        // What a step says is kept: progress has no place there.
        assert_eq!(listen(quiet).0, Some("--quiet"));
    }
}
