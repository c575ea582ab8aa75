//! Reads sensor lines from standard input and counts what is understood.

use std::io::{self, BufRead};

fn main() -> io::Result<()> {
    let lines: Vec<String> = io::stdin().lock().lines().collect::<Result<_, _>>()?;
    let borrowed: Vec<&str> = lines.iter().map(String::as_str).collect();
    println!("{} of {} understood", orchard_ingest::ingest(&borrowed), lines.len());
    Ok(())
}
