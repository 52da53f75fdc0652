import ArgumentParser
import StrictJSON
import Terminal

/// What can be done to an endpoint that is there.
extension WebhookEndpointCommand {
    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a disabled endpoint have events again; its breaker and counters begin anew.",
            discussion: "Example: waybill webhook endpoint enable 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/enable", json: common.json) }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send nothing more; new events are noted as skipped and can be recovered.",
            discussion: "Example: waybill webhook endpoint disable 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/disable", json: common.json) }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask the receiver for its consent, again; nothing is sent until it agreed.",
            discussion: "Example: waybill webhook endpoint verify 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/verify", json: common.json) }
    }

    struct ResetBreaker: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Close the breaker and end a hold: try again now.",
            discussion: "Example: waybill webhook endpoint reset-breaker 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/reset-breaker", json: common.json) }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold deliveries back; they wait.",
            discussion: "Example: waybill webhook endpoint pause 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/pause", json: common.json) }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let deliveries go on, in order.",
            discussion: "Example: waybill webhook endpoint resume 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/resume", json: common.json) }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an endpoint; what waits for it is cancelled.",
            discussion: "Example: waybill webhook endpoint remove 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("DELETE", "", json: common.json) }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give an endpoint a new secret; the old one also signs until the grace time ends.",
            discussion: "Example: waybill webhook endpoint rotate 019a2f0c-… --grace 3600"
        )
        @OptionGroup var endpoint: EndpointArguments
        @Option(name: .long, help: "Seconds, 0 to 604800.") var grace = 86_400
        @OptionGroup var common: CommonOptions
        func run() async throws {
            try await endpoint.act(
                "POST",
                "/rotate",
                body: .object(["graceSeconds": .integer(Int64(grace))]),
                json: common.json
            )
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a signed example event.",
            discussion: "Example: waybill webhook endpoint test 019a2f0c-… --type waybill.order.completed.v1"
        )
        @OptionGroup var endpoint: EndpointArguments
        @Option(name: .long, help: "The type of the example.") var type: String?
        @OptionGroup var common: CommonOptions
        func run() async throws {
            let body: JSONObject = type.map { ["type": .string($0)] } ?? [:]
            try await endpoint.act("POST", "/test", body: .object(body), json: common.json)
        }
    }
}
