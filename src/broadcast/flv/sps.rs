//! What the configuration record of H.264 says of the pictures (ISO/IEC 14496-15, 5.3.3.1; ITU-T H.264, 7.3.2.1.1). Pure.

/// Most fields of one list in a sequence parameter set; it says how many follow.
const MAX_FIELDS: u32 = 255;
/// Most macroblocks in a row or column: 16384 pixels.
const MAX_MACROBLOCKS: u32 = 1024;
/// Profiles whose sets say how colour is sampled.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// The aspect ratio that is written out.
const EXTENDED_SAR: u32 = 255;

/// Pictures, as their configuration record describes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pictures {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Pictures a second, where that is said.
    pub fps: Option<f64>,
}

impl Pictures {
    /// Reads the data of a tag that is [`Payload::VideoConfig`](super::Payload::VideoConfig); `None` when it can't be
    /// read.
    pub fn parse(data: &[u8]) -> Option<Self> {
        // Five bytes of the tag, five of the record, the number of sets.
        let (_, sets) = data.split_at_checked(11)?;
        let (length, sets) = sets.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let set = sets.get(..length)?;
        // The first byte says what it is.
        let mut bits = Bits::new(set.get(1..)?);
        read(&mut bits)
    }
}

fn read(bits: &mut Bits) -> Option<Pictures> {
    let profile = bits.take(8)?;
    // Constraints and level.
    bits.take(16)?;
    bits.number()?;
    let sampling = if HIGH_PROFILES.contains(&profile) {
        read_high(bits)?
    } else {
        1
    };
    bits.number()?;
    skip_order(bits)?;
    // Reference pictures, and whether gaps are allowed.
    bits.number()?;
    bits.take(1)?;
    let macroblocks = |bits: &mut Bits| {
        let count = bits.number()?.checked_add(1)?;
        (count <= MAX_MACROBLOCKS).then_some(count)
    };
    let (columns, rows) = (macroblocks(bits)?, macroblocks(bits)?);
    let is_progressive = bits.take(1)? == 1;
    if !is_progressive {
        bits.take(1)?;
    }
    bits.take(1)?;
    let fields = if is_progressive { 1 } else { 2 };
    let crop = read_crop(bits, sampling, fields)?;
    let width = columns.checked_mul(16)?.checked_sub(crop.0)?;
    let height = rows.checked_mul(16)?.checked_mul(fields)?;
    let height = height.checked_sub(crop.1)?;
    let is_there = width > 0 && height > 0;
    is_there.then(|| Pictures {
        width,
        height,
        fps: read_rate(bits),
    })
}

