//! What takes much memory again and again, on one thread after the other.

use super::target::Target;

/// Does something on a thread of its own.
///
/// The C library's allocator keeps for each thread what it has let go, and hands that to the next
/// thread that begins. What takes much memory again and again, each time on another thread of a pool,
/// would take it anew each time.
pub(super) fn alone<T: Send>(target: &mut Target, what: impl FnOnce(&Target) -> T + Send) -> T {
    std::thread::scope(|scope| {
        let work = scope.spawn(move || what(target));
        match work.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
