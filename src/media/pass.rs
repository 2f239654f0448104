//! Leads the bytes of a run, as they come off a connection, through its [`Patch`].

use bytes::{Buf as _, Bytes, BytesMut};

use super::{MAX_UNIT, Mismatch, Patch};

/// Bytes that are copied at a time to be changed; what is opaque passes without a copy.
const COPIED: usize = 4096;

/// The passage of one run: pieces in, cut anywhere; the same bytes out, changed.
#[derive(Debug)]
pub struct Pass {
    patch: Box<dyn Patch>,
    /// The beginning of a field whose rest has not come; less than [`MAX_UNIT`].
    carry: BytesMut,
}

impl Pass {
    /// The passage of a run from its first byte.
    pub fn new(patch: Box<dyn Patch>) -> Self {
        Self {
            patch,
            carry: BytesMut::new(),
        }
    }

    /// How many of the bytes to come are neither looked at nor changed, so that they need not come.
    pub fn opaque(&self) -> u64 {
        self.patch.opaque()
    }

    /// Whether fields stand all over the run.
    pub fn is_dense(&self) -> bool {
        self.patch.is_dense()
    }

    /// Leaves out bytes of that kind.
    pub fn skip(&mut self, count: u64) {
        self.patch.skip(count);
    }

    /// Takes the next piece and appends to `out` what may be sent.
    ///
    /// # Errors
    /// The run is not what its index promised.
    pub fn push(&mut self, mut piece: Bytes, out: &mut impl Extend<Bytes>) -> Result<(), Mismatch> {
        while !piece.is_empty() {
            if !self.carry.is_empty() {
                self.complete(&mut piece, out)?;
                continue;
            }
            let opaque = usize::try_from(self.patch.opaque()).unwrap_or(usize::MAX);
            if opaque > 0 {
                let taken = piece.split_to(opaque.min(piece.len()));
                self.patch.skip(taken.len() as u64);
                out.extend([taken]);
                continue;
            }
            let mut copy = BytesMut::from(&piece[..piece.len().min(COPIED)]);
            let taken = self.patch.patch(&mut copy)?;
            if taken == 0 {
                self.carry = BytesMut::from(&piece[..]);
                return Ok(());
            }
            copy.truncate(taken);
            piece.advance(taken);
            out.extend([copy.freeze()]);
        }
        Ok(())
    }

    /// Completes the field whose beginning came before.
    fn complete(
        &mut self,
        piece: &mut Bytes,
        out: &mut impl Extend<Bytes>,
    ) -> Result<(), Mismatch> {
        let had = self.carry.len();
        let more = piece.len().min(MAX_UNIT.saturating_sub(had).max(1));
        self.carry.extend_from_slice(&piece[..more]);
        let taken = self.patch.patch(&mut self.carry)?;
        if taken == 0 {
            piece.advance(more);
            return Ok(());
        }
        // What was carried is the beginning of one field, so more than that was taken.
        piece.advance(taken.saturating_sub(had));
        self.carry.truncate(taken);
        out.extend([std::mem::take(&mut self.carry).freeze()]);
        Ok(())
    }

    /// Called when every byte of the run has been pushed or skipped.
    ///
    /// # Errors
    /// Something is missing in it.
    pub fn finish(&self) -> Result<(), Mismatch> {
        self.patch.finish()
    }
}
