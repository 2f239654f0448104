//! Sizes of pictures, and what follows from a shape.

use super::small;

/// Size of the post's picture, for the shape of its encodings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
}

impl Frame {
    /// From counts as an answer gives them.
    pub(super) fn new(width: Option<u64>, height: Option<u64>) -> Self {
        Self {
            width: small(width),
            height: small(height),
        }
    }

    /// `(width, height)` where both are known.
    pub(super) fn sides(self) -> Option<(u32, u32)> {
        self.width.zip(self.height)
    }

    /// Width and height to go by: upright 9:16 where nothing is known.
    fn shape(self) -> (u64, u64) {
        let (width, height) = self.sides().unwrap_or((9, 16));
        (u64::from(width), u64::from(height))
    }

    /// Whether two pictures have the same shape, up to rounding to even sides. An address of the app's answers may
    /// say 720x720 whatever the picture is (seen 2021 to 2025).
    pub(super) fn is_like(self, other: Self) -> bool {
        let (Some((width, height)), Some((other_width, other_height))) =
            (self.sides(), other.sides())
        else {
            return true;
        };
        let one = u64::from(width).saturating_mul(other_height.into());
        let two = u64::from(height).saturating_mul(other_width.into());
        one.abs_diff(two) <= one.max(two) / 25
    }

    /// The picture in this shape whose shorter side has `lines` lines. `540p` is 576 wide (seen in all recordings).
    pub(super) fn scaled(self, lines: u32) -> Self {
        let short = u64::from(if lines == 540 { 576 } else { lines });
        let (width, height) = self.shape();
        let (scaled_width, scaled_height) = if width < height {
            let scaled = short.saturating_mul(height).checked_div(width);
            (Some(short), scaled.map(even))
        } else {
            let scaled = short.saturating_mul(width).div_ceil(height);
            (Some(even(scaled)), Some(short))
        };
        Self::new(scaled_width, scaled_height)
    }

    /// The picture in this shape with this width.
    pub(super) fn with_width(self, new_width: Option<u64>) -> Self {
        let (width, height) = self.shape();
        let new_height = new_width
            .and_then(|new_width| new_width.checked_mul(height))
            .and_then(|area| area.checked_div(width))
            .map(even);
        Self::new(new_width, new_height)
    }
}

/// The even number at or below.
fn even(number: u64) -> u64 {
    number & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: u64, height: u64) -> Frame {
        Frame::new(Some(width), Some(height))
    }

    fn sides(frame: Frame) -> (u32, u32) {
        frame.sides().unwrap()
    }

    #[test]
    fn size_follows_resolution_and_shape() {
        assert_eq!(sides(frame(576, 1024).scaled(1080)), (1080, 1920));
        assert_eq!(sides(frame(1024, 576).scaled(720)), (1280, 720));
        assert_eq!(sides(frame(576, 722).scaled(540)), (576, 722));
        assert_eq!(sides(Frame::default().scaled(540)), (576, 1024));
        assert_eq!(sides(frame(576, 1024).with_width(Some(720))), (720, 1280));
        assert_eq!(frame(576, 1024).with_width(None).sides(), None);
        assert_eq!(frame(1, 4_000_000_000).scaled(4320).sides(), None);
    }

    #[test]
    fn shapes_are_alike_up_to_rounding() {
        assert!(frame(576, 722).is_like(frame(720, 902)));
        assert!(!frame(720, 720).is_like(frame(576, 1024)));
        assert!(
            frame(720, 720).is_like(Frame::default()),
            "nothing to hold it against"
        );
    }
}
