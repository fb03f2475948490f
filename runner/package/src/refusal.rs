//! Why a package is not read at all. What can be repaired by hand is no refusal but a draft.

use crate::tree::{DEPTH_MAX, FILE_BYTES_MAX, FILES_MAX, TOTAL_BYTES_MAX};

/// Why a package is refused, in words for the person who brought it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("This is not a zip file, or it is damaged.")]
    NotAZip,
    #[error("“{0}” is encrypted. Pack it again without a password.")]
    Encrypted(String),
    #[error("“{0}” leads out of the package. Pack it again from inside its folder.")]
    Outside(String),
    #[error("“{0}” is a link or a device, not a file. Put the file itself in its place.")]
    NotAFile(String),
    #[error("“{0}” has a name with a backslash or a control character. Rename it.")]
    BadName(String),
    #[error("“{0}” lies more than {DEPTH_MAX} folders deep.")]
    TooDeep(String),
    #[error("The package has more than {FILES_MAX} files.")]
    TooManyFiles,
    #[error("“{path}” is larger than {} MiB when it is unpacked.", FILE_BYTES_MAX >> 20)]
    FileTooLarge { path: String },
    #[error("The package is larger than {} MiB when it is unpacked.", TOTAL_BYTES_MAX >> 20)]
    TooLarge,
    #[error("“{0}” cannot be read. It may be damaged, or packed in an unusual way.")]
    Unreadable(String),
    #[error("There is no problem.yaml, so this is not a problem package.")]
    NoProblemYaml,
    #[error("“{path}” is not valid YAML: {why}.")]
    Yaml { path: String, why: String },
}
