// swift-tools-version: 6.2
import PackageDescription

// The kit (Sources/) knows nothing of orders; the application (services/) is built on it. Each target names what it
// imports, and nothing else can be imported: the direction of the dependencies is kept by the build.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// LLVM's linker comes with the toolchain and is the faster one (docs/adr/0010-programs-carry-the-runtime.md).
let fastLink: [LinkerSetting] = [.unsafeFlags(["-use-ld=lld"])]

/// Released programs have the standard library inside: each call into a shared one goes through a table.
let program: [LinkerSetting] =
    fastLink + [
        .unsafeFlags(
            ["-static-stdlib"]
                + [
                    "swiftSynchronization", "CoreFoundation", "_FoundationICU", "_FoundationCShims",
                    "_FoundationCollections", "stdc++",
                ].map { "-l" + $0 },
            .when(configuration: .release)
        )
    ]

// MARK: - Packages

let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
/// Only for tests: docs/webhooks/Verify.swift, which a subscriber copies, and another look at what `Cryptography` signed.
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let orderedCollections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioConcurrencyHelpers = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioExtras = Target.Dependency.product(name: "NIOExtras", package: "swift-nio-extras")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")

let packages: [Package.Dependency] = [
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
]

// MARK: - Shapes of targets

/// A library of the kit.
func kit(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The pure rules of a service: `services/<folder>/Core`.
func core(_ name: String, _ folder: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name + "Core",
        dependencies: ["Commerce", "Messaging"] + dependencies,
        path: "services/\(folder)/Core",
        swiftSettings: strict
    )
}

/// Everything else of a service but its `main`.
func service(
    _ name: String,
    _ folder: String,
    _ dependencies: [Target.Dependency] = [],
    resources: [Resource]? = nil
) -> Target {
    .target(
        name: name + "Service",
        dependencies: [
            .target(name: name + "Core"), "Commerce", "Messaging", "DurableStore", "ServiceKit", "HTTPKit", "Telemetry",
            "StrictJSON", grdb, hummingbird, httpTypes, lifecycle, logging, configuration,
        ] + dependencies,
        path: "services/\(folder)",
        exclude: ["Core", "Main", "README.md"],
        resources: resources,
        swiftSettings: strict
    )
}

/// An executable: `services/<folder>/Main`, ten lines where a library has the rest.
func main(_ name: String, _ folder: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies,
        path: "services/\(folder)/Main",
        swiftSettings: strict,
        linkerSettings: program
    )
}

/// The tests of a target.
func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
    .testTarget(
        name: name + "Tests",
        dependencies: dependencies,
        resources: resources,
        swiftSettings: strict,
        linkerSettings: fastLink
    )
}

// MARK: - The kit

