//! What a link says.

/// Which route a link is for; part of the associated data, so that one can't be used on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// `/stream` and `/download`.
    Media,
    /// `/download-slideshow`.
    Slideshow,
}

/// What the link delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A video, with or without sound.
    Video,
    /// Sound.
    Audio,
    /// A picture.
    Image,
    /// A rendered slideshow.
    Slideshow,
    /// Subtitles, as text.
    Caption,
    /// All pictures of a post in one file.
    Archive,
}

/// Where the bytes lay when the link was made, so that another process can serve it without asking the site again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Direct address.
    pub url: String,
    /// Value of the one guest cookie that media requests need.
    pub cookie: Option<String>,
}

/// What a link says. One that comes out of [`super::Sealer::open`] has passed the tag and the expiry check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Unix second from which the link is dead. Set by the sealer's caller.
    pub expires_at: u64,
    /// Site name.
    pub site: String,
    /// The site's id of the post.
    pub id: String,
    /// Format id; `image-3` for the third picture.
    pub format: String,
    /// The site's id of the sound track, where the format carries one of several.
    pub track: Option<String>,
    /// What it delivers.
    pub kind: Kind,
    /// Author for the file name, at most 60 characters.
    pub author: String,
    /// File name extension without dot.
    pub extension: String,
    /// Number for the file name (`author_3.jpg`).
    pub index: Option<u32>,
    /// Name of the way out that the bytes were promised to, when there are several.
    pub egress: Option<String>,
    /// Where the bytes lay.
    pub hint: Option<Hint>,
}
