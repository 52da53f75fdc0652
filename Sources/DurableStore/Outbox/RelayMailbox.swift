import Messaging
import Synchronization

/// What the relay's tasks report to its loop.
enum RelayEvent: Sendable {
    case published(RelayWindow.Call, [PublishOutcome], Duration)
    case reloaded(RelayWindow.Reload, Result<[PendingRow], any Error>)
    case scanned(Result<[PendingRow], any Error>, limit: Int)
    case marked(RelayWindow.Marks, failure: Failure?)
    case purged(OutboxTable.Purged)
    case purgeFailed(Failure)
}

/// The loop's letter box. Bounded by the number of tasks: each leaves one event.
final class RelayMailbox: Sendable {
    private let events = Mutex<[RelayEvent]>([])
    let signal = WakeSignal()

    func put(_ event: RelayEvent) {
        events.withLock { $0.append(event) }
        signal.signal()
    }

    func take() -> [RelayEvent] {
        events.withLock { events in
            defer { events.removeAll(keepingCapacity: true) }
            return events
        }
    }
}
