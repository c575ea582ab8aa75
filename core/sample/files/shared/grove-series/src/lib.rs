//! Series of samples: a type each, so that rain is never averaged with wind.

/// Declares types that record samples by row, and report on them.
#[macro_export]
macro_rules! series {
    ($($name:ident),* $(,)?) => { $(
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            samples: Vec<f64>,
            by_row: ::std::collections::BTreeMap<String, Vec<i64>>,
            notes: ::std::collections::HashMap<u32, String>,
        }

        impl $name {
            pub const NAME: &'static str = stringify!($name);

            pub fn record(&mut self, row: u32, value: f64) -> &mut Self {
                self.samples.push(value);
                self.by_row.entry(format!("row {row:03}")).or_default().push((value * 1000.0) as i64);
                if value.fract() > 0.75 { self.notes.insert(row, format!("{}: {value:?} looks high", Self::NAME)); }
                self
            }
            pub fn quantile(&self, q: f64) -> Option<f64> {
                let mut sorted = self.samples.clone();
                sorted.sort_by(|a, b| a.total_cmp(b));
                let at = ((sorted.len() as f64 - 1.0) * q.clamp(0.0, 1.0)).round() as usize;
                sorted.get(at).copied()
            }
            pub fn rows(&self) -> Vec<(String, f64)> {
                let mut rows: Vec<_> = self.by_row.iter()
                    .map(|(row, all)| (row.clone(), all.iter().sum::<i64>() as f64 / 1000.0 / all.len() as f64)).collect();
                rows.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                rows
            }
            pub fn report(&self) -> String {
                let mut lines = vec![format!("{}: {} samples", Self::NAME, self.samples.len())];
                lines.extend(self.rows().into_iter().map(|(row, mean)| format!("  {row} {mean:8.3}")));
                let mut notes: Vec<_> = self.notes.iter().collect();
                notes.sort();
                lines.extend(notes.into_iter().map(|(row, note)| format!("  note on {row}: {note}")));
                lines.join("\n")
            }
        }
    )* };
}
