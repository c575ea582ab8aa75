//! The sensors of the orchard, as a table that the build script writes.

/// One sensor in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensor {
    pub site: &'static str,
    pub number: u32,
    pub kind: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/sensors.rs"));

/// The sensors of one site.
pub fn at(site: &str) -> impl Iterator<Item = &'static Sensor> + '_ {
    SENSORS.iter().filter(move |sensor| sensor.site == site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mast_has_two_sensors() {
        assert_eq!(at("mast").count(), 2);
    }
}
