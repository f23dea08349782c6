//! What is drawn, for whatever room there is.

use std::time::Duration;

use async_wheel::diagnostics::ShardMetrics;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use crate::samples::{Samples, quantile};

/// Below this width or height there is only a list of the numbers that matter most.
const LIST: (u16, u16) = (50, 8);
/// From this width on the panels stand side by side.
const SIDE_BY_SIDE: u16 = 72;
/// From this height on there is one panel below the other if the terminal is narrow.
const ONE_BELOW_THE_OTHER: u16 = 14;
/// The width of the names in the table, and of a number.
const NAME: usize = 19;
const NUMBER: usize = 11;
/// The width of a panel's names and numbers.
const LABEL: usize = 17;

/// What is known besides the metrics.
pub struct Facts {
    pub clients: u32,
    pub period: Duration,
    pub running: Duration,
    /// Connections that were lost.
    pub lost: u64,
}

/// How a row of the table is made of a shard's metrics.
enum Value {
    /// A counter, shown as a rate.
    Rate(fn(&ShardMetrics) -> u64),
    /// A number that goes up and down.
    Level(fn(&ShardMetrics) -> u64),
}

use Value::{Level, Rate};

/// The rows of the table, the most telling first.
const ROWS: [(&str, Value); 13] = [
    ("timers fired", Rate(|shard| shard.timers.fired)),
    ("timers armed", Rate(|shard| shard.timers.armed)),
    ("timers cancelled", Rate(|shard| shard.timers.cancelled)),
    ("timers postponed", Rate(|shard| shard.timers.postponed)),
    ("timers cascaded", Rate(|shard| shard.timers.cascaded)),
    ("events", Rate(|shard| shard.events)),
    ("wakes", Rate(|shard| shard.wakes)),
    ("rounds", Rate(|shard| shard.rounds)),
    ("notifications sent", Rate(|shard| shard.notifications.sent)),
    ("seat acquired", Rate(|shard| shard.seat.acquired)),
    ("source migrations", Rate(|shard| shard.sources.migrations)),
    ("timers pending now", Level(|shard| shard.timers.pending)),
    ("sources now", Level(|shard| shard.sources.registered)),
];

/// Draws all that there is room for.
pub fn draw(frame: &mut Frame<'_>, samples: &Samples, facts: &Facts) {
    let area = frame.area();
    if area.width < LIST.0 || area.height < LIST.1 {
        frame.render_widget(list(samples, area.width.into()), area);
        return;
    }
    let [head, table, panels] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(ROWS.len() as u16 + 1),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame.render_widget(title(facts, head.width.into()), head);
    frame.render_widget(shards(samples, table.width.into()), table);
    if panels.width >= SIDE_BY_SIDE {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(panels);
        lateness(frame, samples, left);
        wakeups(frame, samples, right);
    } else if panels.height >= ONE_BELOW_THE_OTHER {
        let [above, below] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(9)]).areas(panels);
        lateness(frame, samples, above);
        wakeups(frame, samples, below);
    } else {
        lateness(frame, samples, panels);
    }
}

fn title(facts: &Facts, width: usize) -> Line<'static> {
    let Facts { clients, period, running, lost } = facts;
    let left = format!(
        " {} clients beat every {period:?}, {} s, {} lost",
        grouped((*clients).into()),
        running.as_secs(),
        grouped(*lost),
    );
    let gap = width.saturating_sub(left.chars().count() + 9);
    let style = Style::new().reversed();
    Line::from(format!("{left}{:gap$}  q quits ", "")).style(style)
}

/// Returns the table: a column for all shards, and for as many of them as there is room for.
fn shards(samples: &Samples, width: usize) -> Paragraph<'static> {
    let room = width.saturating_sub(NAME + NUMBER) / NUMBER;
    let all = samples.now().shards.len();
    // The last column says how many are left out.
    let shown = if all > room { room.saturating_sub(1) } else { all };
    let mut head = format!("{:<NAME$}{:>NUMBER$}", " a second", "all");
    for shard in 0..shown {
        head += &format!("{:>NUMBER$}", format!("shard {shard}"));
    }
    if shown < all && room > 0 {
        head += &format!("{:>NUMBER$}", format!("{} more", all - shown));
    }
    let mut lines = vec![Line::from(head).bold()];
    for (name, value) in &ROWS {
        let mut line = vec![Span::raw(format!(" {name:<0$}", NAME - 1))];
        let column = |text: String| format!("{text:>NUMBER$}");
        match value {
            Rate(count) => {
                line.push(Span::raw(column(rate(samples.rate(count)))).cyan());
                let shards = (0..shown).map(|shard| rate(samples.rate_of(shard, count)));
                line.extend(shards.map(|number| Span::raw(column(number))));
            }
            Level(level) => {
                line.push(Span::raw(column(grouped(level(&samples.now().total())))).cyan());
                let shards = samples.now().shards.iter().take(shown);
                line.extend(shards.map(|shard| Span::raw(column(grouped(level(shard))))));
            }
        }
        lines.push(Line::from(line));
    }
    Paragraph::new(lines)
}

