//! Numbers, bytes and digests one after another, as the notes of the depfile cache hold them.

use crate::digest::Digest;
use crate::nvcc_files::Signature;

#[derive(Default)]
pub struct Writer {
    pub text: Vec<u8>,
}

impl Writer {
    pub fn number(&mut self, number: u64) {
        self.text.extend_from_slice(&number.to_le_bytes());
    }

    pub fn small(&mut self, number: u32) {
        self.text.extend_from_slice(&number.to_le_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.small(bytes.len() as u32);
        self.text.extend_from_slice(bytes);
    }

    pub fn digest(&mut self, digest: &Digest) {
        self.text.extend_from_slice(digest);
    }

    pub fn signature(&mut self, signature: &Signature) {
        signature.iter().for_each(|number| self.number(*number));
    }

    pub fn list<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Writer, &T)) {
        self.small(items.len() as u32);
        items.iter().for_each(|item| put(self, item));
    }
}

/// Takes them out again; None: there is not as much.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a [u8]) -> Reader<'a> {
        Reader { rest: text }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub fn small(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.small()?;
        self.take(count as usize)
    }

    pub fn owned(&mut self) -> Option<Vec<u8>> {
        Some(self.bytes()?.to_vec())
    }

    pub fn digest(&mut self) -> Option<Digest> {
        self.take(32)?.try_into().ok()
    }

    pub fn signature(&mut self) -> Option<Signature> {
        let mut found = [0; 5];
        for number in &mut found {
            *number = self.number()?;
        }
        Some(found)
    }

    pub fn list<T>(&mut self, mut get: impl FnMut(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
        let count = self.small()?;
        (0..count).map(|_| get(self)).collect()
    }
}
