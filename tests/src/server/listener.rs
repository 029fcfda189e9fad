//! A port of its own, with a thread for each connection.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

use super::state::Shared;

/// What is on its way to a client at most, so that the server's count is near to
/// what has arrived.
const ON_ITS_WAY: usize = 32 << 10;

/// Listens until it is dropped; then all connections end.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub(super) fn start(
        shared: Arc<Shared>,
        serve: fn(&Shared, &TcpStream) -> io::Result<()>,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("it has an address");
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &accepting, serve));
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    pub(super) const fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.stop();
        // Wakes it up.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    serve: fn(&Shared, &TcpStream) -> io::Result<()>,
) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        if shared.lock().stopped {
            break;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        threads.push(std::thread::spawn(move || {
            // A client may go whenever it likes.
            let _ = one(&shared, &stream, serve);
        }));
        threads.retain(|thread| !thread.is_finished());
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn one(
    shared: &Shared,
    stream: &TcpStream,
    serve: fn(&Shared, &TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_send_buffer_size(ON_ITS_WAY)?;
    let number = {
        let known = stream.try_clone()?;
        let mut state = shared.lock();
        if state.stopped {
            return Ok(());
        }
        state.connections += 1;
        let number = state.connections;
        state.open.insert(number, known);
        number
    };
    let served = serve(shared, stream);
    shared.change(|state| state.open.remove(&number));
    served
}

/// Closes a connection so that all that was sent arrives before its end.
pub(super) fn close(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    // What is unread when a socket is closed turns its end into a reset.
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let _ = io::copy(&mut &*stream, &mut io::sink());
    let _ = stream.shutdown(Shutdown::Both);
}
