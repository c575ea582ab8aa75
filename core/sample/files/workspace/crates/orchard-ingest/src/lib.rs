//! Takes what gateways send and turns it into readings.

grove_series::series! {
    IngestedSoil, IngestedLeaf, IngestedBark, IngestedRoot, IngestedAir, IngestedRain,
    IngestedWind, IngestedSun, IngestedFrost, IngestedDew, IngestedFog, IngestedHail,
    IngestedPump, IngestedValve, IngestedTank, IngestedFilter, IngestedPipe, IngestedMeter,
    IngestedBee, IngestedMoth, IngestedAphid, IngestedMite, IngestedWasp, IngestedScab,
    IngestedRust, IngestedMould, IngestedBloom, IngestedBud, IngestedFruit, IngestedStone,
    IngestedSeed, IngestedGraft, IngestedPrune, IngestedThin,
}

/// Lines of known sensors, of those that came.
pub fn ingest(lines: &[&str]) -> usize {
    let noise = lines.iter().filter(|line| grove_codec::Line::read(line).is_none()).count();
    let known = |line: &grove_codec::Line| orchard_schema::at(line.site).any(|sensor| sensor.number == line.number);
    lines.iter().filter_map(|line| grove_codec::Line::read(line)).filter(known).count()
}

#[cfg(test)]
mod tests {
    #[test]
    fn noise_and_unknown_sensors_are_left_out() {
        assert_eq!(super::ingest(&["mast 2 7.5", "noise", "cellar 1 4.0"]), 1);
    }
}
