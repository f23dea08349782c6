//! The page: prose from a template, and what was measured.

use std::collections::BTreeMap;

use clap::ValueEnum;
use compare::command::name;

use super::Report;
use super::charts::{Charts, Drawn};
use super::circumstances::Circumstances;
use super::summary;
use crate::table::{self, Chart};
use crate::workloads::{Peer, Workload};

const TEMPLATE: &str = include_str!("page.md");

pub fn text(report: &Report, charts: &Charts) -> String {
    let Report { circumstances, figures } = report;
    let apart = [Chart::Population, Chart::Queue];
    let (main, tally) = table::render(figures, |row| !apart.contains(&row.chart));
    let (population, _) = table::render(figures, |row| row.chart == Chart::Population);
    let (queue, of_queue) = table::render(figures, |row| row.chart == Chart::Queue);
    let further = table::table_of_further(figures);
    let parts = [
        ("{minutes}", format!("{:.0}", circumstances.minutes)),
        ("{runs}", circumstances.runs.to_string()),
        ("{less often}", less_often(circumstances.runs)),
        ("{date}", circumstances.date.chars().take(10).collect()),
        ("{processors}", processors(circumstances)),
        ("{circumstances}", described(circumstances)),
        ("{lead}", summary::lead(figures)),
        ("{summary}", summary::text(figures)),
        ("{population}", pictures(&charts.population)),
        ("{ratios}", pictures(&charts.ratios)),
        ("{table}", main.to_string()),
        ("{table of further}", further.map_or(String::new(), |table| table.to_string())),
        ("{ratios to further}", pictures(&charts.further)),
        ("{table by population}", population.to_string()),
        ("{table of queues}", queue.to_string()),
        ("{met}", (tally.met + of_queue.met).to_string()),
        ("{goals}", (tally.goals + of_queue.goals).to_string()),
        ("{charts}", pictures(&charts.dots)),
    ];
    parts.iter().fold(TEMPLATE.to_owned(), |page, (place, text)| page.replace(place, text))
}

fn processors(circumstances: &Circumstances) -> String {
    format!("{} × {}", circumstances.processors, circumstances.processor)
}

/// Says which workloads were run less often than others; nothing if none was.
fn less_often(runs: usize) -> String {
    let mut by_runs = BTreeMap::<_, Vec<_>>::new();
    for &workload in Workload::value_variants() {
        let of_workload = workload.runs(Peer::AsyncWheel, runs);
        if of_workload < runs {
            by_runs.entry(of_workload).or_default().push(format!("`{}`", name(&workload)));
        }
    }
    let said = |(runs, workloads): (&usize, &Vec<String>)| {
        let times = match runs {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            _ => format!("{runs} times"),
        };
        format!("{} {times}", workloads.join(", "))
    };
    let all: Vec<_> = by_runs.iter().rev().map(said).collect();
    if all.is_empty() {
        String::new()
    } else {
        format!("What takes long or is always the same ran less often: {}. ", all.join("; "))
    }
}

fn described(circumstances: &Circumstances) -> String {
    let versions: Vec<String> =
        circumstances.crates.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let processor = processors(circumstances);
    let memory = format!("{:.0} GiB", circumstances.memory_gib);
    let load = format!("{:.2} in the minute before", circumstances.load_before);
    let lines = [
        ("date", circumstances.date.as_str()),
        ("commit", &circumstances.commit),
        ("processor", &processor),
        ("memory", &memory),
        ("system", &circumstances.system),
        ("rustc", &circumstances.rustc),
        ("crates", &versions.join(", ")),
        ("load of the machine", &load),
    ];
    let lines = lines.map(|(name, text)| format!("- {name}: {text}"));
    lines.join("\n")
}

fn pictures<'a>(charts: impl IntoIterator<Item = &'a Drawn>) -> String {
    let picture = |chart: &Drawn| format!("![{}](benchmarks/{})", chart.title, chart.file);
    charts.into_iter().map(picture).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Samples;

    #[test]
    fn what_is_run_less_often_is_named() {
        let said = less_often(5);
        assert!(said.ends_with("`by-population-1e7`, `uniform-heap` once. "), "{said}");
        assert_eq!(less_often(1), "");
    }

    #[test]
    fn no_place_of_the_template_is_left_open() {
        let circumstances = Circumstances::now(5).unwrap();
        let report = Report { circumstances, figures: Samples::default() };
        let dots = vec![Drawn { file: "a.svg", title: "A" }];
        let page = text(&report, &Charts { dots, ..Charts::default() });
        assert!(!page.contains('{'), "{page}");
        assert!(page.contains("![A](benchmarks/a.svg)"));
    }
}
