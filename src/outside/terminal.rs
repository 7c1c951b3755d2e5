//! The only room that asks and speaks: standard input, output and error.

use std::borrow::Cow;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use clap::builder::StyledStr;
use clap::builder::styling::{AnsiColor, Style, Styles};
use dialoguer::console::{Term, truncate_str};
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, Select};
use serde::Serialize;
use serde_json::{Value, json};

use crate::model::finding::{self, Finding, Result, Severity};
use crate::model::sarif;
use crate::outside::interrupt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
    /// Findings for code scanning; only `check` has them.
    #[value(hide = true)]
    Sarif,
    /// A test report; only `invoke` has one.
    #[value(hide = true)]
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// The colors of `--help`.
pub const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// What `--help` begins with.
pub const EXAMPLES: &str = "\
Examples:
  fnscaffold new                                  ask, then write my-app/
  fnscaffold new --lang python --mode api -y      write my-app/ without asking
  fnscaffold -C my-app check                      judge it before it is deployed
  fnscaffold -C my-app invoke                     call it here, under the real interpreter
  fnscaffold -C my-app deploy -n                  see what would change in the cloud";

/// How the process may speak and whether a person is there to be asked.
#[derive(Debug, Clone)]
pub struct Terminal {
    pub format: Format,
    pub verbose: bool,
    pub quiet: bool,
    interactive: bool,
    watched: bool,
    color_out: bool,
    color_err: bool,
}

/// What the common flags say about speaking.
pub struct Manners {
    pub format: Format,
    pub color: ColorChoice,
    pub quiet: bool,
    pub verbose: bool,
    /// None of --yes and --no-input was given.
    pub may_ask: bool,
}

/// Whether a line of [`Terminal::progress`] stands on the terminal.
static PROGRESS: AtomicBool = AtomicBool::new(false);

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const FAINT: Style = Style::new().dimmed();

