//! Photo posts as videos and archives, sound as MP3, and what is left of all that: nothing.

mod archive;
mod cleanup;
mod decoders;
mod faults;
mod gone;
mod limits;
mod missing;
mod pictures;
mod slideshow;
mod soak;
mod sound;
mod sound_faults;
mod sound_length;
mod stage;
mod studio;
