//! The page: prose from a template, and what was measured.

use super::Report;
use super::charts::Drawn;
use super::circumstances::Circumstances;
use crate::table;

const TEMPLATE: &str = include_str!("page.md");

pub fn text(report: &Report, charts: &[Drawn]) -> String {
    let Report { circumstances, figures } = report;
    let (table, tally) = table::render(figures);
    let parts = [
        ("{minutes}", format!("{:.0}", circumstances.minutes)),
        ("{runs}", circumstances.runs.to_string()),
        ("{circumstances}", described(circumstances)),
        ("{table}", table.to_string()),
        ("{met}", tally.met.to_string()),
        ("{goals}", tally.goals.to_string()),
        ("{charts}", pictures(charts)),
    ];
    parts.iter().fold(TEMPLATE.to_owned(), |page, (place, text)| page.replace(place, text))
}

fn described(circumstances: &Circumstances) -> String {
    let versions: Vec<String> =
        circumstances.crates.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let processor = format!("{} × {}", circumstances.processors, circumstances.processor);
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

fn pictures(charts: &[Drawn]) -> String {
    let picture = |chart: &Drawn| format!("![{}](benchmarks/{})", chart.title, chart.file);
    charts.iter().map(picture).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Samples;

    #[test]
    fn no_place_of_the_template_is_left_open() {
        let circumstances = Circumstances::now(5).unwrap();
        let report = Report { circumstances, figures: Samples::default() };
        let page = text(&report, &[Drawn { file: "a.svg", title: "A" }]);
        assert!(!page.contains('{'), "{page}");
        assert!(page.contains("![A](benchmarks/a.svg)"));
    }
}
