use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Waits are not what these tests are about.
const LONG: Duration = Duration::from_secs(600);
const PATIENT: Limits = Limits { patience: LONG, stall: LONG };

fn line(n: usize) -> Vec<u8> {
    format!("{n:099}\n").into_bytes()
}

/// A stderr that takes a line for each permission, and tells what it took and what was announced.
struct Gate {
    stderr: Stderr,
    permit: Sender<IoResult<()>>,
    written: Receiver<Vec<u8>>,
    announced: Receiver<u64>,
}

fn gate(limits: Limits) -> Gate {
    let (permit, permitted) = channel::<IoResult<()>>();
    let (write, written) = channel();
    let (announce, announced) = channel();
    let writing = move |line: &[u8]| {
        permitted.recv().unwrap()?;
        write.send(line.to_vec()).map_err(Error::other)
    };
    let announcing = move |dropped| announce.send(dropped).unwrap();
    Gate { stderr: Stderr::writing_to(writing, announcing, limits), permit, written, announced }
}

#[test]
fn nothing_is_lost_where_lines_come_faster_than_they_are_taken() {
    let sum = Arc::new(Mutex::new(Vec::new()));
    let taken = sum.clone();
    let writing = move |line: &[u8]| {
        taken.lock().unwrap().extend_from_slice(line);
        Ok(())
    };
    let stderr = Stderr::writing_to(writing, |dropped| panic!("{dropped} were dropped"), PATIENT);
    let count = 4 * ROOM / 100;
    (0..count).for_each(|n| stderr.line(line(n)));
    stderr.flush();
    let expected: Vec<u8> = (0..count).flat_map(line).collect();
    assert!(*sum.lock().unwrap() == expected);
}

#[test]
fn what_a_blocked_stderr_has_no_room_for_is_counted_once_it_flows() {
    let gate = gate(Limits { patience: Duration::from_millis(1), stall: Duration::from_millis(1) });
    let sent = 2 * ROOM / 100;
    (0..sent).for_each(|n| gate.stderr.line(line(n)));
    // Nor does the program's end wait for ever.
    gate.stderr.flush();
    assert!(gate.announced.try_recv().is_err());
    gate.permit.send(Ok(())).unwrap();
    let dropped = gate.announced.recv().unwrap() as usize;
    let kept = sent - dropped;
    assert!(dropped > 0 && kept >= ROOM / 100, "{dropped} of {sent}");
    (1..kept).for_each(|_| gate.permit.send(Ok(())).unwrap());
    for n in 0..kept {
        assert_eq!(gate.written.recv().unwrap(), line(n));
    }
    // All of them were counted, and once: what is announced after a line comes before the next one.
    for n in sent..sent + 2 {
        gate.stderr.line(line(n));
        gate.permit.send(Ok(())).unwrap();
        assert_eq!(gate.written.recv().unwrap(), line(n));
    }
    assert!(gate.announced.try_recv().is_err());
}

#[test]
fn what_stderr_refuses_is_counted_too() {
    let gate = gate(PATIENT);
    for n in 0..3 {
        gate.stderr.line(line(n));
        gate.permit.send(Err(ErrorKind::StorageFull.into())).unwrap();
    }
    gate.stderr.line(line(3));
    gate.permit.send(Ok(())).unwrap();
    assert_eq!(gate.announced.recv().unwrap(), 3);
    assert_eq!(gate.written.recv().unwrap(), line(3));
    gate.stderr.flush();
}

#[test]
fn dropped_lines_are_announced_before_a_flush_is_done() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let taken = lines.clone();
    let writing = move |line: &[u8]| match line {
        b"refused\n" => Err(ErrorKind::BrokenPipe.into()),
        line => {
            taken.lock().unwrap().push(String::from_utf8(line.to_vec()).unwrap());
            Ok(())
        }
    };
    let own: Arc<Mutex<Option<Stderr>>> = Arc::default();
    let of_thread = own.clone();
    let announcing = move |dropped| {
        let stderr = of_thread.lock().unwrap();
        stderr.as_ref().unwrap().line(format!("{dropped} were dropped\n").into_bytes());
    };
    let stderr = Stderr::writing_to(writing, announcing, PATIENT);
    *own.lock().unwrap() = Some(stderr.clone());
    for text in ["refused\n", "taken\n"] {
        stderr.line(text.into());
    }
    drop(FlushAtEnd(stderr));
    assert_eq!(*lines.lock().unwrap(), ["taken\n", "1 were dropped\n"]);
}

#[test]
fn a_stderr_that_does_not_block_is_waited_for() {
    /// Takes three bytes at a time, every other time.
    struct Slow(Vec<u8>, bool);
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.0.extend_from_slice(&bytes[..bytes.len().min(3)]);
            Ok(bytes.len().min(3))
        }
        fn flush(&mut self) -> IoResult<()> {
            Ok(())
        }
    }
    let mut slow = Slow(Vec::new(), false);
    write_all(&mut slow, b"a whole line\n").unwrap();
    assert_eq!(slow.0, b"a whole line\n");
}
