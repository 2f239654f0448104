//! Where the bytes go.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};

/// Where the bytes go.
pub(super) enum Target {
    /// Into a pipe or a device, as they come.
    Stream(Box<dyn Write>),
    /// Into a file.
    File(Place),
}

/// Where a file is to lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Its path, with the extension that is expected.
    pub(super) path: PathBuf,
    /// Whether the extension is ours to choose.
    is_named_here: bool,
}

impl Place {
    /// The path of the finished file.
    pub(super) fn finished(&self, extension: &str) -> PathBuf {
        if self.is_named_here {
            self.path.with_extension(extension)
        } else {
            self.path.clone()
        }
    }
}

impl Target {
    /// What `output` means for a file that would be called `name` here.
    ///
    /// # Errors
    /// A device that can't be written to.
    pub(super) fn of(output: Option<&Path>, name: &str) -> Result<Self, Failure> {
        let Some(output) = output else {
            return Ok(Self::named(Path::new(""), name));
        };
        if output == Path::new("-") {
            return stdout();
        }
        match fs::metadata(output) {
            Ok(found) if found.is_dir() => Ok(Self::named(output, name)),
            Ok(found) if !found.is_file() => {
                let device = File::options().write(true).open(output);
                let device = device.map_err(|error| cant_create(output, &error))?;
                Ok(Self::Stream(Box::new(device)))
            }
            _ => Ok(Self::File(Place {
                path: output.to_owned(),
                is_named_here: false,
            })),
        }
    }

    fn named(folder: &Path, name: &str) -> Self {
        Self::File(Place {
            path: folder.join(name),
            is_named_here: true,
        })
    }
}

/// Standard output itself: the library's buffers lines.
fn stdout() -> Result<Target, Failure> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        let message = "standard output is a terminal: send it to a file or a program";
        return Err(Failure::new(Exit::Usage, message));
    }
    let stdout = stdout.as_fd().try_clone_to_owned();
    let stdout = stdout.map_err(|error| cant_create(Path::new("-"), &error))?;
    Ok(Target::Stream(Box::new(File::from(stdout))))
}

/// Refuses to replace a file.
///
/// # Errors
/// There is one, and it isn't to be replaced.
pub(super) fn refuse_existing(path: &Path, force: bool) -> Result<(), Failure> {
    let is_there = fs::symlink_metadata(path).is_ok();
    if force || !is_there {
        return Ok(());
    }
    let message = format!("{}: is there already; --force replaces it", path.display());
    Err(Failure::new(Exit::CantCreate, message))
}

/// A file that can't be made.
pub(super) fn cant_create(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::CantCreate, format!("{}: {error}", path.display()))
}
