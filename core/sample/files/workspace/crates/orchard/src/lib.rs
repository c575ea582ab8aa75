//! What the programs share.

/// One line about the season.
pub fn season(week: u32) -> String {
    let watered: u32 = (0..week).map(|row| orchard_rules::litres(f64::from(row) * 3.0)).sum();
    format!("{}; {} sensors; {watered} l", orchard_report::headline(week), orchard_schema::SENSORS.len())
}
