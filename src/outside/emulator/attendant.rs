//! An interpreter's process and calls in, replies out, until it ends; what it writes is passed on.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::control;
use super::messages::Message;
use super::output::{LAST_WORDS, Lines, Pipes};
use super::process::Group;
use super::reply::{Failure, Reply};

/// How long what was found of a process's memory is taken for true.
const PEAK_HOLDS: Duration = Duration::from_millis(100);

/// How often a function's memory is looked at while nothing is heard of it.
const MEMORY_WATCH: Duration = Duration::from_millis(50);

/// A call on its way.
pub struct Sent {
    pub message: String,
    pub id: u64,
    pub reply: oneshot::Sender<Reply>,
}

/// Attends an interpreter until it ends.
pub struct Attendant {
    child: Child,
    pipes: Pipes,
    reader: Lines<control::Reader>,
    writer: control::Writer,
    pending: BTreeMap<u64, oneshot::Sender<Reply>>,
    /// The call whose result is the next line.
    answering: Option<u64>,
    /// As it was found, and when.
    peak_memory: Option<(u64, Instant)>,
    /// Bytes that the version gives.
    memory: u64,
    over_memory: bool,
    /// When its memory was looked at last.
    looked_at: Instant,
    /// It has loaded the function.
    ready: bool,
}

impl Attendant {
    pub fn new(
        child: Child,
        pipes: Pipes,
        reader: control::Reader,
        writer: control::Writer,
        memory: u64,
    ) -> Self {
        Self {
            child,
            pipes,
            reader: Lines::new(reader, usize::MAX),
            writer,
            pending: BTreeMap::new(),
            answering: None,
            peak_memory: None,
            memory,
            over_memory: false,
            looked_at: Instant::now(),
            ready: false,
        }
    }

    /// Waits until the function is loaded.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn load(&mut self, group: &Group) -> Result<(), Failure> {
        match self.message(group).await {
            None => Err(Failure::Ended(self.end(group).await)),
            Some(Message::Broken(told)) => Err(Failure::Raised(told.into())),
            Some(_) => {
                self.ready = true;
                Ok(())
            }
        }
    }

    /// Ends the interpreter, and passes on what it wrote.
    pub async fn give_up(&mut self, group: &Group) {
        group.kill();
        self.pipes.finish().await;
    }

    /// Whether the process holds more memory than the version gives. What it shares with others, such as
    /// the interpreter's own code, does not count.
    fn is_over_memory(&self) -> bool {
        self.child.id().and_then(|id| process_status(id, "RssAnon:")).is_some_and(|held| held > self.memory)
    }

    /// The next message, or nothing when there will be none; output is passed on meanwhile.
    async fn message(&mut self, group: &Group) -> Option<Message> {
        loop {
            if let Some(line) = self.reader.next_line() {
                if let Some(id) = self.answering.take() {
                    let result = String::from_utf8_lossy(line).into_owned();
                    // What the function wrote before is heard before.
                    self.pipes.drain();
                    self.answer(id, Ok(result));
                    continue;
                }
                match serde_json::from_slice(line) {
                    Ok(Message::Answer { id }) => self.answering = Some(id),
                    message => {
                        self.pipes.drain();
                        return message.ok();
                    }
                }
                continue;
            }
            let busy = !self.ready || !self.pending.is_empty();
            tokio::select! {
                more = self.reader.fill() => if !more { return None },
                () = self.pipes.pass_on() => {}
                () = sleep_until(self.looked_at + MEMORY_WATCH), if busy => {
                    self.looked_at = Instant::now();
                    if self.is_over_memory() {
                        group.kill();
                        self.over_memory = true;
                        return None;
                    }
                }
            }
        }
    }

    /// Passes calls on and their replies back, until the interpreter ends or nobody calls it any more.
    pub async fn run(mut self, mut calls: mpsc::UnboundedReceiver<Sent>, group: Arc<Group>) {
        loop {
            let call = tokio::select! {
                message = self.message(&group) => match message {
                    Some(Message::Raised { id, told }) => {
                        self.answer(id, Err(Failure::Raised(told.into())));
                        continue;
                    }
                    Some(_) => continue,
                    None => break,
                },
                call = calls.recv() => call,
            };
            // The instance was dropped.
            let Some(call) = call else { return group.kill() };
            self.pending.insert(call.id, call.reply);
            if self.writer.write_all(call.message.as_bytes()).await.is_err() {
                break;
            }
        }
        // Later ones are for another instance.
        calls.close();
        let how = self.end(&group).await;
        for (_, reply) in std::mem::take(&mut self.pending) {
            let _ = reply.send(Failure::Ended(how.clone()).into());
        }
    }

    fn answer(&mut self, id: u64, result: Result<String, Failure>) {
        if let Some(reply) = self.pending.remove(&id) {
            // The caller may have gone.
            let _ = reply.send(Reply { result, peak_memory: self.peak_memory() });
        }
    }

    /// Asking takes as long as a short call, so not every call asks.
    fn peak_memory(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.peak_memory.is_none_or(|(_, at)| now - at > PEAK_HOLDS) {
            let found = self.child.id().and_then(|process| process_status(process, "VmHWM:"));
            self.peak_memory = found.map(|peak| (peak, now));
        }
        self.peak_memory.map(|(peak, _)| peak)
    }

    /// Waits for the end, and says how it was.
    async fn end(&mut self, group: &Group) -> String {
        let status = match timeout(LAST_WORDS, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                group.kill();
                self.child.wait().await
            }
        };
        group.finish();
        self.pipes.finish().await;
        if self.over_memory {
            return format!("was killed because it held more than {} MB of memory", self.memory >> 20);
        }
        describe(status)
    }
}

pub fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        Err(error) => format!("was lost: {error}"),
        Ok(status) => {
            #[cfg(unix)]
            if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
                return match signal {
                    6 => "was aborted (SIGABRT)".to_owned(),
                    9 => "was killed by SIGKILL".to_owned(),
                    11 => "crashed (SIGSEGV)".to_owned(),
                    signal => format!("was ended by signal {signal}"),
                };
            }
            format!("exited with code {}", status.code().unwrap_or(-1))
        }
    }
}

/// A number of bytes that Linux keeps on a process.
#[cfg(target_os = "linux")]
fn process_status(process: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(not(target_os = "linux"))]
fn process_status(_: u32, _: &str) -> Option<u64> {
    None
}