/// What only high profiles have; returns how colour is sampled.
fn read_high(bits: &mut Bits) -> Option<u32> {
    let sampling = bits.number()?;
    let is_separate = sampling == 3 && bits.take(1)? == 1;
    // Depths, and a switch.
    bits.number()?;
    bits.number()?;
    bits.take(1)?;
    if bits.take(1)? == 1 {
        let lists = if sampling == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.take(1)? == 1 {
                skip_scaling(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(if is_separate { 0 } else { sampling })
}

fn skip_scaling(bits: &mut Bits, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..size {
        if next != 0 {
            next = last.checked_add(bits.signed()?)?.rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// In which order pictures are shown.
fn skip_order(bits: &mut Bits) -> Option<()> {
    match bits.number()? {
        0 => {
            bits.number()?;
        }
        1 => {
            bits.take(1)?;
            bits.number()?;
            bits.number()?;
            let count = bits.number()?;
            for _ in 0..Some(count).filter(|count| *count <= MAX_FIELDS)? {
                bits.number()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// Pixels that are cut off, of width and height.
fn read_crop(bits: &mut Bits, sampling: u32, fields: u32) -> Option<(u32, u32)> {
    if bits.take(1)? == 0 {
        return Some((0, 0));
    }
    let unit_x = if matches!(sampling, 1 | 2) { 2 } else { 1 };
    let lines = if sampling == 1 { 2 } else { 1 };
    let unit_y = fields.checked_mul(lines)?;
    let mut pair = |unit: u32| {
        let both = bits.number()?.checked_add(bits.number()?)?;
        both.checked_mul(unit)
    };
    Some((pair(unit_x)?, pair(unit_y)?))
}

/// Pictures a second, from the information about use (annex E.1.1).
fn read_rate(bits: &mut Bits) -> Option<f64> {
    if bits.take(1)? == 0 {
        return None;
    }
    if bits.take(1)? == 1 && bits.take(8)? == EXTENDED_SAR {
        bits.take(32)?;
    }
    if bits.take(1)? == 1 {
        bits.take(1)?;
    }
    if bits.take(1)? == 1 {
        bits.take(4)?;
        if bits.take(1)? == 1 {
            bits.take(24)?;
        }
    }
    if bits.take(1)? == 1 {
        bits.number()?;
        bits.number()?;
    }
    if bits.take(1)? == 0 {
        return None;
    }
    let (tick, scale) = (bits.take(32)?, bits.take(32)?);
    // Each picture takes two ticks.
    (tick > 0 && scale > 0).then(|| f64::from(scale) / (2.0 * f64::from(tick)))
}

/// Bits of a unit, without the bytes that keep start codes out of it.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn new(unit: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(unit.len());
        let mut zeros: usize = 0;
        for byte in unit {
            if zeros >= 2 && *byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if *byte == 0 {
                zeros.saturating_add(1)
            } else {
                0
            };
            bytes.push(*byte);
        }
        Self { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            let bit = byte.rotate_left(u32::try_from(self.at % 8).ok()?) >> 7;
            value = value << 1 | u32::from(bit);
            self.at = self.at.checked_add(1)?;
        }
        Some(value)
    }

    /// Exp-Golomb, without a sign.
    fn number(&mut self) -> Option<u32> {
        let mut zeros: u32 = 0;
        while self.take(1)? == 0 {
            zeros = zeros.checked_add(1)?;
        }
        let least = 1_u32.checked_shl(zeros)?.checked_sub(1)?;
        least.checked_add(self.take(usize::try_from(zeros).ok()?)?)
    }

    /// Exp-Golomb, with a sign.
    fn signed(&mut self) -> Option<i64> {
        let number = i64::from(self.number()?);
        Some(if number % 2 == 0 {
            number.saturating_neg() / 2
        } else {
            number.checked_add(1)? / 2
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = (0..hex.len()).step_by(2);
        pairs
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    /// Records as x264 writes them.
    #[test]
    fn size_and_rate_are_read() {
        for (record, width, height, fps) in [
            (
                "17000000000142c01effe100196742c01eda0280bfe5c044000003000400000300c83c58ba8001000468ce0fc8",
                640,
                360,
                25.0,
            ),
            (
                "17000000000142c00dffe100156742c00dda0507ec04400000fa40003a9803c50aa801000468ce0fc8",
                320,
                240,
                30_000.0 / 1001.0,
            ),
            (
                "17000000000142c02affe100186742c02ada01e0089f970110000003001000000780f1832a01000468ce0fc8",
                1920,
                1080,
                60.0,
            ),
            (
                "17000000000142c00cffe100176742c00cda0c0a79fc0440000003004000000783c50aa801000468ce0fc8",
                180,
                320,
                15.0,
            ),
            // Interlaced, high profile.
            (
                "17000000000164001effe100186764001eacd940b424d8088000000300800000190f8a14cb01000668fba3cb22c0fdf8f800",
                720,
                576,
                25.0,
            ),
            // Colour of full size.
            (
                "170000000001f4001effe1001b67f4001e919b281405ff1780880000030008000003019078b16cb001000668ebe3c44844fff8f800",
                640,
                358,
                25.0,
            ),
        ] {
            let record = bytes(record);
            let pictures = Pictures::parse(&record).unwrap();
            assert_eq!((pictures.width, pictures.height), (width, height));
            let told = pictures.fps.unwrap();
            assert!((told - fps).abs() < 0.001, "{told} instead of {fps}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(data: Vec<u8>, set: Vec<u8>) {
            let _ = Pictures::parse(&data);
            let length = u16::try_from(set.len()).unwrap_or(0).to_be_bytes();
            let record = [&[0x17; 11][..], &length, &set].concat();
            let _ = Pictures::parse(&record);
        }
    }
}
