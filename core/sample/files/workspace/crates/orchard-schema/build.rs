//! Turns `sensors.txt` into a constant table.

use std::fmt::Write as _;
use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=sensors.txt");
    let listed = fs::read_to_string("sensors.txt").expect("sensors.txt can be read");
    let mut table = String::from("pub const SENSORS: &[Sensor] = &[\n");
    for line in listed.lines() {
        let mut words = line.split_whitespace();
        if let (Some(site), Some(number), Some(kind)) = (words.next(), words.next(), words.next()) {
            writeln!(table, "    Sensor {{ site: {site:?}, number: {number}, kind: {kind:?} }},").expect("text grows");
        }
    }
    table.push_str("];\n");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("sensors.rs"), table).expect("OUT_DIR can be written");
}
