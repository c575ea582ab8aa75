//! Series of samples: quantiles, means by row, notes on what looks odd.

grove_series::series! {
    Soil, Leaf, Bark, Root, Air, Rain,
    Wind, Sun, Frost, Dew, Fog, Hail,
    Pump, Valve, Tank, Filter, Pipe, Meter,
    Bee, Moth, Aphid, Mite, Wasp, Scab,
    Rust, Mould, Bloom, Bud, Fruit, Stone,
}

/// The middle of some samples; `None` where there are none.
pub fn middle(samples: &[f64]) -> Option<f64> {
    let mut series = Soil::default();
    for &sample in samples {
        series.record(0, sample);
    }
    series.quantile(0.5)
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_outlier_does_not_move_the_middle() {
        assert_eq!(super::middle(&[3.0, 900.0, 2.0]), Some(3.0));
        assert_eq!(super::middle(&[]), None);
    }
}
