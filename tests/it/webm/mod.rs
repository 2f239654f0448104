//! Two WebM files joined into one: files made here and by `FFmpeg`, read back by a reader that shares no code.

mod ffmpeg;
mod hostile;
mod joining;
mod pair;
mod properties;
mod refusals;
mod synth;
mod walk;