impl Terminal {
    pub fn new(manners: &Manners) -> Self {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let ci = env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
        let colored = |is_terminal: bool| match manners.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto
                if env::var("CLICOLOR_FORCE").is_ok_and(|v| !matches!(v.as_str(), "" | "0")) =>
            {
                true
            }
            ColorChoice::Auto => is_terminal && env::var_os("TERM").is_none_or(|term| term != "dumb"),
        };
        let text = manners.format == Format::Text;
        Self {
            format: manners.format,
            verbose: manners.verbose,
            quiet: manners.quiet,
            interactive: manners.may_ask
                && text
                && !ci
                && io::stdin().is_terminal()
                && io::stderr().is_terminal(),
            watched: text
                && !manners.quiet
                && io::stderr().is_terminal()
                && env::var_os("TERM").is_none_or(|term| term != "dumb"),
            color_out: text && colored(io::stdout().is_terminal()),
            color_err: colored(io::stderr().is_terminal()),
        }
    }

    /// For a command line that could not be read but asks for JSON.
    pub const fn json() -> Self {
        Self {
            format: Format::Json,
            verbose: false,
            quiet: false,
            interactive: false,
            watched: false,
            color_out: false,
            color_err: false,
        }
    }

    pub const fn can_ask(&self) -> bool {
        self.interactive
    }

    /// Whether somebody sees what moves on standard error.
    pub const fn is_watched(&self) -> bool {
        self.watched
    }

    /// A line of the result, on standard output.
    ///
    /// # Errors
    /// [`finding::IO`] when standard output cannot be written, unless its reader has gone away.
    pub fn say(&self, line: &str) -> Result<()> {
        if self.format == Format::Text { print(format!("{line}\n").as_bytes()) } else { Ok(()) }
    }

    /// Bytes of the result as they are, whatever the format.
    ///
    /// # Errors
    /// As [`Self::say`].
    pub fn say_bytes(&self, bytes: &[u8]) -> Result<()> {
        print(bytes)
    }

    /// The one JSON document of `--format json`.
    ///
    /// # Errors
    /// As [`Self::say`].
    pub fn say_json(&self, document: &impl Serialize) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(document).map_err(|error| {
            finding::IO.finding("the result cannot be written as JSON").why(error.to_string())
        })?;
        json.push(b'\n');
        print(&json)
    }

    /// A result as JSON; why it is a failure is told beside it, as every failure is.
    ///
    /// # Errors
    /// As [`Self::say`].
    pub fn say_verdict(&self, mut document: Value, error: Option<&Finding>) -> Result<()> {
        if let Some(error) = error {
            document["error"] = json!(error);
        }
        self.say_json(&document)
    }

    /// A line for the person, on standard error; `--quiet` mutes it.
    pub fn note(&self, line: &str) {
        self.end_progress();
        if !self.quiet && self.format == Format::Text {
            complain(&format!("{line}\n"));
        }
    }

    /// A line of the function's log, on standard error in every format; `--quiet` mutes it.
    pub fn log(&self, line: &str) {
        if !self.quiet {
            complain(&format!("{line}\n"));
        }
    }

    pub fn faint_err(&self, text: &str) -> String {
        painted(text, FAINT, self.color_err)
    }

    /// A line that the next one replaces, on a terminal; elsewhere only `--verbose` shows it.
    pub fn progress(&self, line: &str) {
        if self.quiet || self.format != Format::Text || !can_erase() {
            self.detail(line);
        } else {
            PROGRESS.store(true, Ordering::Relaxed);
            complain(&format!("\r\x1b[2K{}", self.faint_err(line)));
        }
    }

    /// Takes the last line of [`Self::progress`] away.
    pub fn end_progress(&self) {
        if PROGRESS.swap(false, Ordering::Relaxed) {
            complain("\r\x1b[2K");
        }
    }

    /// A line that only `--verbose` shows.
    pub fn detail(&self, line: &str) {
        if self.verbose {
            complain(&format!("{line}\n"));
        }
    }

    /// A finding that does not end the verb, on standard error in every format; `--quiet` mutes all but
    /// errors.
    pub fn warn(&self, finding: &Finding) {
        self.end_progress();
        if !self.quiet || finding.severity == Severity::Error {
            complain(&self.render(finding, self.color_err));
        }
    }

    /// The same for a finding that the document of any other format than text holds.
    pub fn warn_in_text(&self, finding: &Finding) {
        if self.format == Format::Text {
            self.warn(finding);
        }
    }

    /// The finding that ended the verb, where the contract wants it: text on standard error, or the
    /// one JSON document on standard output.
    pub fn fail(&self, finding: &Finding) {
        self.end_progress();
        if self.format == Format::Text {
            let help = painted("help:", FAINT, self.color_err);
            let id = finding.rule.id;
            complain(&format!("{}  {help} fnscaffold explain {id}\n", self.render(finding, self.color_err)));
        } else {
            let document = serde_json::json!({ "ok": false, "error": finding });
            if self.say_json(&document).is_err() {
                complain(&format!("{}\n", self.render(finding, self.color_err)));
            }
        }
    }

    /// The findings of a verb whose result they are, as text, JSON or SARIF; of SARIF, `prefix` begins the
    /// paths.
    ///
    /// # Errors
    /// As [`Self::say`].
    pub fn say_findings(&self, ok: bool, findings: &[Box<Finding>], prefix: &str) -> Result<()> {
        match self.format {
            Format::Json | Format::Junit => {
                let worst = findings.iter().rev().max_by_key(|finding| finding.severity);
                let worst = worst.filter(|_| !ok).map(|worst| &**worst);
                return self.say_verdict(json!({ "ok": ok, "findings": findings }), worst);
            }
            Format::Sarif => return self.say_json(&sarif::log(findings, prefix)),
            Format::Text => {}
        }
        for finding in findings {
            print(self.render(finding, self.color_out).as_bytes())?;
        }
        let count = |severity, name: &str| match findings.iter().filter(|f| f.severity == severity).count() {
            0 => None,
            1 => Some(format!("1 {name}")),
            more => Some(format!("{more} {name}s")),
        };
        let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
        let counts: Vec<_> =
            counts.into_iter().filter_map(|(severity, name)| count(severity, name)).collect();
        let counts = if counts.is_empty() { "no findings".to_owned() } else { counts.join(", ") };
        let verdict =
            if ok { painted("ok", GOOD, self.color_out) } else { painted("failed", ERROR, self.color_out) };
        self.say(&format!("{verdict}: {counts}"))
    }

    /// A finding as [`Self::warn`] prints it.
    pub fn render_err(&self, finding: &Finding) -> String {
        self.render(finding, self.color_err)
    }

    fn render(&self, finding: &Finding, color: bool) -> String {
        let style = match finding.severity {
            Severity::Error => ERROR,
            Severity::Warning => WARNING,
            Severity::Note => NOTE,
        };
        let head = format!("{}[{}]", finding.severity.id(), finding.rule.id);
        let mut text = format!("{}: {}\n", painted(&head, style, color), harmless(&finding.message));
        let place = match (&finding.path, finding.line) {
            (Some(path), Some(line)) => Some(format!("{path}:{line}")),
            (Some(path), None) => Some(path.clone()),
            _ => None,
        };
        let parts = [("at", place.as_ref()), ("why", finding.why.as_ref()), ("fix", finding.fix.as_ref())];
        for (label, value) in parts {
            if let Some(value) = value {
                let indented = harmless(value.trim_end()).replace('\n', "\n       ");
                let _ = writeln!(text, "  {} {indented}", painted(&format!("{label}:"), FAINT, color));
            }
        }
        text
    }

    pub fn good(&self, text: &str) -> String {
        painted(text, GOOD, self.color_out)
    }

    pub fn bad(&self, text: &str) -> String {
        painted(text, ERROR, self.color_out)
    }

    pub fn faint(&self, text: &str) -> String {
        painted(text, FAINT, self.color_out)
    }

    /// A line of a unified diff, colored as diffs are.
    pub fn diff_line(&self, line: &str) -> String {
        let style = match line.as_bytes().first() {
            Some(b'+') => AnsiColor::Green.on_default(),
            Some(b'-') => AnsiColor::Red.on_default(),
            Some(b'@') => AnsiColor::Cyan.on_default(),
            _ => return line.to_owned(),
        };
        painted(line, style, self.color_out)
    }

    /// Asks for one of `choices`, the one at `default` marked first.
    ///
    /// # Errors
    /// [`finding::INTERRUPTED`] when the person leaves the prompt.
    pub fn select(&self, question: &str, choices: &[String], default: usize) -> Result<usize> {
        interrupt::arm();
        let theme = self.theme();
        // A choice that wraps is not taken back whole. Its mark takes two columns.
        let width = usize::from(Term::stderr().size().1).saturating_sub(3);
        let choices: Vec<_> = choices.iter().map(|choice| harmless(choice)).collect();
        let choices: Vec<_> = choices.iter().map(|choice| truncate_str(choice, width, "…")).collect();
        let answer = Select::with_theme(&*theme)
            .with_prompt(question)
            .items(&choices)
            .default(default)
            .interact_opt()
            .map_err(|error| left(&error))?;
        answer.ok_or_else(interrupt::finding)
    }

    /// Asks for a text that `judge` accepts.
    ///
    /// # Errors
    /// As [`Self::select`].
    pub fn input(&self, question: &str, default: &str, judge: impl Fn(&str) -> Result<()>) -> Result<String> {
        interrupt::arm();
        let theme = self.theme();
        let mut input = Input::<String>::with_theme(&*theme).with_prompt(question).allow_empty(true);
        if !default.is_empty() {
            input = input.default(default.to_owned());
        }
        input
            .validate_with(|text: &String| {
                // One short line: a longer one wraps, and is not taken back whole.
                judge(text).map_err(|problem| match problem.fix.as_ref().or(problem.why.as_ref()) {
                    Some(help) => format!("{}; {help}", problem.message),
                    None => problem.message.clone(),
                })
            })
            .interact_text()
            .map_err(|error| left(&error))
    }

    /// Asks yes or no.
    ///
    /// # Errors
    /// As [`Self::select`].
    pub fn confirm(&self, question: &str, default: bool) -> Result<bool> {
        interrupt::arm();
        let theme = self.theme();
        let answer = Confirm::with_theme(&*theme)
            .with_prompt(question)
            .default(default)
            .interact_opt()
            .map_err(|error| left(&error))?;
        answer.ok_or_else(interrupt::finding)
    }

    fn theme(&self) -> Box<dyn Theme> {
        if self.color_err { Box::new(ColorfulTheme::default()) } else { Box::new(SimpleTheme) }
    }
}

