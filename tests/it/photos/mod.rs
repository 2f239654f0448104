//! Photo posts as videos and archives, sound as MP3, and what is left of all that: nothing.

mod archive;
mod cleanup;
mod faults;
mod gone;
mod missing;
mod slideshow;
mod sound;
mod stage;
mod studio;