let kitTargets: [Target] = [
    .systemLibrary(name: "CRabbitMQ", pkgConfig: "librabbitmq", providers: [.apt(["librabbitmq-dev"])]),
    .systemLibrary(name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    kit("Cryptography", ["CCrypto"]),
    kit("StrictJSON"),
    kit("Failpoints"),
    kit("Messaging"),
    kit("RabbitMQ", ["CRabbitMQ", logging]),
    kit("Kafka", ["CRdKafka", logging]),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    kit("DurableStore", ["CSQLite", "Messaging", "Failpoints", grdb, deque, orderedCollections]),
    kit("Telemetry", [logging, coreMetrics]),
    kit(
        "HTTPKit",
        [
            "StrictJSON", "Telemetry", hummingbird, hummingbirdCore, asyncHTTPClient, httpTypes, lifecycle, logging,
            nioCore, nioPosix, nioHTTP1, nioHTTPTypes, nioExtras, nioSSL,
        ]
    ),
    .target(name: "CEventLogChecksum"),
    .systemLibrary(name: "CCompression", providers: [.apt(["zlib1g-dev", "libzstd-dev"])]),
    kit(
        "EventLog",
        [
            "CEventLogChecksum", "CCompression", "Failpoints", "Telemetry", nioCore, nioPosix, nioConcurrencyHelpers,
            nioHTTP1, logging,
        ]
    ),
    .executableTarget(
        name: "event-log",
        dependencies: ["EventLog", "Failpoints", "Telemetry", argumentParser, logging, unixSignals],
        path: "Sources/EventLogServer",
        swiftSettings: strict,
        linkerSettings: program
    ),
    kit(
        "Webhooks",
        [
            "Cryptography", "DurableStore", "Messaging", "Failpoints", "StrictJSON", grdb, nioCore, nioPosix, nioHTTP1,
            nioTLS,
            nioSSL,
        ]
    ),
    kit("Supervision"),
    kit("FaultProxy", [nioCore, nioPosix]),
    kit("KitTestSupport", ["Messaging"]),
    kit("Simulation", ["Messaging"]),
    kit("Terminal", ["StrictJSON", argumentParser]),
    kit(
        "ServiceKit",
        [
            "Messaging", "Failpoints", "RabbitMQ", "Kafka", "DurableStore", "Telemetry", "HTTPKit", "StrictJSON",
            hummingbird, httpTypes, lifecycle, unixSignals, logging, configuration, grdb,
        ]
    ),
]

// MARK: - The application

let serviceTargets: [Target] = [
    .target(
        name: "Commerce",
        dependencies: ["Messaging", "StrictJSON"],
        path: "services/commerce",
        swiftSettings: strict
    ),
    core("Order", "order"),
    core("Payment", "payment"),
    core("Inventory", "inventory"),
    core("Notification", "notification", ["StrictJSON"]),
    core("Analytics", "analytics"),
    service(
        "Order",
        "order",
        ["Cryptography", "Kafka", "Failpoints"],
        resources: [.embedInCode("API/order-openapi.json")]
    ),
    service("Payment", "payment", ["Cryptography", "Kafka", "Failpoints", "Webhooks"]),
    service("Inventory", "inventory", ["Kafka"]),
    service("Notification", "notification", ["Kafka", "Webhooks"]),
    service("Analytics", "analytics", ["Cryptography", "Kafka", "Failpoints"]),
    .target(
        name: "CardGateway",
        dependencies: [
            "Cryptography", "Messaging", "Failpoints", "StrictJSON", "HTTPKit", "Telemetry", hummingbird, httpTypes,
            logging,
            lifecycle, unixSignals,
        ],
        path: "services/gateway",
        exclude: ["Main", "README.md"],
        swiftSettings: strict
    ),
    main("order-service", "order", ["OrderService", "ServiceKit"]),
    main("payment-service", "payment", ["PaymentService", "ServiceKit"]),
    main("inventory-service", "inventory", ["InventoryService", "ServiceKit"]),
    main("notification-service", "notification", ["NotificationService", "ServiceKit"]),
    main("analytics-service", "analytics", ["AnalyticsService", "ServiceKit"]),
    main("card-gateway", "gateway", ["CardGateway"]),
    .target(
        name: "Verification",
        dependencies: [
            "Commerce", "Messaging", "StrictJSON", "OrderCore", "InventoryCore", "PaymentCore", "AnalyticsCore",
            "Cryptography", "Kafka", "DurableStore", "Webhooks", grdb, logging,
        ],
        path: "services/cli/Verify",
        swiftSettings: strict
    ),
    .target(
        name: "WaybillSimulation",
        dependencies: [
            "Simulation", "Verification", "OrderService", "OrderCore", "PaymentService", "PaymentCore",
            "InventoryService", "NotificationService", "NotificationCore", "AnalyticsService", "CardGateway",
            "Commerce", "Messaging", "DurableStore", "Webhooks", "StrictJSON", "HTTPKit", "Telemetry", grdb,
        ],
        path: "services/simulation",
        exclude: ["Main", "README.md"],
        swiftSettings: strict
    ),
    main(
        "waybill-simulate",
        "simulation",
        ["WaybillSimulation", "Commerce", "Messaging", "StrictJSON", "Terminal", argumentParser]
    ),
    .target(name: "Doctor", path: "services/cli/Doctor", swiftSettings: strict),
    .executableTarget(
        name: "waybill",
        dependencies: [
            "Verification", "Doctor", "Commerce", "Messaging", "StrictJSON", "HTTPKit", "Kafka", "Terminal", "Webhooks",
            "Telemetry", nioCore, hummingbird, httpTypes, lifecycle, unixSignals, argumentParser, histogram,
            logging,
        ],
        path: "services/cli",
        exclude: ["Verify", "Doctor", "README.md"],
        swiftSettings: strict,
        linkerSettings: program
    ),
    .target(
        name: "Chaos",
        dependencies: [
            "Cryptography", "FaultProxy", "HTTPKit", "Kafka", "Messaging", "StrictJSON", "Terminal", "Webhooks",
            argumentParser, logging, nioCore, nioPosix, nioHTTP1,
        ],
        path: "services/chaos",
        exclude: ["Main", "README.md"],
        swiftSettings: strict
    ),
    main("waybill-chaos", "chaos", ["Chaos", "Terminal"]),
    .executableTarget(
        name: "waybill-supervisor",
        dependencies: ["Supervision"],
        path: "services/supervisor",
        exclude: ["README.md"],
        swiftSettings: strict,
        linkerSettings: program
    ),
    .target(
        name: "Installation",
        dependencies: [
            "waybill-supervisor", "waybill", "event-log", "card-gateway", "order-service", "payment-service",
            "inventory-service", "notification-service", "analytics-service",
        ],
        path: "services/installation"
    ),
]

let testTargets: [Target] = [
    tests("StrictJSON", ["StrictJSON"]),
    tests("Terminal", ["Terminal"]),
    tests("Cryptography", ["Cryptography"]),
    tests("Failpoints", ["Failpoints"]),
    tests("Messaging", ["Messaging", "KitTestSupport"]),
    tests("DurableStore", ["DurableStore", "Messaging", "KitTestSupport", grdb]),
    tests("Telemetry", ["Telemetry", "StrictJSON", logging, coreMetrics]),
    tests(
        "EventLog",
        ["EventLog", "Telemetry", nioCore, nioPosix, logging],
        resources: [.copy("Fixtures")]
    ),
    tests(
        "HTTPKit",
        [
            "HTTPKit", "StrictJSON", "Telemetry", hummingbird, hummingbirdTesting, asyncHTTPClient, httpTypes,
            lifecycle, logging, nioCore, nioPosix, nioHTTP1, nioSSL,
        ]
    ),
    tests(
        "ServiceKit",
        [
            "ServiceKit", "HTTPKit", "DurableStore", "Kafka", "RabbitMQ", "Messaging", "StrictJSON", "KitTestSupport",
            hummingbird, hummingbirdTesting, httpTypes, nioCore, grdb, configuration, logging,
        ]
    ),
    tests("RabbitMQ", ["RabbitMQ", logging]),
    tests(
        "RabbitMQComponent",
        ["RabbitMQ", "ServiceKit", "DurableStore", "Messaging", "KitTestSupport", grdb, lifecycle, logging]
    ),
    tests("Kafka", ["Kafka", "CRdKafka", logging]),
    tests(
        "Webhooks",
        [
            "Webhooks", "Messaging", "StrictJSON", "Cryptography", "DurableStore", "KitTestSupport", "CCompression",
            grdb, crypto,
            nioCore, nioPosix, nioHTTP1, nioSSL,
        ]
    ),
    tests("Supervision", ["Supervision", "waybill-supervisor"]),
    tests("FaultProxy", ["FaultProxy", nioCore, nioPosix]),
    tests("Chaos", ["Chaos", "HTTPKit", "Messaging", "StrictJSON", "Webhooks"]),
    tests("Commerce", ["Commerce", "Messaging"]),
    tests("OrderCore", ["OrderCore", "Commerce", "Messaging"]),
    tests(
        "OrderService",
        [
            "OrderService", "OrderCore", "Commerce", "Messaging", "DurableStore", "Telemetry", "StrictJSON", "HTTPKit",
            "KitTestSupport", httpTypes, nioCore, grdb, hummingbird, hummingbirdTesting,
        ]
    ),
    tests("PaymentCore", ["PaymentCore", "Commerce", "Messaging"]),
    tests(
        "PaymentService",
        [
            "PaymentService", "PaymentCore", "CardGateway", "Commerce", "Messaging", "StrictJSON", "DurableStore",
            "KitTestSupport", "HTTPKit", "Telemetry", grdb, hummingbird, hummingbirdTesting, httpTypes, logging,
            nioCore,
        ]
    ),
    tests(
        "CardGateway",
        [
            "CardGateway", "Messaging", "StrictJSON", "KitTestSupport", "HTTPKit", "Telemetry", hummingbird,
            hummingbirdTesting, httpTypes, logging, nioCore, lifecycle,
        ]
    ),
    tests(
        "NotificationService",
        [
            "NotificationService", "NotificationCore", "Webhooks", "Commerce", "Messaging", "StrictJSON",
            "DurableStore", "KitTestSupport", "HTTPKit", "Telemetry", grdb, hummingbird, hummingbirdTesting, httpTypes,
            logging, nioCore, nioPosix, nioHTTP1,
        ]
    ),
    tests("InventoryCore", ["InventoryCore", "Commerce"]),
    tests(
        "InventoryService",
        [
            "InventoryService", "InventoryCore", "Commerce", "Messaging", "DurableStore", "StrictJSON", "HTTPKit",
            "KitTestSupport", "Telemetry", grdb, hummingbird, hummingbirdTesting, httpTypes, nioCore,
        ]
    ),
    tests(
        "AnalyticsService",
        [
            "AnalyticsService", "AnalyticsCore", "Commerce", "Messaging", "DurableStore", "StrictJSON", "ServiceKit",
            "Kafka", "KitTestSupport", "HTTPKit", grdb, hummingbird, hummingbirdTesting, httpTypes, nioCore, logging,
        ]
    ),
    tests(
        "Verification",
        [
            "Verification", "waybill", "OrderService", "PaymentService", "InventoryService", "NotificationService",
            "AnalyticsService", "PaymentCore", "Commerce", "Messaging", "StrictJSON", "Kafka", "Webhooks",
            "Cryptography",
            "DurableStore", "KitTestSupport", grdb, logging,
        ]
    ),
    tests("Doctor", ["Doctor"]),
    tests("AnalyticsCore", ["AnalyticsCore", "Commerce", "Messaging"]),
    tests("Simulation", ["Simulation", "Messaging"]),
    tests(
        "WaybillSimulation",
        [
            "WaybillSimulation", "Messaging", "DurableStore", "OrderService", "PaymentService", "InventoryService",
            "NotificationService", "AnalyticsService", grdb,
        ]
    ),
]

// Needs libFuzzer's runtime, so it is there only for scripts/fuzz-event-log.sh.
let fuzzTargets: [Target] =
    Context.environment["WAYBILL_FUZZ"] == nil
    ? []
    : [
        .executableTarget(
            name: "event-log-fuzz",
            dependencies: ["EventLog", nioCore],
            path: "Tests/EventLogFuzz",
            swiftSettings: strict
        )
    ]

let package = Package(
    name: "waybill",
    dependencies: packages,
    targets: kitTargets + serviceTargets + testTargets + fuzzTargets,
    swiftLanguageModes: [.v6]
)