/// What clap says of help, version or, on standard error, wrong usage, in one write: its own printing takes one
/// for each piece, and does not hear `--color`.
///
/// # Errors
/// As [`Terminal::say`].
pub fn say_usage(text: &StyledStr, is_help: bool) -> Result<()> {
    let manners = Manners {
        format: Format::Text,
        color: said("color")
            .and_then(|choice| ColorChoice::from_str(&choice, true).ok())
            .unwrap_or(ColorChoice::Auto),
        quiet: false,
        verbose: false,
        may_ask: false,
    };
    let terminal = Terminal::new(&manners);
    let text = |colored: bool| if colored { text.ansi().to_string() } else { text.to_string() };
    if is_help {
        print(text(terminal.color_out).as_bytes())
    } else {
        complain(&text(terminal.color_err));
        Ok(())
    }
}

/// The words that this program was started with, its own name first.
pub fn command_line() -> impl Iterator<Item = OsString> {
    env::args_os()
}

/// What the arguments, or else the environment, say of a flag, for when clap could not read the arguments.
fn said(flag: &str) -> Option<String> {
    let of_flag = |argument: &str| Some(argument.strip_prefix("--")?.strip_prefix(flag)?.to_owned());
    let arguments = command_line().skip(1).take_while(|argument| argument != "--");
    let arguments: Vec<_> = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    let found = (0..arguments.len()).rev().find_map(|at| match of_flag(&arguments[at])?.as_str() {
        "" => arguments.get(at + 1).cloned(),
        value => value.strip_prefix('=').map(str::to_owned),
    });
    found.or_else(|| env::var(format!("FNSCAFFOLD_{}", flag.to_uppercase())).ok())
}

