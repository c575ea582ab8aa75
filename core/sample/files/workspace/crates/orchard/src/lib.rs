//! What the programs share.

/// One line about the season up to a week.
pub fn season(week: u32) -> String {
    let moistures: Vec<(u32, f64)> = (0..week).map(|row| (row, f64::from(row) * 3.0)).collect();
    let samples: Vec<f64> = moistures.iter().map(|(_, moisture)| *moisture).collect();
    let watered: u32 = samples.iter().map(|moisture| orchard_rules::litres(*moisture)).sum();
    let first = orchard_rules::first_row(&moistures).unwrap_or_default();
    let sensors = orchard_schema::SENSORS.len();
    format!("{}; {sensors} sensors; {watered} l, {first} first", orchard_report::headline(week, &samples))
}
