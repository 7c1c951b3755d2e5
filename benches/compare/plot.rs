//! Contests in, one SVG out: bars of wall time for each work, lines for how the cost grows.

use std::fmt::Write as _;

use crate::measure::{Contest, median};
use crate::table::{Growth, time};

const WIDTH: f64 = 860.0;
const LABEL: f64 = 230.0;
const BAR: f64 = 22.0;

/// Colors that read on white and on black.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#6b7280}.title{font-weight:600;fill:#4b7bd1}\
    .ours{fill:#4b7bd1;stroke:#4b7bd1}.other{fill:#9aa1ab;stroke:#9aa1ab}path.ours,path.other{fill:none;stroke-width:2}\
    line{stroke:#9aa1ab;stroke-opacity:.4}.end{text-anchor:end}.middle{text-anchor:middle}";

pub fn svg(contests: &[Contest], growth: &Growth) -> String {
    let mut body = String::new();
    let mut y = 10.0;
    for contest in contests {
        y = bars(&mut body, contest, y);
    }
    y = lines(&mut body, growth, y);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" role=\"img\">\
         <title>fnscaffold and its peers at the same work</title><style>{STYLE}</style>\n{body}</svg>\n"
    )
}

fn bars(body: &mut String, contest: &Contest, mut y: f64) -> f64 {
    let walls = contest.names.iter().zip(&contest.samples);
    let walls = walls.map(|(name, samples)| (name, median(samples).wall.as_secs_f64()));
    // To try harder is another work, and would make the other bars small. The table has it.
    let walls: Vec<_> = walls.filter(|(name, _)| !name.ends_with("best")).collect();
    let longest = walls.iter().map(|(_, wall)| *wall).fold(f64::MIN_POSITIVE, f64::max);
    let _ =
        writeln!(body, "<text class=\"title\" x=\"10\" y=\"{}\">{}</text>", y + 14.0, escaped(&contest.work));
    y += 24.0;
    for (name, wall) in walls {
        let width = (wall / longest * (WIDTH - LABEL - 90.0)).max(1.0);
        let class = if name.starts_with("fnscaffold") { "ours" } else { "other" };
        let (middle, after) = (y + 15.0, LABEL + width + 8.0);
        let _ = writeln!(
            body,
            "<text class=\"end\" x=\"{}\" y=\"{middle}\">{}</text>\
             <rect class=\"{class}\" x=\"{LABEL}\" y=\"{}\" width=\"{width:.1}\" height=\"{}\"/>\
             <text x=\"{after:.1}\" y=\"{middle}\">{}</text>",
            LABEL - 8.0,
            escaped(name),
            y + 3.0,
            BAR - 6.0,
            time(wall)
        );
        y += BAR;
    }
    y + 18.0
}

/// Both axes are logarithmic.
fn lines(body: &mut String, growth: &Growth, y: f64) -> f64 {
    const HEIGHT: f64 = 240.0;
    let seconds: Vec<_> =
        growth.iter().flat_map(|(_, all)| all.iter().map(|(_, sample)| sample.wall.as_secs_f64())).collect();
    let low = seconds.iter().copied().fold(f64::MAX, f64::min).log10().floor();
    let high = seconds.iter().copied().fold(f64::MIN_POSITIVE, f64::max).log10().ceil();
    let bottom = y + 30.0 + HEIGHT;
    let right = WIDTH - 90.0;
    let across = |index: usize| LABEL + (right - LABEL) * index as f64 / (growth.len().max(2) - 1) as f64;
    let up = |wall: f64| bottom - (wall.log10() - low) / (high - low).max(1.0) * HEIGHT;
    let _ = writeln!(
        body,
        "<text class=\"title\" x=\"10\" y=\"{}\">pack, by the number of small files</text>",
        y + 14.0
    );
    let mut power = low;
    while power <= high {
        let at = up(10_f64.powf(power));
        let _ = writeln!(
            body,
            "<line x1=\"{LABEL}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"end\" x=\"{}\" y=\"{:.1}\">{}</text>",
            LABEL - 8.0,
            at + 4.0,
            if power < 0.0 {
                format!("{} ms", 10_f64.powf(power + 3.0))
            } else {
                format!("{} s", 10_f64.powf(power))
            }
        );
        power += 1.0;
    }
    for (index, (count, _)) in growth.iter().enumerate() {
        let _ = writeln!(
            body,
            "<text class=\"middle\" x=\"{:.1}\" y=\"{}\">{count}</text>",
            across(index),
            bottom + 18.0
        );
    }
    let peers = growth.first().map_or(0, |(_, all)| all.len());
    for peer in 0..peers {
        let name = &growth[0].1[peer].0;
        let points: Vec<_> = growth
            .iter()
            .enumerate()
            .map(|(index, (_, all))| (across(index), up(all[peer].1.wall.as_secs_f64())))
            .collect();
        let class = if name == "fnscaffold" { "ours" } else { "other" };
        let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let (x, y) = points.last().copied().unwrap_or_default();
        // The lines end close to each other.
        let is_highest =
            growth.last().is_some_and(|(_, all)| all.iter().all(|(_, end)| up(end.wall.as_secs_f64()) >= y));
        let beside = if is_highest { y - 4.0 } else { y + 14.0 };
        let _ = writeln!(
            body,
            "<path class=\"{class}\" d=\"M{}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            path.join("L"),
            x + 8.0,
            beside,
            escaped(name)
        );
    }
    bottom + 36.0
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
