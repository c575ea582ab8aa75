//! Prints the season's report.

fn main() {
    let week = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(12);
    println!("{}", orchard::season(week));
}
