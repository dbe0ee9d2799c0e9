//! Tells another process which files a program consists of, so that that process can restart the
//! program when one of the files changes (`--watch`).

use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

static REPORT: OnceLock<Mutex<UnixStream>> = OnceLock::new();

/// Makes the runtime report all files that modules are read from to the socket at `path`. A report
/// is the length of the file's path as four bytes, little-endian, and then the path. The peer
/// answers each report with one byte when it watches the file. The file is read after that answer,
/// so no change is missed.
///
/// # Errors
/// If nothing listens at `path`.
pub fn report_files_to(path: &Path) -> std::io::Result<()> {
    let stream = UnixStream::connect(path)?;
    // A second call has no effect.
    let _ = REPORT.set(Mutex::new(stream));
    Ok(())
}

/// Reports a file that is about to be read, if [`report_files_to`] was called. Waits until the peer
/// watches it.
pub fn report_file(path: &Path) {
    let Some(report) = REPORT.get() else {
        return;
    };
    let path = path.as_os_str().as_encoded_bytes();
    let Ok(length) = u32::try_from(path.len()) else {
        return;
    };
    let mut record = length.to_le_bytes().to_vec();
    record.extend_from_slice(path);
    let mut stream = report.lock().unwrap_or_else(PoisonError::into_inner);
    // An error is ignored, because a peer that has ended needs no reports.
    if stream.write_all(&record).is_ok() {
        let _ = stream.read_exact(&mut [0]);
    }
}