pub fn is_empty_variable(name: &OsStr) -> bool {
    env::var_os(name).is_some_and(|value| value.is_empty())
}

/// Whether a format is asked for whose failures are JSON, for when clap could not read the arguments.
pub fn json_is_asked_for() -> bool {
    command_line().take_while(|argument| argument != "--").any(|argument| argument == "--json")
        || said("format").is_some_and(|format| matches!(format.as_str(), "json" | "sarif" | "junit"))
}

/// All of standard input, for `-`: the same each time, as `invoke --repeat` needs it.
///
/// # Errors
/// [`finding::IO`].
pub fn read_stdin() -> Result<Vec<u8>> {
    static READ: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(bytes) = READ.get() {
        return Ok(bytes.clone());
    }
    let mut bytes = Vec::new();
    io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| finding::IO.finding("could not read standard input").why(error.to_string()))?;
    Ok(READ.get_or_init(|| bytes).clone())
}

fn left(error: &dialoguer::Error) -> Box<Finding> {
    let dialoguer::Error::IO(error) = error;
    if error.kind() == io::ErrorKind::Interrupted {
        interrupt::take_back();
    }
    finding::IO
        .finding("could not ask on this terminal")
        .why(error.to_string())
        .fix("pass the answers as flags and add --no-input")
}

/// Whether standard error is a terminal that can take a line back.
fn can_erase() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Without what could drive a terminal: names and texts may be those of strangers.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let drives = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(drives) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if drives(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

fn painted(text: &str, style: Style, color: bool) -> String {
    if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // The reader (`head`, a pager) has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(finding::IO.finding("could not write standard output").why(error.to_string())),
        Ok(()) => Ok(()),
    }
}

fn complain(text: &str) {
    // Standard error may be closed; the exit code still tells.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
