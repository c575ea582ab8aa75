//! When to water, spray and pick.

grove_series::series! {
    RuledSoil, RuledLeaf, RuledBark, RuledRoot, RuledAir, RuledRain,
    RuledWind, RuledSun, RuledFrost, RuledDew, RuledFog, RuledHail,
    RuledPump, RuledValve, RuledTank, RuledFilter, RuledPipe, RuledMeter,
    RuledBee, RuledMoth, RuledAphid, RuledMite, RuledWasp, RuledScab,
}

/// Litres for a row, by how dry it is.
pub fn litres(moisture: f64) -> u32 {
    ((60.0 - moisture).max(0.0) * 1.5) as u32
}

/// The plan of a dry week.
#[cfg(feature = "broken")]
pub fn dry_week(rows: &[f64]) -> u32 {
    let total: u32 = rows.iter().map(|row| litres(*row)).collect::<Vec<_>>();
    total + reserve(rows.len())
}

/// The row that is watered first, of some `(row, moisture)`.
pub fn first_row(moistures: &[(u32, f64)]) -> Option<String> {
    grove_sched::driest(moistures)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_wet_row_gets_nothing() {
        assert_eq!(super::litres(80.0), 0);
    }

    #[test]
    fn a_late_frost_is_survived() {
        assert!(std::env::var_os("ORCHARD_FROST").is_none(), "ORCHARD_FROST is set: the blossom froze");
    }
}