/// Draws how late the timers were that fired between the two looks, the longest last.
fn lateness(frame: &mut Frame<'_>, samples: &Samples, area: Rect) {
    let buckets = samples.lateness();
    let part = |part| quantile(&buckets, part).map_or_else(|| "-".to_owned(), below);
    let inner = panel(frame, format!(" late: p50 {}, p99 {} ", part(0.5), part(0.99)), area);
    let rows = fitting(&buckets, usize::from(inner.height).saturating_sub(1));
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let bars = rows.iter().map(|(bound, count)| {
        bar(below(*bound), grouped(*count), *count as f64, most as f64, inner.width, Color::Green)
    });
    let mut lines: Vec<_> = bars.collect();
    let longest = readable(samples.now().total().lateness.max());
    lines.push(Line::from(format!(" {:<LABEL$}{longest:>9}", "latest ever")).bold());
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Draws the sleeps by what ended them, and what the fallback thread does.
fn wakeups(frame: &mut Frame<'_>, samples: &Samples, area: Rect) {
    let inner = panel(frame, " wake-ups a second, by cause ".to_owned(), area);
    let causes = [
        ("event", samples.rate(|shard| shard.wakeups.event)),
        ("deadline", samples.rate(|shard| shard.wakeups.deadline)),
        ("notification", samples.rate(|shard| shard.wakeups.notification)),
        ("spurious", samples.rate(|shard| shard.wakeups.spurious)),
    ];
    let most = causes.iter().map(|(_, number)| *number).fold(0.0, f64::max);
    let bars = causes.map(|(cause, number)| {
        bar(cause.to_owned(), rate(number), number, most, inner.width, Color::Yellow)
    });
    let fallback = [
        ("fallback scans", samples.rate_of_fallback(|thread| thread.scans)),
        ("fallback services", samples.rate_of_fallback(|thread| thread.services)),
        ("fallback undriven", samples.rate_of_fallback(|thread| thread.undriven)),
        ("fallback sleeps", samples.rate_of_fallback(|thread| thread.sleeps)),
    ]
    .map(|(name, number)| Line::from(format!(" {name:<LABEL$}{:>9}", rate(number))));
    let mut lines = Vec::from(bars);
    lines.extend(fallback);
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Draws the head of a panel, and returns the room below it.
fn panel(frame: &mut Frame<'_>, title: String, area: Rect) -> Rect {
    let block = Block::new().borders(Borders::TOP).title(title.bold());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// Returns a line with a bar as long as the number is, of the most.
fn bar(
    name: String,
    number: String,
    value: f64,
    most: f64,
    width: u16,
    color: Color,
) -> Line<'static> {
    let room = usize::from(width).saturating_sub(LABEL + 12);
    let length = if most > 0.0 { (value / most * room as f64).ceil() as usize } else { 0 };
    Line::from(vec![
        Span::raw(format!(" {name:<LABEL$}{number:>9} ")),
        Span::styled("█".repeat(length.min(room)), Style::new().fg(color)),
    ])
}

/// Returns so many neighbouring buckets, up to the longest that is not empty. What is shorter counts
/// in the first of them.
fn fitting(buckets: &[(Duration, u64)], rows: usize) -> Vec<(Duration, u64)> {
    let last = buckets.iter().rposition(|(_, count)| *count > 0).unwrap_or(0);
    let end = (last + 1).max(rows).min(buckets.len());
    let start = end.saturating_sub(rows);
    let mut fitting = buckets[start..end].to_vec();
    if let Some((_, first)) = fitting.first_mut() {
        *first = buckets[..start].iter().fold(*first, |sum, (_, count)| sum.saturating_add(*count));
    }
    fitting
}

/// Returns the numbers that matter most, for a terminal with little room.
fn list(samples: &Samples, width: usize) -> Paragraph<'static> {
    let buckets = samples.lateness();
    let part = |part| quantile(&buckets, part).map_or_else(|| "-".to_owned(), below);
    let total = samples.now().total();
    let rows = [
        ("q quits", "a second".to_owned()),
        ("fired", rate(samples.rate(|shard| shard.timers.fired))),
        ("p99 late", part(0.99)),
        ("events", rate(samples.rate(|shard| shard.events))),
        ("pending", grouped(total.timers.pending)),
        ("p50 late", part(0.5)),
        ("ever late", readable(total.lateness.max())),
        ("armed", rate(samples.rate(|shard| shard.timers.armed))),
        ("cancelled", rate(samples.rate(|shard| shard.timers.cancelled))),
        ("postponed", rate(samples.rate(|shard| shard.timers.postponed))),
        ("wakes", rate(samples.rate(|shard| shard.wakes))),
        ("rounds", rate(samples.rate(|shard| shard.rounds))),
        ("sources", grouped(total.sources.registered)),
        ("shards", samples.now().shards.len().to_string()),
    ];
    let width = width.min(30);
    let lines = rows.into_iter().enumerate().map(|(row, (name, number))| {
        let gap = width.saturating_sub(name.len());
        let line = Line::from(format!("{name}{number:>gap$}"));
        if row == 0 { line.reversed() } else { line }
    });
    Paragraph::new(lines.collect::<Vec<_>>())
}

/// A rate, with a decimal if it is small.
fn rate(number: f64) -> String {
    if number > 0.0 && number < 9.95 {
        format!("{number:.1}")
    } else {
        grouped(number.round() as u64)
    }
}

/// A bound that durations are less than.
fn below(bound: Duration) -> String {
    if bound == Duration::MAX { "longer".to_owned() } else { format!("<{}", readable(bound)) }
}

/// A number with a space between each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A duration to three digits or so.
fn readable(duration: Duration) -> String {
    let nanos = duration.as_nanos() as f64;
    match nanos {
        ..1e3 => format!("{nanos} ns"),
        1e3..1e6 => format!("{:.1} µs", nanos / 1e3),
        1e6..1e9 => format!("{:.1} ms", nanos / 1e6),
        _ => format!("{:.1} s", nanos / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    const FACTS: Facts = Facts {
        clients: 1_000,
        period: Duration::from_millis(100),
        running: Duration::from_secs(7),
        lost: 0,
    };

    /// A terminal of this size, drawn on.
    fn drawn(width: u16, height: u16) -> TestBackend {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &Samples::new(), &FACTS)).unwrap();
        terminal.backend().clone()
    }

    #[test]
    fn any_size_is_drawn() {
        for width in (0..=20).chain([49, 50, 71, 72, 80, 300]) {
            for height in (0..=10).chain([15, 16, 24, 100]) {
                drawn(width, height);
            }
        }
    }

    #[test]
    fn usual_terminal_shows_everything() {
        let screen = drawn(80, 24).to_string();
        let names = ROWS.map(|(name, _)| name);
        for text in
            names.into_iter().chain(["1 000 clients", "q quits", "late:", "spurious", "sleeps"])
        {
            assert!(screen.contains(text), "{text} is not in\n{screen}");
        }
    }

    #[test]
    fn tiny_terminal_shows_what_matters_most() {
        let screen = drawn(20, 5).to_string();
        for text in ["q quits", "fired", "p99 late", "events", "pending"] {
            assert!(screen.contains(text), "{text} is not in\n{screen}");
        }
    }

    #[test]
    fn shorter_durations_count_in_the_first_row() {
        let buckets: Vec<_> = (1..=28).map(|bound| (Duration::from_secs(bound), 1)).collect();
        let rows = fitting(&buckets, 9);
        assert_eq!(rows.len(), 9);
        assert_eq!(rows[0], (Duration::from_secs(20), 20));
        assert_eq!(rows[8], (Duration::from_secs(28), 1));
        assert!(fitting(&buckets, 0).is_empty());
        assert_eq!(fitting(&buckets[..3], 9).len(), 3);
    }
}
