//! BLAKE2b with 32 bytes, what the depfile cache tells contents apart by. Source: RFC 7693.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::io::{self, Read};

/// Of a content.
pub type Digest = [u8; 32];

const BLOCK: usize = 128;
const READ_BYTES: u64 = 1 << 18;
/// The fractional parts of the square roots of the first eight primes.
const IV: [u64; 8] = [
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
    0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
];
/// The order in which a round takes the words of a block; the last two of twelve are the first two again.
const SIGMA: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// Takes a content piece by piece.
pub struct Hasher {
    state: [u64; 8],
    /// Bytes that are in `state`.
    count: u128,
    block: [u8; BLOCK],
    filled: usize,
}

impl Default for Hasher {
    fn default() -> Self {
        let mut state = IV;
        state[0] ^= 0x0101_0000 ^ 32; // no key, one leaf, 32 bytes
        Hasher { state, count: 0, block: [0; BLOCK], filled: 0 }
    }
}

impl Hasher {
    pub fn add(&mut self, mut bytes: &[u8]) {
        if self.filled > 0 || bytes.len() <= BLOCK {
            let taken = bytes.len().min(BLOCK - self.filled);
            self.block[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if bytes.is_empty() {
                return; // the last block waits until it is known whether it is the last
            }
            self.count += BLOCK as u128;
            compress(&mut self.state, &self.block, self.count, false);
            self.filled = 0;
        }
        while bytes.len() > BLOCK {
            let (block, rest) = bytes.split_at(BLOCK);
            self.count += BLOCK as u128;
            compress(&mut self.state, block.try_into().unwrap_or(&[0; BLOCK]), self.count, false);
            bytes = rest;
        }
        self.block[..bytes.len()].copy_from_slice(bytes);
        self.filled = bytes.len();
    }

    /// A piece with its length, so that pieces cannot be taken for others that are parted elsewhere.
    pub fn add_part(&mut self, bytes: &[u8]) {
        self.add(&(bytes.len() as u64).to_le_bytes());
        self.add(bytes);
    }

    pub fn end(mut self) -> Digest {
        self.block[self.filled..].fill(0);
        self.count += self.filled as u128;
        compress(&mut self.state, &self.block, self.count, true);
        let mut found = [0; 32];
        for (at, word) in self.state[..4].iter().enumerate() {
            found[at * 8..at * 8 + 8].copy_from_slice(&word.to_le_bytes());
        }
        found
    }
}

pub fn of_bytes(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::default();
    hasher.add(bytes);
    hasher.end()
}

/// Of what an open file still has.
pub fn of_file(file: &mut File) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    // One more than it has, so that the second read finds its end. Most headers are small: to clear a large piece takes longer.
    let mut piece = vec![0; (file.metadata()?.len() + 1).min(READ_BYTES) as usize];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(hasher.end()),
            Ok(count) => hasher.add(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A table by names: half of what a hit computes is the usual hash of paths.
pub type ByName<V> = HashMap<OsString, V, BuildHasherDefault<NameHasher>>;

/// Tells names apart in a table of our own.
#[derive(Default)]
pub struct NameHasher {
    sum: u64,
}

impl std::hash::Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.sum = (self.sum.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        self.sum ^ self.sum >> 32
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

macro_rules! mix {
    ($v:ident, $a:expr, $b:expr, $c:expr, $d:expr, $x:expr, $y:expr) => {
        $v[$a] = $v[$a].wrapping_add($v[$b]).wrapping_add($x);
        $v[$d] = ($v[$d] ^ $v[$a]).rotate_right(32);
        $v[$c] = $v[$c].wrapping_add($v[$d]);
        $v[$b] = ($v[$b] ^ $v[$c]).rotate_right(24);
        $v[$a] = $v[$a].wrapping_add($v[$b]).wrapping_add($y);
        $v[$d] = ($v[$d] ^ $v[$a]).rotate_right(16);
        $v[$c] = $v[$c].wrapping_add($v[$d]);
        $v[$b] = ($v[$b] ^ $v[$c]).rotate_right(63);
    };
}

macro_rules! round {
    ($v:ident, $words:ident, $at:expr) => {
        mix!($v, 0, 4, 8, 12, $words[SIGMA[$at][0]], $words[SIGMA[$at][1]]);
        mix!($v, 1, 5, 9, 13, $words[SIGMA[$at][2]], $words[SIGMA[$at][3]]);
        mix!($v, 2, 6, 10, 14, $words[SIGMA[$at][4]], $words[SIGMA[$at][5]]);
        mix!($v, 3, 7, 11, 15, $words[SIGMA[$at][6]], $words[SIGMA[$at][7]]);
        mix!($v, 0, 5, 10, 15, $words[SIGMA[$at][8]], $words[SIGMA[$at][9]]);
        mix!($v, 1, 6, 11, 12, $words[SIGMA[$at][10]], $words[SIGMA[$at][11]]);
        mix!($v, 2, 7, 8, 13, $words[SIGMA[$at][12]], $words[SIGMA[$at][13]]);
        mix!($v, 3, 4, 9, 14, $words[SIGMA[$at][14]], $words[SIGMA[$at][15]]);
    };
}

fn compress(state: &mut [u64; 8], block: &[u8; BLOCK], count: u128, is_last: bool) {
    let mut words = [0u64; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    }
    let mut v = [0u64; 16];
    v[..8].copy_from_slice(state);
    v[8..].copy_from_slice(&IV);
    v[12] ^= count as u64;
    v[13] ^= (count >> 64) as u64;
    if is_last {
        v[14] = !v[14];
    }
    // Written out, so that the order is known to the compiler: a loop takes three times as long.
    round!(v, words, 0);
    round!(v, words, 1);
    round!(v, words, 2);
    round!(v, words, 3);
    round!(v, words, 4);
    round!(v, words, 5);
    round!(v, words, 6);
    round!(v, words, 7);
    round!(v, words, 8);
    round!(v, words, 9);
    round!(v, words, 0);
    round!(v, words, 1);
    for at in 0..8 {
        state[at] ^= v[at] ^ v[at + 8];
    }
}
