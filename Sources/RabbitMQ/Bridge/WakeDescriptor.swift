import CRabbitMQ
import Glibc

/// Wakes a thread that sits in `poll`. Any thread may signal; the descriptor is closed when the last reference goes.
final class WakeDescriptor: Sendable {
    /// An eventfd; -1 when the process has no descriptors left, in which case waits just end by their timeout.
    let descriptor: Int32

    init() { descriptor = crabbitmq_wake_descriptor() }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func signal() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }

    /// Waits for a signal or the end of the time, and clears the signal.
    func wait(timeout: Duration) {
        var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        _ = poll(&descriptors, 1, timeout.pollMilliseconds)
        if descriptors[0].revents != 0 { clear() }
    }
}
