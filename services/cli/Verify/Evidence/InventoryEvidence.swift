/// The inventory service's tables.
public struct InventoryEvidence: Sendable {
    /// The level of one article.
    public struct Level: Sendable, Hashable {
        /// The article.
        public var sku: String
        /// Pieces in the house.
        public var onHand: Int64
        /// Pieces set aside.
        public var reserved: Int64

        /// Makes a level.
        public init(sku: String, onHand: Int64, reserved: Int64) {
            self.sku = sku
            self.onHand = onHand
            self.reserved = reserved
        }
    }

    /// One change of the pieces in the house, oldest first.
    public struct Movement: Sendable, Hashable {
        /// The article.
        public var sku: String
        /// `adjusted`, `sold` or `returned`.
        public var kind: String
        /// Pieces added.
        public var change: Int64
        /// Pieces in the house afterwards.
        public var onHand: Int64
        /// The order, for `sold` and `returned`.
        public var order: String?

        /// Makes a movement.
        public init(sku: String, kind: String, change: Int64, onHand: Int64, order: String?) {
            self.sku = sku
            self.kind = kind
            self.change = change
            self.onHand = onHand
            self.order = order
        }
    }

    /// One line of a reservation.
    public struct Line: Sendable, Hashable {
        /// The order.
        public var order: String
        /// The article.
        public var sku: String
        /// Pieces.
        public var quantity: Int64

        /// Makes a line.
        public init(order: String, sku: String, quantity: Int64) {
            self.order = order
            self.sku = sku
            self.quantity = quantity
        }
    }

    /// How often people changed an article.
    public struct Article: Sendable, Hashable {
        /// The article.
        public var sku: String
        /// The sequence of its last event in the catalogue.
        public var catalogVersion: Int64
        /// The sequence of the last event that set its stock.
        public var stockVersion: Int64

        /// Makes an article.
        public init(sku: String, catalogVersion: Int64, stockVersion: Int64) {
            self.sku = sku
            self.catalogVersion = catalogVersion
            self.stockVersion = stockVersion
        }
    }

    /// All levels.
    public var levels: [Level]
    /// All movements, oldest first.
    public var movements: [Movement]
    /// Reservations by order: status as text.
    public var reservations: [String: String]
    /// Their lines.
    public var lines: [Line]
    /// All rows of their history.
    public var history: [HistoryRow]
    /// Orders whose hold ends by itself one day; `nil` when they were not read.
    public var expiries: Set<String>?
    /// How often each article was changed, and how often its stock was set; `nil` when they were not read.
    public var articles: [Article]?

    /// Makes evidence.
    public init(
        levels: [Level] = [],
        movements: [Movement] = [],
        reservations: [String: String] = [:],
        lines: [Line] = [],
        history: [HistoryRow] = []
    ) {
        self.levels = levels
        self.movements = movements
        self.reservations = reservations
        self.lines = lines
        self.history = history
    }
}
