//! `dev`: function directories in, their answers over HTTP out, with the code of the moment.

mod speech;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::commands::running::RunArgs;
use crate::model::event::redact::Redactor;
use crate::model::finding::{self, Exit, Result};
use crate::model::runtime::Lang;
use crate::outside::disk;
use crate::outside::emulator::{Identity, Manner, Place, language, serve};
use crate::outside::terminal::{Format, Terminal};
use speech::Speech;

#[derive(Debug, Args)]
pub struct Dev {
    /// Function directories
    #[arg(value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// The address to listen at; who reaches it can call the functions
    #[arg(long, value_name = "IP", env = "FNSCAFFOLD_HOST", hide_env = true, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The port to listen at; 0 takes any that is free
    #[arg(long, value_name = "N", env = "FNSCAFFOLD_PORT", hide_env = true, default_value_t = 8080)]
    port: u16,
    /// Let a debugger into Node.js functions; calls have no timeout then
    #[arg(long, value_name = "PORT", env = "FNSCAFFOLD_INSPECT", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "9229")]
    inspect: Option<u16>,
    /// Let a debugger into Python functions, by debugpy; calls have no timeout then
    #[arg(long, value_name = "PORT", env = "FNSCAFFOLD_DEBUGPY", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "5678")]
    debugpy: Option<u16>,
    #[command(flatten)]
    run: RunArgs,
}

impl Dev {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let places = self.places(context)?;
        let token_file = self.run.token_file.as_ref().map(|file| context.directory.join(file));
        let mut given = self.run.given(context)?;
        for place in &places {
            given.take(&disk::read_manifest(&place.directory)?.0.version);
        }
        let redactor = if self.run.show_token {
            Redactor::off()
        } else {
            // Whether a function gets the token or not, it is not printed.
            let identity = Identity::of(Some("any"), token_file.as_deref())?;
            Redactor::new(identity.secret().map(str::to_owned))
        };
        let redactor = redactor.hiding(given.secrets());
        let speech = Speech::new(&context.terminal, self.run.log_format, redactor.clone(), places.len() > 1);
        let manner = Manner {
            interpreters: self.run.interpreter,
            strict_runtime: self.run.strict_runtime,
            offline: self.run.offline,
            token_file,
            given,
            fault: self.run.metadata,
            route: self.run.metadata_route,
            redactor,
            tell: Box::new(move |function, told| speech.tell(function, &told)),
        };
        serve(places, manner, SocketAddr::new(self.host, self.port), |address, functions| {
            announce(&context.terminal, address, functions)
        })?;
        Ok(Exit::Done)
    }

    /// The directories, each with the port of its debugger.
    fn places(&self, context: &Context) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        let (mut inspect, mut debugpy) = (self.inspect, self.debugpy);
        let named = self.directories.iter().map(|directory| context.directory.join(directory));
        let all = if self.directories.is_empty() { vec![context.directory.clone()] } else { named.collect() };
        for directory in all {
            let next = match language(&directory)? {
                Lang::Nodejs => &mut inspect,
                Lang::Python => &mut debugpy,
            };
            let debug_port = *next;
            *next = next.and_then(|port| port.checked_add(1));
            places.push(Place { directory, debug_port });
        }
        for (flag, asked, next) in
            [("--inspect", self.inspect, inspect), ("--debugpy", self.debugpy, debugpy)]
        {
            if asked.is_some() && asked == next {
                return Err(finding::USAGE
                    .finding(format!("{flag} has nothing to debug"))
                    .why("--inspect is for Node.js, --debugpy for Python"));
            }
        }
        Ok(places)
    }
}

/// Says where the functions are, to a person or a program.
fn announce(terminal: &Terminal, address: SocketAddr, functions: &[(&str, &str)]) -> Result<()> {
    let base = format!("http://{address}");
    let path = |name: &str| match functions {
        [_] => "/".to_owned(),
        _ => format!("/{name}"),
    };
    if terminal.format != Format::Text {
        let functions: Vec<_> = functions
            .iter()
            .map(|(name, runtime)| {
                json!({ "name": name, "runtime": runtime, "url": format!("{base}{}", path(name)) })
            })
            .collect();
        let document = json!({ "ok": true, "address": base, "port": address.port(), "functions": functions });
        // One line: who reads it goes on while the server runs.
        return terminal.say_bytes(format!("{document}\n").as_bytes());
    }
    if !address.ip().is_loopback() {
        terminal.note("other machines can call the functions, and read their tokens where they answer them");
    }
    for (name, runtime) in functions {
        terminal.say(&format!("{name} ({runtime}) listens at {base}{}", path(name)))?;
    }
    Ok(())
}
