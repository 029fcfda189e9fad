//! Where tests have their files.

use std::path::PathBuf;

/// What must be free in memory, in bytes. Many tests run at once.
#[cfg(target_os = "linux")]
const ROOM: u64 = 1 << 30;

/// Where a test that writes much and needs none of it to last makes its directory: in
/// memory, where a gibibyte is free there (Linux), [`std::env::temp_dir`] otherwise and
/// wherever `TMPDIR` is set.
///
/// A check of a machine is made of hundreds of runs, and each makes, syncs and removes
/// its files.
///
/// ```
/// let dir = tempfile::tempdir_in(resume_runtime::testing::scratch_parent())?;
/// std::fs::write(dir.path().join("file"), "text")?;
/// # std::io::Result::Ok(())
/// ```
pub fn scratch_parent() -> PathBuf {
    let usual = std::env::temp_dir();
    #[cfg(target_os = "linux")]
    if std::env::var_os("TMPDIR").is_none() {
        let memory = PathBuf::from("/dev/shm");
        let room = rustix::fs::statvfs(&memory).is_ok_and(|stat| {
            let room = stat.f_bavail.saturating_mul(stat.f_frsize);
            room >= ROOM
        });
        if room && tempfile::tempdir_in(&memory).is_ok() {
            return memory;
        }
    }
    usual
}
