import Dispatch

/// Whether the flush job of a file runs, of which there is one at a time. A part of its owner's state, behind its lock.
struct FlushJob {
    private(set) var isRunning = false
    /// For waiting until no job runs; not to be waited for while the lock is held.
    let end = DispatchGroup()

    /// Notes that a job runs from now on; false when one does already. Who gets true has to see to its end.
    mutating func begin() -> Bool {
        if isRunning { return false }
        isRunning = true
        end.enter()
        return true
    }

    mutating func finish() {
        isRunning = false
        end.leave()
    }
}
