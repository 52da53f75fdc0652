/// What the doctor was told. Gathered by ``DoctorRound``, judged by ``DoctorRules``.
public struct DoctorEvidence: Sendable {
    /// How a service answered.
    public enum Health: Sendable, Hashable {
        /// The environment names no address for it.
        case noAddress
        /// No answer within the time, and why.
        case silent(String)
        /// It answers, but is not ready: what it waits for.
        case notReady([String])
        case ready
    }

    /// One service.
    public struct Service: Sendable {
        public let name: String
        public var health: Health = .ready
        /// Age of the oldest message that no broker confirmed.
        public var outboxAgeMilliseconds: Int64 = 0
        /// Rows of the outbox that wait for a person.
        public var outboxParked: Int64 = 0
        /// Dead letters that wait for a decision.
        public var deadLetters: Int64 = 0
        /// Samples of `/metrics` that the rules look at, labels included.
        public var metrics: [Metric] = []
        /// Deadlines that should have fired.
        public var deadlines: [Deadline] = []

        public init(_ name: String) { self.name = name }
    }

    /// One sample of a metric.
    public struct Metric: Sendable, Hashable {
        public let name: String
        public let labels: String
        public let value: Double

        /// Reads a line of the Prometheus text format; `nil` for comments and anything else.
        public init?(line: Substring) {
            guard !line.hasPrefix("#"), let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...])
            else { return nil }
            let series = line[..<space]
            let brace = series.firstIndex(of: "{") ?? series.endIndex
            name = String(series[..<brace])
            labels = String(series[brace...])
            self.value = value
        }

        /// The value of a label; empty where there is none.
        public func label(_ name: String) -> String {
            guard let start = labels.firstRange(of: name + "=\""),
                let end = labels[start.upperBound...].firstIndex(of: "\"")
            else { return "" }
            return String(labels[start.upperBound..<end])
        }
    }

    /// A deadline that is due and was not fired.
    public struct Deadline: Sendable, Hashable {
        public let name: String
        public let subject: String
        public let overdueSeconds: Int64
        public let error: String

        public init(name: String, subject: String, overdueSeconds: Int64, error: String) {
            self.name = name
            self.subject = subject
            self.overdueSeconds = overdueSeconds
            self.error = error
        }
    }

    /// An order that has not ended, or needs a person.
    public struct Order: Sendable, Hashable {
        public let id: String
        public let status: String
        public let unchangedSeconds: Int64

        public init(id: String, status: String, unchangedSeconds: Int64) {
            self.id = id
            self.status = status
            self.unchangedSeconds = unchangedSeconds
        }
    }

    /// A move of money whose outcome nobody knows.
    public struct Payment: Sendable, Hashable {
        public let orderID: String
        public let kind: String
        public let state: String
        public let openSeconds: Int64

        public init(orderID: String, kind: String, state: String, openSeconds: Int64) {
            self.orderID = orderID
            self.kind = kind
            self.state = state
            self.openSeconds = openSeconds
        }
    }

    /// Stock that is held for an order.
    public struct Reservation: Sendable, Hashable {
        public let orderID: String
        public let heldSeconds: Int64
        /// Where its order stands; `nil` when there is no such order.
        public let orderStatus: String?

        public init(orderID: String, heldSeconds: Int64, orderStatus: String?) {
            self.orderID = orderID
            self.heldSeconds = heldSeconds
            self.orderStatus = orderStatus
        }
    }

    /// A queue as the broker sees it.
    public struct Queue: Sendable, Hashable {
        public let name: String
        public let consumers: Int64
        public let messages: Int64
        /// Whether nothing was acknowledged between two looks although messages were there at both.
        public let isStill: Bool

        public init(name: String, consumers: Int64, messages: Int64, isStill: Bool = false) {
            self.name = name
            self.consumers = consumers
            self.messages = messages
            self.isStill = isStill
        }
    }

    public var services: [Service] = []
    public var orders: [Order] = []
    public var payments: [Payment] = []
    public var reservations: [Reservation] = []
    public var queues: [Queue] = []
    /// What could not be asked, and why: then silence there means nothing.
    public var unknown: [String] = []

    public init() {}
}
