//! ZIP archives of stored files, as arithmetic: where every byte lies is known from the names and lengths alone.
//!
//! The checksums are not, so each entry has a data descriptor behind its bytes (APPNOTE 6.3.10 §4.3.9, general purpose
//! bit 3). An archive can therefore be begun before its files are read, and taken up at any byte.

use std::ops::Range;

use time::{OffsetDateTime, PrimitiveDateTime};

const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
const CENTRAL_SIGNATURE: u32 = 0x0201_4b50;
const END_SIGNATURE: u32 = 0x0605_4b50;
const LOCAL_BYTES: u64 = 30;
const DESCRIPTOR_BYTES: u64 = 16;
const CENTRAL_BYTES: u64 = 46;
const END_BYTES: u64 = 22;
/// Version 2.0 is the first with data descriptors; made on Unix, so that the mode below counts.
const VERSION_NEEDED: u16 = 20;
const VERSION_MADE: u16 = (3 << 8) | VERSION_NEEDED;
/// Bit 3: checksum and lengths stand behind the bytes. Bit 11: names are UTF-8.
const FLAGS: u16 = (1 << 3) | (1 << 11);
/// A regular file, readable by all: `0o100644` in the upper half.
const EXTERNAL_ATTRIBUTES: u32 = 0o100_644 << 16;

/// A file to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name within the archive.
    pub name: String,
    /// Bytes.
    pub length: u64,
}

/// Where everything of an archive lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    entries: Vec<Entry>,
    /// Where the local header of each entry begins.
    offsets: Vec<u64>,
    /// Where its record in the central directory begins.
    records: Vec<u64>,
    /// Where the central directory begins and ends.
    central: Range<u64>,
    total: u64,
    stamp: DosTime,
}

/// What lies at a position, and how many bytes of it lie before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Local header of entry `.0`, from its byte `.1` on.
    Header(usize, u64),
    /// Bytes of entry `.0`, from `.1` on.
    Data(usize, u64),
    /// Data descriptor of entry `.0`, from its byte `.1` on.
    Descriptor(usize, u64),
    /// Record of entry `.0` in the central directory, from its byte `.1` on.
    Record(usize, u64),
    /// End of the central directory, from its byte `.0` on.
    Finish(u64),
    /// Behind the last byte.
    End,
}

impl Layout {
    /// Lays `entries` out, all dated `unix_seconds`; `None` for what the format without its 64-bit extension can't hold.
    pub fn new(entries: Vec<Entry>, unix_seconds: u64) -> Option<Self> {
        u16::try_from(entries.len())
            .ok()
            .filter(|count| *count < u16::MAX)?;
        let mut offsets = Vec::with_capacity(entries.len());
        let mut at = 0_u64;
        for entry in &entries {
            u16::try_from(entry.name.len()).ok()?;
            let name = entry.name.len() as u64;
            offsets.push(at);
            at = at.checked_add(LOCAL_BYTES + name + DESCRIPTOR_BYTES)?;
            at = at.checked_add(entry.length)?;
        }
        let start = at;
        let mut records = Vec::with_capacity(entries.len());
        for entry in &entries {
            records.push(at);
            at = at.checked_add(CENTRAL_BYTES + entry.name.len() as u64)?;
        }
        let total = at.checked_add(END_BYTES)?;
        u32::try_from(total)
            .ok()
            .filter(|total| *total < u32::MAX)?;
        Some(Self {
            entries,
            offsets,
            records,
            central: start..at,
            total,
            stamp: DosTime::of(unix_seconds),
        })
    }

    /// Bytes of the archive.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What is stored.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What lies at `position`.
    pub fn part_at(&self, position: u64) -> Part {
        if position >= self.total {
            return Part::End;
        }
        if position >= self.central.end {
            return Part::Finish(position - self.central.end);
        }
        // The first of either begins where they all do, so at least one does at or before such a position.
        let last = |starts: &[u64]| starts.partition_point(|start| *start <= position) - 1;
        if position >= self.central.start {
            let index = last(&self.records);
            return Part::Record(index, position - self.records[index]);
        }
        let index = last(&self.offsets);
        let header = LOCAL_BYTES + self.entries[index].name.len() as u64;
        let length = self.entries[index].length;
        let within = position - self.offsets[index];
        match () {
            () if within < header => Part::Header(index, within),
            () if within - header < length => Part::Data(index, within - header),
            () => Part::Descriptor(index, within - header - length),
        }
    }

    /// The local header of an entry.
    pub fn header(&self, index: usize) -> Vec<u8> {
        let name = &self.entries[index].name;
        let mut bytes = Writer::default();
        bytes.u32(LOCAL_SIGNATURE).u16(VERSION_NEEDED);
        self.method(&mut bytes);
        // Zero here, true in the descriptor (§4.4.4).
        bytes.u32(0).u32(0).u32(0);
        bytes.u16(small(name.len() as u64)).u16(0).text(name);
        bytes.0
    }

    /// The data descriptor of an entry with this CRC-32.
    pub fn descriptor(&self, index: usize, crc: u32) -> Vec<u8> {
        let length = large(self.entries[index].length);
        let mut bytes = Writer::default();
        bytes
            .u32(DESCRIPTOR_SIGNATURE)
            .u32(crc)
            .u32(length)
            .u32(length);
        bytes.0
    }

