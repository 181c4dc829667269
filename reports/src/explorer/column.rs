//! Columns of small numbers, as text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Numbers, seven bits a byte, the lowest first; as base64 in the page.
#[derive(Debug, Default)]
pub(super) struct Column(Vec<u8>);

impl Column {
    pub(super) fn push(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    /// Small numbers of either sign stay small.
    pub(super) fn push_signed(&mut self, n: i64) {
        self.push(zigzag(n));
    }

    pub(super) fn text(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

/// 0, -1, 1, -2, … as 0, 1, 2, 3, …
pub(super) fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// The numbers of a column, as the page's script reads them.
#[cfg(test)]
pub(super) fn numbers(text: &str) -> Vec<u64> {
    let (mut out, mut n, mut shift) = (Vec::new(), 0, 0);
    for byte in STANDARD.decode(text).unwrap() {
        n |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            out.push(n);
            (n, shift) = (0, 0);
        }
    }
    assert_eq!(shift, 0, "a column ends within a number");
    out
}

/// Undoes [`zigzag`].
#[cfg(test)]
pub(super) fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let all = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let mut column = Column::default();
        all.into_iter().for_each(|n| column.push(n));
        assert_eq!(numbers(&column.text()), all);
        for n in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(n)), n);
        }
        assert_eq!([0, -1, 1, -2].map(zigzag), [0, 1, 2, 3]);
    }
}
