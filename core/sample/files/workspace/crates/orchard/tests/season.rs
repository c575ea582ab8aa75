//! The programs' report, as a caller sees it.

#[test]
fn a_season_names_its_week() {
    assert!(orchard::season(7).starts_with("week 7: "));
}

#[test]
fn every_sensor_is_counted() {
    assert!(orchard::season(1).contains("6 sensors"));
}
