//! The only room that shows how far a verb has come: a bar on standard error, while someone waits for it.

use std::sync::Once;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::outside::terminal::Terminal;

/// What takes no longer than this is not worth a bar.
const BLINK: Duration = Duration::from_millis(300);

const STYLE: &str = "{msg} [{bar:30}] {decimal_bytes} of {decimal_total_bytes}, {eta} left";

/// Counts bytes from several threads. Dropped, it takes the bar away, so drop it before a result is said.
pub struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
    shown: Once,
}

impl Progress {
    /// Nothing is ever shown where nobody watches or --quiet or JSON is asked for.
    pub fn of(terminal: &Terminal, doing: &'static str, bytes: u64) -> Self {
        let bar = terminal.is_watched().then(|| {
            let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::hidden());
            let style = ProgressStyle::with_template(STYLE).unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.with_style(style.progress_chars("=> ")).with_message(doing)
        });
        Self { bar, begun: Instant::now(), shown: Once::new() }
    }

    pub fn advance(&self, bytes: u64) {
        let Some(bar) = &self.bar else { return };
        bar.inc(bytes);
        if self.begun.elapsed() > BLINK {
            self.shown.call_once(|| bar.set_draw_target(ProgressDrawTarget::stderr()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
