//! How long the workloads took, for whoever wants to run some of them only.

use std::time::Duration;

use comfy_table::Table;

use super::print;

/// How often each workload was run, and how long that took, in the order of the first run.
#[derive(Debug, Default)]
pub struct Times(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    workload: String,
    runs: usize,
    took: Duration,
}

impl Times {
    /// Notes a run, whatever came out.
    pub fn add(&mut self, workload: &str, took: Duration) {
        let index = self.0.iter().position(|entry| entry.workload == workload);
        let index = index.unwrap_or_else(|| {
            let workload = workload.to_owned();
            self.0.push(Entry { workload, runs: 0, took: Duration::ZERO });
            self.0.len() - 1
        });
        self.0[index].runs += 1;
        self.0[index].took += took;
    }

    /// What took longest comes first.
    pub fn table(&self) -> Table {
        let mut entries: Vec<&Entry> = self.0.iter().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.took));
        let header = ["workload", "runs, of all runtimes", "seconds", "of the whole"];
        let mut table = print::empty(header.map(str::to_owned));
        let whole: Duration = self.0.iter().map(|entry| entry.took).sum();
        for Entry { workload, runs, took } in entries {
            let seconds = took.as_secs_f64();
            let part = 100.0 * seconds / whole.as_secs_f64().max(f64::MIN_POSITIVE);
            let cells = [runs.to_string(), format!("{seconds:.1}"), format!("{part:.1} %")];
            table.add_row([workload.clone()].into_iter().chain(cells));
        }
        print::align(&mut table, 1..4);
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_a_workload_add_up_and_the_longest_is_first() {
        let mut times = Times::default();
        for (workload, ms) in [("wake", 500), ("fire", 2_000), ("wake", 1_000), ("fire", 1_500)] {
            times.add(workload, Duration::from_millis(ms));
        }
        let text = times.table().to_string();
        let rows: Vec<Vec<&str>> =
            text.lines().skip(2).map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(rows[0], ["", "fire", "2", "3.5", "70.0 %", ""], "{text}");
        assert_eq!(rows[1], ["", "wake", "2", "1.5", "30.0 %", ""], "{text}");
    }
}