    /// The record of an entry with this CRC-32 in the central directory.
    pub fn record(&self, index: usize, crc: u32) -> Vec<u8> {
        let entry = &self.entries[index];
        let length = large(entry.length);
        let mut bytes = Writer::default();
        bytes
            .u32(CENTRAL_SIGNATURE)
            .u16(VERSION_MADE)
            .u16(VERSION_NEEDED);
        self.method(&mut bytes);
        bytes.u32(crc).u32(length).u32(length);
        bytes
            .u16(small(entry.name.len() as u64))
            .u16(0)
            .u16(0)
            .u16(0)
            .u16(0);
        bytes
            .u32(EXTERNAL_ATTRIBUTES)
            .u32(large(self.offsets[index]))
            .text(&entry.name);
        bytes.0
    }

    /// The end of the central directory.
    pub fn finish(&self) -> Vec<u8> {
        let count = small(self.entries.len() as u64);
        let length = large(self.central.end - self.central.start);
        let mut bytes = Writer::default();
        bytes.u32(END_SIGNATURE).u16(0).u16(0).u16(count).u16(count);
        bytes.u32(length).u32(large(self.central.start)).u16(0);
        bytes.0
    }

    /// Flags, method (stored), time and date, which headers of both kinds share.
    fn method(&self, bytes: &mut Writer) {
        bytes
            .u16(FLAGS)
            .u16(0)
            .u16(self.stamp.time)
            .u16(self.stamp.date);
    }
}

/// A figure that [`Layout::new`] has seen to fit.
fn small(figure: u64) -> u16 {
    u16::try_from(figure).unwrap_or(u16::MAX)
}

/// A figure that [`Layout::new`] has seen to fit.
fn large(figure: u64) -> u32 {
    u32::try_from(figure).unwrap_or(u32::MAX)
}

/// Time and date as MS-DOS has them, in UTC: two seconds fine, from 1980 to 2107.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DosTime {
    time: u16,
    date: u16,
}

impl DosTime {
    fn of(unix_seconds: u64) -> Self {
        let first = Self {
            time: 0,
            date: (1 << 5) | 1,
        };
        let moment = i64::try_from(unix_seconds)
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        let Some(moment) = moment else {
            return first;
        };
        let moment = PrimitiveDateTime::new(moment.date(), moment.time());
        let Some(year) = u16::try_from(moment.year() - 1980)
            .ok()
            .filter(|year| *year < 128)
        else {
            return first;
        };
        let month = u16::from(u8::from(moment.month()));
        Self {
            time: (u16::from(moment.hour()) << 11)
                | (u16::from(moment.minute()) << 5)
                | (u16::from(moment.second()) / 2),
            date: (year << 9) | (month << 5) | u16::from(moment.day()),
        }
    }
}

/// Little-endian fields one after the other.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, length: u64) -> Entry {
        Entry {
            name: name.to_owned(),
            length,
        }
    }

    /// The archive, written from `position` on as a transfer would.
    fn bytes_from(layout: &Layout, files: &[&[u8]], mut position: u64) -> Vec<u8> {
        let crcs: Vec<u32> = files.iter().map(|file| crc32fast::hash(file)).collect();
        let mut bytes = Vec::new();
        loop {
            let (part, skip) = match layout.part_at(position) {
                Part::Header(index, skip) => (layout.header(index), skip),
                Part::Data(index, skip) => (files[index].to_vec(), skip),
                Part::Descriptor(index, skip) => (layout.descriptor(index, crcs[index]), skip),
                Part::Record(index, skip) => (layout.record(index, crcs[index]), skip),
                Part::Finish(skip) => (layout.finish(), skip),
                Part::End => return bytes,
            };
            let rest = &part[usize::try_from(skip).unwrap()..];
            bytes.extend_from_slice(rest);
            position += rest.len() as u64;
        }
    }

    #[test]
    fn archive_is_as_long_as_said_and_the_same_from_any_byte() {
        let files: [&[u8]; 3] = [b"hello", b"", b"a longer one"];
        let entries = vec![entry("a_01.jpg", 5), entry("ü.png", 0), entry("c", 12)];
        let layout = Layout::new(entries, 1_752_031_845).unwrap();
        let whole = bytes_from(&layout, &files, 0);
        assert_eq!(whole.len() as u64, layout.total());
        for position in 0..=layout.total() {
            let at = usize::try_from(position).unwrap();
            assert_eq!(
                bytes_from(&layout, &files, position),
                whole[at..],
                "{position}"
            );
        }
        assert!(whole.starts_with(b"PK\x03\x04\x14\0\x08\x08\0\0"));
    }

    #[test]
    fn archive_without_entries_is_its_end_record() {
        let layout = Layout::new(Vec::new(), 0).unwrap();
        assert_eq!((layout.total(), layout.part_at(0)), (22, Part::Finish(0)));
        assert_eq!(layout.finish().len(), 22);
    }

    #[test]
    fn archive_that_needs_64_bits_is_refused() {
        assert!(Layout::new(vec![entry("a", u64::from(u32::MAX))], 0).is_none());
        assert!(Layout::new(vec![entry("a", u64::MAX)], 0).is_none());
        assert!(Layout::new(vec![entry(&"a".repeat(65_536), 1)], 0).is_none());
        assert!(Layout::new(vec![entry("a", 1); 65_535], 0).is_none());
    }

    #[test]
    fn dos_time_is_utc_and_clamped() {
        // 2025-07-09 03:30:45 UTC.
        let stamp = DosTime::of(1_752_031_845);
        assert_eq!(stamp.time, (3 << 11) + (30 << 5) + 22);
        assert_eq!(stamp.date, (45 << 9) + (7 << 5) + 9);
        for unknown in [0, 86_400, u64::MAX, 4_400_000_000] {
            assert_eq!(
                DosTime::of(unknown),
                DosTime { time: 0, date: 33 },
                "{unknown}"
            );
        }
    }
}
